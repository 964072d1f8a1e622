"""The forecast of a month's cost."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from mlguard_exporter.spend.calendar import days_between, month_after, month_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlguard_exporter.analysis.account_costs import Days

_WEEKS = 3
"""Weeks in which an ordinary day is looked for."""
_ZERO = Decimal(0)


def forecast_month(
    days: Days, settled: Collection[date], spikes: Collection[date], today: date
) -> Decimal | None:
    """Return what the month of `today` is expected to cost.

    - Settled days count as they are.
    - Any other day counts like the latest ordinary day of its weekday, or as known if that is more.
    - First days of a month and spikes are not ordinary, as fees and accidents do not repeat.
    - Spend that is younger than a week continues at its mean.
    - Spend has ended once a day costs nothing that cost something a week before.

    Args:
        days: amounts by day; a settled day without one cost nothing.
        settled: days that are settled.
        spikes: settled days that were spikes.
        today: the UTC day.

    Returns:
        The amount; None while no ordinary day is known.
    """
    begun = min((day for day, amount in days.items() if amount), default=today)
    last = max(settled, default=begun)
    ordinary = {
        day: days.get(day, _ZERO)
        for day in settled
        if max(begun, last - timedelta(weeks=_WEEKS)) <= day and day.day != 1 and day not in spikes
    }
    if not ordinary:
        return None
    mean = sum(ordinary.values(), _ZERO) / len(ordinary)
    by_weekday = {day.weekday(): ordinary[day] for day in sorted(ordinary)}
    if (last - begun).days < 6:
        by_weekday = {}
    has_ended = _has_ended(days, settled)
    total = _ZERO
    for day in days_between(month_of(today), month_after(today)):
        known = days.get(day, _ZERO)
        likely = _ZERO if has_ended else by_weekday.get(day.weekday(), mean)
        total += known if day in settled else max(known, likely)
    return total


def _has_ended(days: Days, settled: Collection[date]) -> bool:
    last = max((day for day, amount in days.items() if amount), default=date.max)
    return any(day > last and days.get(day - timedelta(weeks=1)) for day in settled)
