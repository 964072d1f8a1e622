"""What is known of one account, as the figures need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from mlguard_exporter.spend.calendar import is_settled, utc_day

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal

    from mlguard_exporter.spend import Basis, Kind, Series
    from mlguard_exporter.spend.ledger import KnownDay, Ledger

HISTORY_DAYS = 200
"""Days that are judged by; weekdays, levels and silences are forgotten much earlier."""
NEWS_SECONDS = 72_000.0
"""What was read so lately is news: what was read a day ago, or a minute less, is none."""

Days = dict["date", "Decimal"]


@dataclass(frozen=True)
class Book:
    """The spend of one account on one basis.

    Attributes:
        account: its name.
        known: days of which anything is known, in order.
        first_known: the first of all that were ever known, None for none.
        amounts: of each series by day.
        before: the same as it was known a day ago; only series and days that differ from now.
            None for a day: it had no amount then.
    """

    account: str
    known: Mapping[date, KnownDay] = field(default_factory=dict)
    first_known: date | None = None
    amounts: Mapping[Series, Days] = field(default_factory=dict)
    before: Mapping[Series, Mapping[date, Decimal | None]] = field(default_factory=dict)

    @property
    def settled(self) -> list[date]:
        """Settled days, in order."""
        return [day for day, known in self.known.items() if is_settled(day, known.read_at)]

    def of(self, kind: Kind) -> dict[Series, Days]:
        """The amounts of one kind."""
        return {series: days for series, days in self.amounts.items() if series.kind is kind}


def open_book(
    ledger: Ledger, account: str, basis: Basis, now: float, *, begun_at: float | None
) -> Book:
    """Read what figures need of one account.

    Args:
        ledger: where it is kept.
        account: its name.
        basis: on which charges are counted; series that lack it are left out.
        now: epoch seconds.
        begun_at: when it was first read as it is configured; all of that is no news. None: it has
            not been read to the end yet.
    """
    known, today = ledger.known_days(account), utc_day(now)
    first = today - timedelta(days=HISTORY_DAYS)
    yesterday = now - NEWS_SECONDS
    is_news = begun_at is not None and begun_at <= yesterday
    amounts: dict[Series, Days] = {}
    before: dict[Series, dict[date, Decimal | None]] = {}
    for row in ledger.rows(account, first, today):
        amount = getattr(row.costs, basis.value)
        if amount is None:
            continue
        amounts.setdefault(row.series, {})[row.day] = amount
        if is_news and row.read_at > yesterday:
            before.setdefault(row.series, {})[row.day] = None
    seen = set()
    for row in ledger.superseded(account, yesterday) if is_news else ():
        if (row.series, row.day) not in seen:  # the oldest is what was known a day ago
            seen.add((row.series, row.day))
            before.setdefault(row.series, {})[row.day] = getattr(row.costs, basis.value)
    return Book(
        account,
        {day: at for day, at in known.items() if first <= day <= today},
        next(iter(known), None),
        amounts,
        before,
    )
