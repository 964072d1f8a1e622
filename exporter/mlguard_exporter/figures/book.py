"""What is known of one account, as the figures need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from mlguard_exporter.spend.calendar import is_settled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal

    from mlguard_exporter.spend import Basis, Kind, Series
    from mlguard_exporter.spend.ledger import KnownDay, Ledger

HISTORY_DAYS = 200
"""Days that are judged by; weekdays, levels and silences are forgotten much earlier."""

Days = dict["date", "Decimal"]


@dataclass(frozen=True)
class Book:
    """The spend of one account on one basis.

    Attributes:
        account: its name.
        known: days of which anything is known, in order.
        first_known: the first of all that were ever known, None for none.
        amounts: of each series by day.
        restatements: times that a settled day of all that were ever known has changed.
    """

    account: str
    known: Mapping[date, KnownDay] = field(default_factory=dict)
    first_known: date | None = None
    amounts: Mapping[Series, Days] = field(default_factory=dict)
    restatements: int = 0

    @property
    def settled(self) -> list[date]:
        """Settled days, in order."""
        return [day for day, known in self.known.items() if is_settled(day, known.read_at)]

    def of(self, kind: Kind) -> dict[Series, Days]:
        """The amounts of one kind."""
        return {series: days for series, days in self.amounts.items() if series.kind is kind}


def open_book(ledger: Ledger, account: str, basis: Basis, today: date) -> Book:
    """Read what figures need of one account.

    Args:
        ledger: where it is kept.
        account: its name.
        basis: on which charges are counted; series that lack it are left out.
        today: the UTC day.
    """
    known = ledger.known_days(account)
    first = today - timedelta(days=HISTORY_DAYS)
    amounts: dict[Series, Days] = {}
    for row in ledger.rows(account, first, today):
        amount = getattr(row.costs, basis.value)
        if amount is not None:
            amounts.setdefault(row.series, {})[row.day] = amount
    return Book(
        account,
        {day: at for day, at in known.items() if first <= day <= today},
        next(iter(known), None),
        amounts,
        sum(day.restatements for day in known.values()),
    )
