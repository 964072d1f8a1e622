"""From an account's configuration to where its spend is read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from mlguard_exporter.aws import Aws, CostExplorer, Meter, active_tags

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_common.database import TransactAndWait
    from mlguard_exporter.config import AccountConfig, CostConfig
    from mlguard_exporter.spend import Source


class AccountSource(NamedTuple):
    """Where one account is read.

    Attributes:
        source: of its spend.
        active_tags: asks which tags are active; None where spend does not depend on it.
    """

    source: Source
    active_tags: Callable[[], dict[str, bool]] | None


def source_of(
    account: AccountConfig, cost: CostConfig, transact: TransactAndWait, clock: Callable[[], float]
) -> AccountSource:
    """The source of an account; nothing is asked yet."""
    if account.export is not None:
        from mlguard_exporter.files import FileSource  # noqa: PLC0415 - for those who use it

        made = FileSource(account.export, cost.tags, lambda name: Aws(account).client(name), clock)
        return AccountSource(made, None)
    meter = Meter(account.name, cost.max_requests_per_month, transact, clock)

    def client() -> Any:
        made = Aws(account).client("ce")  # anew, as its credentials may have been renewed
        meter.watch(made)
        return made

    names = cost.tags.names
    return AccountSource(CostExplorer(client, cost.tags), lambda: active_tags(client(), names))


def settings_mark(account: AccountConfig, cost: CostConfig) -> str:
    """Tells whether spend has been read with other settings, so that more of it must be read."""
    return _mark(msgspec.structs.replace(account, external_id=None), cost.tags)


def configured_mark(account: AccountConfig, cost: CostConfig) -> str:
    """Tells whether anything has been configured otherwise, so that what failed may succeed."""
    return _mark(account, cost.tags, cost.max_requests_per_month)


def _mark(*settings: object) -> str:
    return hashlib.sha256(msgspec.json.encode(settings)).hexdigest()[:12]
