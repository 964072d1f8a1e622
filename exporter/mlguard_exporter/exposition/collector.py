"""The collector of spend: computes the figures after each read, and shows them at every scrape."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from mlguard_exporter.analysis import AccountCosts, detect_anomalies, load_account_costs
from mlguard_exporter.anomaly_log import AnomalyLog
from mlguard_exporter.exposition import metrics
from mlguard_exporter.exposition.figures import AccountFigures, Figures, compute_figures
from mlguard_exporter.polling import (
    PollState,
    active_tags,
    load_poll_state,
    settings_fingerprint,
)
from mlguard_exporter.sources import REQUEST_USD, count_requests
from mlguard_exporter.spend.calendar import utc_day
from mlguard_exporter.spend.cost_store import CostStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric
    from sqlite_utils import Database

    from mlguard_common.database import Transact
    from mlguard_common.metrics import Families
    from mlguard_exporter.analysis import SubjectAnomalies
    from mlguard_exporter.config import AccountConfig, CostConfig, TagsConfig
    from mlguard_exporter.sources import RequestCounts


class SpendCollector:
    """Collects the metrics of spend, for /metrics and for the rules.

    Args:
        cost: the accounts, and how spend is compared.
        transact: runs a job on the database in one transaction.
        clock: epoch seconds.

    Attributes:
        snapshot: the data of the last refresh; None before the first.
    """

    def __init__(
        self,
        cost: CostConfig,
        transact: Transact,
        clock: Callable[[], float],
    ) -> None:
        self._cost = cost
        self._transact = transact
        self._clock = clock
        self._figures: Figures | None = None
        self.snapshot: SpendSnapshot | None = None

    def use(self, cost: CostConfig) -> None:
        """Use another configuration from the next refresh on."""
        self._cost = cost

    async def refresh(self) -> None:
        """Compute the figures from what is stored now."""
        cost, now = self._cost, self._clock()
        accounts = await self._transact(lambda db: load_accounts(db, cost, now))
        # takes seconds with a thousand endpoints; the database stays free meanwhile
        anomalies = await asyncio.to_thread(detect_all, accounts, cost)
        self._figures, requests = await self._transact(
            lambda db: (
                build_figures(db, cost, accounts, anomalies, now),
                [count_requests(db, account.name) for account in cost.accounts],
            )
        )
        self.snapshot = SpendSnapshot(cost, accounts, anomalies, requests)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families of spend."""
        if self._figures is not None:
            yield from self._figures.families(utc_day(self._clock()))


class LoadedAccount(NamedTuple):
    """The stored data of an account.

    Attributes:
        poll_state: of its polling.
        costs: its spend.
        settings: identifies how it is read and compared; None until it was read that way.
    """

    poll_state: PollState
    costs: AccountCosts
    settings: str | None


class SpendSnapshot(NamedTuple):
    """What the figures of spend are computed from.

    Attributes:
        cost: the configuration.
        accounts: the data of each account.
        anomalies: the anomalies of each account, in the same order.
        requests: the requests of each account, in the same order.
    """

    cost: CostConfig
    accounts: Sequence[LoadedAccount]
    anomalies: Sequence[list[SubjectAnomalies]]
    requests: Sequence[RequestCounts]


def load_accounts(db: Database, cost: CostConfig, now: float) -> list[LoadedAccount]:
    """Load the data of each configured account."""
    return [_load(db, account, cost, now) for account in cost.accounts]


def _load(db: Database, account: AccountConfig, cost: CostConfig, now: float) -> LoadedAccount:
    state = load_poll_state(db, account.name)
    is_read = state.settings == settings_fingerprint(account, cost)
    settings = f"{state.settings_since} {cost.basis.value} {cost.spikes}" if is_read else None
    costs = load_account_costs(CostStore(db), account.name, cost.basis, utc_day(now))
    return LoadedAccount(state, costs, settings)


def detect_all(accounts: Sequence[LoadedAccount], cost: CostConfig) -> list[list[SubjectAnomalies]]:
    """Return the anomalies of each account, in the same order."""
    return [detect_anomalies(each.costs, cost.spikes) for each in accounts]


def build_figures(
    db: Database,
    cost: CostConfig,
    accounts: Sequence[LoadedAccount],
    anomalies: Sequence[list[SubjectAnomalies]],
    now: float,
) -> Figures:
    """Return all figures of the configured accounts, and record the spikes that they report."""
    if not cost.accounts:
        return Figures.empty(utc_day(now))
    log = AnomalyLog(db)
    figures = compute_figures(
        [
            AccountFigures(
                each.costs, found, log.record(each.costs.account, found, each.settings, now)
            )
            for each, found in zip(accounts, anomalies, strict=True)
        ],
        cost,
        utc_day(now),
    )
    for account, each in zip(cost.accounts, accounts, strict=True):
        _add_polling(figures.lasting, db, account.name, each.poll_state)
        if account.export is None:
            _add_tags(figures.lasting, db, account.name, cost.tags)
        figures.lasting.add(metrics.RESTATED_DAYS, (account.name,), each.costs.restatements)
    return figures


def _add_polling(families: Families, db: Database, name: str, state: PollState) -> None:
    requests = count_requests(db, name)
    if state.up is not None:
        families.add(metrics.UP, (name,), int(state.up))
    if state.succeeded_at is not None:
        families.add(metrics.LAST_SUCCESS, (name,), state.succeeded_at)
    for (operation, outcome), n in requests.ended.items():
        families.add(metrics.API_REQUESTS, (name, operation, outcome), n)
    families.add(metrics.API_SPEND, (name,), float(requests.sent * REQUEST_USD))


def _add_tags(families: Families, db: Database, name: str, wanted: TagsConfig) -> None:
    for tag, active in active_tags(db, name).items():
        if tag in wanted.names:
            families.add(metrics.TAG_ACTIVE, (name, tag), int(active))
