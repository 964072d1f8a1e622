"""Figures of spend, made anew when there is news, and shown at every scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_common.samples import Families
from mlguard_exporter.aws import REQUEST_USD, count_requests
from mlguard_exporter.figures import metrics
from mlguard_exporter.figures.book import open_book
from mlguard_exporter.figures.publish import Figures, Spent, make_figures
from mlguard_exporter.figures.told import note_told
from mlguard_exporter.figures.verdicts import judge_all
from mlguard_exporter.reading import remembered, settings_mark, tags
from mlguard_exporter.spend.calendar import utc_day
from mlguard_exporter.spend.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from mlguard_common.database import Transact
    from mlguard_exporter.config import AccountConfig, CostConfig, TagsConfig
    from mlguard_exporter.reading import Attempts


class SpendCollector:
    """What /metrics and the rules see of spend.

    Args:
        cost: the accounts, and how they are judged.
        transact: runs a job on the database in one transaction.
        clock: epoch seconds.
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

    def use(self, cost: CostConfig) -> None:
        """Judge by another configuration from the next time on."""
        self._cost = cost

    async def refresh(self) -> None:
        """Make the figures of what is known now."""
        cost, now = self._cost, self._clock()
        self._figures = await self._transact(lambda db: figures_of(db, cost, now))

    def collect(self, families: Families) -> None:
        """Add them."""
        if self._figures is not None:
            self._figures.collect(families, utc_day(self._clock()))


def figures_of(db: Database, cost: CostConfig, now: float) -> Figures:
    """All figures of the accounts of a configuration, from what is kept."""
    if not cost.accounts:
        return Figures(utc_day(now), Families(), Families(), Families(), {})
    ledger, today = Ledger(db), utc_day(now)
    tried = {account.name: remembered(db, account.name) for account in cost.accounts}
    spent = [_spent(db, each, cost, tried[each.name], now) for each in cost.accounts]
    figures = make_figures(spent, cost, today)
    for account in cost.accounts:
        name = account.name
        _add_reading(figures.lasting, db, name, tried[name])
        if account.export is None:
            _add_tags(figures.lasting, db, name, cost.tags)
        restatements = sum(day.restatements for day in ledger.known_days(name).values())
        figures.lasting.add(metrics.RESTATED_DAYS, (name,), restatements)
    return figures


def _spent(
    db: Database, account: AccountConfig, cost: CostConfig, attempts: Attempts, now: float
) -> Spent:
    book = open_book(Ledger(db), account.name, cost.basis, utc_day(now))
    judged = judge_all(book, cost.spikes)
    judged_as = None
    if attempts.settings == settings_mark(account, cost):
        judged_as = f"{attempts.begun_at} {cost.basis.value} {cost.spikes}"
    return Spent(book, judged, note_told(db, account.name, judged, judged_as, now))


def _add_reading(families: Families, db: Database, name: str, attempts: Attempts) -> None:
    requests = count_requests(db, name)
    if attempts.up is not None:
        families.add(metrics.UP, (name,), int(attempts.up))
    if attempts.succeeded_at is not None:
        families.add(metrics.LAST_SUCCESS, (name,), attempts.succeeded_at)
    for (operation, outcome), n in requests.ended.items():
        families.add(metrics.API_REQUESTS, (name, operation, outcome), n)
    families.add(metrics.API_SPEND, (name,), float(requests.sent * REQUEST_USD))


def _add_tags(families: Families, db: Database, name: str, wanted: TagsConfig) -> None:
    for tag, active in tags(db, name).items():
        if tag in wanted.names:
            families.add(metrics.TAG_ACTIVE, (name, tag), int(active))
