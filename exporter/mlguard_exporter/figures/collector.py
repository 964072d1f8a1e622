"""Figures of spend, made anew when there is news, and shown at every scrape."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from mlguard_common.metrics import Families
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
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric
    from sqlite_utils import Database

    from mlguard_common.database import Transact
    from mlguard_exporter.config import AccountConfig, CostConfig, TagsConfig
    from mlguard_exporter.figures.book import Book
    from mlguard_exporter.figures.verdicts import Judged
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
        known = await self._transact(lambda db: known_of(db, cost, now))
        # some seconds for a thousand endpoints, for which the database is free
        judged = await asyncio.to_thread(judged_of, known, cost)
        self._figures = await self._transact(lambda db: figures_of(db, cost, known, judged, now))

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        if self._figures is not None:
            yield from self._figures.families(utc_day(self._clock()))


class Known(NamedTuple):
    """What is known of an account.

    Attributes:
        attempts: to read its spend.
        book: that spend.
        judged_as: a mark of how it is read and judged; None where it has not been read so yet.
    """

    attempts: Attempts
    book: Book
    judged_as: str | None


def known_of(db: Database, cost: CostConfig, now: float) -> list[Known]:
    """What figures are made of, of each account."""
    return [_known(db, account, cost, now) for account in cost.accounts]


def _known(db: Database, account: AccountConfig, cost: CostConfig, now: float) -> Known:
    attempts = remembered(db, account.name)
    is_read = attempts.settings == settings_mark(account, cost)
    judged_as = f"{attempts.begun_at} {cost.basis.value} {cost.spikes}" if is_read else None
    return Known(attempts, open_book(Ledger(db), account.name, cost.basis, utc_day(now)), judged_as)


def judged_of(known: Sequence[Known], cost: CostConfig) -> list[list[Judged]]:
    """The verdicts on that, in the same order."""
    return [judge_all(each.book, cost.spikes) for each in known]


def figures_of(
    db: Database,
    cost: CostConfig,
    known: Sequence[Known],
    judged: Sequence[list[Judged]],
    now: float,
) -> Figures:
    """All figures of the accounts of a configuration; what is told of spikes is noted."""
    if not cost.accounts:
        return Figures(
            utc_day(now),
            Families(metrics.METRICS),
            Families(metrics.METRICS),
            Families(metrics.METRICS),
            {},
        )
    spent = [
        Spent(each.book, verdicts, note_told(db, each.book.account, verdicts, each.judged_as, now))
        for each, verdicts in zip(known, judged, strict=True)
    ]
    figures = make_figures(spent, cost, utc_day(now))
    for account, each in zip(cost.accounts, known, strict=True):
        _add_reading(figures.lasting, db, account.name, each.attempts)
        if account.export is None:
            _add_tags(figures.lasting, db, account.name, cost.tags)
        figures.lasting.add(metrics.RESTATED_DAYS, (account.name,), each.book.restatements)
    return figures


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
