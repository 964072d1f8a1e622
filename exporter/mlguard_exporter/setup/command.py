"""What the setup commands share: accounts, confirmation, errors."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

from mlguard_common.config import ConfigError
from mlguard_common.errors import MLGuardError
from mlguard_exporter.config import AccountConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlguard_exporter.config import Config
    from mlguard_exporter.setup.client import Identity

_INTERRUPTED = 130
_BROKEN_PIPE = 141
DEFAULT = "default"
"""Name of the account where none is configured."""


def selected_accounts(config: Config, name: str | None) -> list[AccountConfig]:
    """Return the configured accounts, or one of them; boto3's default where there are none.

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


def is_local_folder(account: AccountConfig) -> bool:
    """Return whether spend comes from a local folder, so that AWS is not needed at all."""
    return account.export is not None and account.export.startswith("/")


def title(account: AccountConfig, config: Config) -> str:
    """Return the heading of one account."""
    if not config.cost.accounts:
        return "No account is configured: these are the credentials that AWS's tools find here"
    return f"Account {account.name}"


def shown(identity: Identity) -> str:
    """Return the text for an identity."""
    return f"{identity.arn} of AWS account {identity.account}"


def command(name: str, config_path: Path | None) -> str:
    """Return a command line to be typed."""
    given = f" --config {shlex.quote(str(config_path))}" if config_path else ""
    return f"mlguard-exporter {name}{given}"


class ConfirmationError(ConfigError):
    """There is no terminal to confirm at."""


def require_confirmation(
    command: str, *, dry_run: bool, yes: bool, stdin: IO[str] | None = None
) -> None:
    """Check that `confirm` will be able to ask, before any request.

    Raises:
        ConfirmationError: it will not.
    """
    if not (dry_run or yes or (stdin or sys.stdin).isatty()):
        raise ConfirmationError(
            f"{command} changes AWS and asks for confirmation, for which it needs a terminal;"
            " add --yes to confirm, or --dry-run to see what it would do"
        )


def confirm(question: str, *, yes: bool, out: IO[str], stdin: IO[str] | None = None) -> bool:
    """Ask a question and return whether the answer is yes; `yes` answers it beforehand."""
    if yes:
        return True
    out.write(f"{question} [y/N] ")
    out.flush()
    return (stdin or sys.stdin).readline().strip().lower() in ("y", "yes")


def command_errors(run: Callable[[], int]) -> int:
    """Run a command and return its exit status; any error becomes one line on standard error.

    Raises:
        MLGuardError: the configuration or the database cannot be used; the caller reports it.
    """
    try:
        return run()
    except MLGuardError:
        raise
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return _INTERRUPTED
    except BrokenPipeError:
        # so that Python reports nothing when it closes standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        sys.stderr.write(f"mlguard-exporter: {error}\n")
        return 1
    except Exception as error:  # noqa: BLE001 - a traceback does not help to set up AWS
        text = " ".join(str(error).split())
        sys.stderr.write(f"mlguard-exporter: a bug in ML Guard: {type(error).__name__}: {text}\n")
        return 1


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
