"""Spend as the figures are made of it, without AWS and a database."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from mlguard_exporter.figures.book import Book
from mlguard_exporter.spend import Kind, Series
from mlguard_exporter.spend.ledger import KnownDay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Owner = tuple[str, str, str]


def book_of(costs: Mapping[tuple[Owner, str, date], Decimal], days: Sequence[date]) -> Book:
    """A book of settled days, from costs by owner, service and day."""
    read_at = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    amounts: defaultdict[Series, defaultdict[date, Decimal]] = defaultdict(
        lambda: defaultdict(Decimal)
    )
    for (owner, service, day), cost in costs.items():
        for series in (Series(Kind.OWNER, *owner), Series(Kind.SERVICE, name=service)):
            amounts[series][day] += cost
    known = dict.fromkeys(days, KnownDay(read_at, 0))
    return Book("main", known, days[0], {s: dict(by_day) for s, by_day in amounts.items()})
