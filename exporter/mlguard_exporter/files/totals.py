"""The sums of one month."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from functools import lru_cache
from typing import TYPE_CHECKING

from mlguard_exporter.spend import Costs, Kind, Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlguard_exporter.files.line import Line
    from mlguard_exporter.files.tags import Owner

EXACT = Context(prec=200, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
"""Sums are exact in it, or fail."""

Sums = list[Decimal | None]


class Totals:
    """Adds lines up by day and series.

    A billing month can hold lines that begin outside of it: usage of the last hour before, tax
    and refunds with the dates of what they are for. They count on the month's first or last day,
    whichever is nearer, so that a month replaces all it has said before, and no cent is lost.

    Args:
        first: first day of the month.
        end: first day of the next.
    """

    def __init__(self, first: date, end: date) -> None:
        last = end - timedelta(days=1)

        @lru_cache(1 << 10)
        def day_of(text: str) -> date:
            return min(max(date.fromisoformat(text), first), last)

        self._day_of = day_of
        self._owners: dict[tuple[date, Owner, str], Sums] = {}
        self._named: dict[tuple[date, bool, str, str], Sums] = {}

    def add(self, line: Line, owner: Owner | None) -> None:
        """Add a line; usage has an owner.

        Raises:
            ValueError: it does not begin with a day.
            ArithmeticError: the sum cannot be exact.
        """
        start, usage, name, currency, unblended, amortized, net, _ = line
        try:
            day = self._day_of(start[:10])
        except ValueError:
            raise ValueError(f"the charge begins at {start!r}; expected a time") from None
        named = self._named.get(key := (day, usage, name, currency))
        if named is None:
            self._named[key] = [unblended, amortized, net]
        else:
            _add(named, unblended, amortized, net)
        if owner is None:
            return
        owned = self._owners.get(whose := (day, owner, currency))
        if owned is None:
            self._owners[whose] = [unblended, amortized, net]
        else:
            _add(owned, unblended, amortized, net)

    def days(self) -> Mapping[date, Mapping[Series, Costs]]:
        """The costs of each day."""
        days: dict[date, dict[Series, Costs]] = {}
        for (day, owner, currency), sums in self._owners.items():
            series = Series(Kind.OWNER, *owner, currency=currency)
            days.setdefault(day, {})[series] = Costs(*sums)
        for (day, usage, name, currency), sums in self._named.items():
            kind = Kind.SERVICE if usage else Kind.OTHER
            series = Series(kind, name=name, currency=currency)
            days.setdefault(day, {})[series] = Costs(*sums)
        return days


def _add(sums: Sums, unblended: Decimal, amortized: Decimal | None, net: Decimal | None) -> None:
    """Add amounts to sums; what is once lacking is lacking."""
    sums[0] += unblended  # type: ignore[operator]
    if sums[1] is not None:
        sums[1] = None if amortized is None else sums[1] + amortized
    if sums[2] is not None:
        sums[2] = None if net is None else sums[2] + net
