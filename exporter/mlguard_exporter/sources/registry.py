"""From an account's configuration to its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlguard_exporter.sources.aws import AwsSession
from mlguard_exporter.sources.aws.cost_explorer import (
    CostExplorerSource,
    RequestMeter,
    request_migrations,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_common.database import TransactAndWait
    from mlguard_exporter.config import AccountConfig, CostConfig
    from mlguard_exporter.sources.protocol import CostSource

source_migrations = (request_migrations,)
"""The tables that sources need of their own."""


def open_source(
    account: AccountConfig, cost: CostConfig, transact: TransactAndWait, clock: Callable[[], float]
) -> CostSource:
    """Return the source of an account, without a request yet.

    Args:
        account: where it is, and how to get in.
        cost: the tags, the basis, and the limit of requests.
        transact: runs a job on the database, for sources that count their requests.
        clock: epoch seconds.
    """
    if account.export is not None:
        # imported only where an export is configured
        from mlguard_exporter.sources.aws.billing_export import (  # noqa: PLC0415
            BillingExportSource,
        )

        return BillingExportSource(
            account.export,
            cost.tags,
            cost.basis,
            lambda name: AwsSession(account).client(name),
            clock,
        )
    meter = RequestMeter(account.name, cost.max_requests_per_month, transact, clock)

    def client() -> Any:
        # a new one for each read, as the credentials may have been renewed
        made = AwsSession(account).client("ce")
        meter.watch(made)
        return made

    return CostExplorerSource(client, cost.tags)
