"""Which accounts a command is about, and how they are shown."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mlguard_common.config import ConfigError
from mlguard_exporter.config import AccountConfig

if TYPE_CHECKING:
    from pathlib import Path

    from mlguard_exporter.config import Config
    from mlguard_exporter.setup.door import Identity

DEFAULT = "default"
"""Name of the account that is asked about where none is configured."""


def chosen(config: Config, name: str | None) -> list[AccountConfig]:
    """The accounts of the configuration, or one of them; boto3's own where there are none.

    Raises:
        ConfigError: there is no such account.
    """
    accounts = config.cost.accounts or [AccountConfig(name=DEFAULT)]
    if name is None:
        return accounts
    found = [account for account in accounts if account.name == name]
    if not found:
        known = ", ".join(account.name for account in accounts)
        raise ConfigError(f"--account: found {name}, expected one of {known}")
    return found


def is_folder(account: AccountConfig) -> bool:
    """Whether spend comes from a folder of this machine, so that AWS is not asked at all."""
    return account.export is not None and account.export.startswith("/")


def title(account: AccountConfig, config: Config) -> str:
    """A heading for one account."""
    if not config.cost.accounts:
        return "No account is configured: these are the credentials that AWS's tools find here"
    return f"Account {account.name}"


def shown(identity: Identity) -> str:
    """Who asks, for a person."""
    return f"{identity.arn} of AWS account {identity.account}"


def command(name: str, config_path: Path | None) -> str:
    """A command to be typed."""
    given = f" --config {shlex.quote(str(config_path))}" if config_path else ""
    return f"mlguard-exporter {name}{given}"
