"""UTC days: which one it is, when one is settled, which make a month."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

SETTLING_DAYS = 2
"""A day's spend is judged and joined once it was read so many days after the day began."""


def utc_day(moment: float) -> date:
    """The UTC day of epoch seconds."""
    return datetime.fromtimestamp(moment, UTC).date()


def begins(day: date) -> float:
    """Epoch seconds at which a UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def is_settled(day: date, read_at: float) -> bool:
    """Whether a day's spend, as it was read then, is complete but for restatements."""
    return utc_day(read_at) >= day + timedelta(days=SETTLING_DAYS)


def month_of(day: date, back: int = 0) -> date:
    """The first day of a day's month, or of one so many months before."""
    months = day.year * 12 + day.month - 1 - back
    return date(months // 12, months % 12 + 1, 1)


def month_after(day: date) -> date:
    """The first day of the next month."""
    return month_of(day, -1)


def days_between(first: date, end: date) -> list[date]:
    """The days from the first until before the end."""
    return [first + timedelta(days=n) for n in range((end - first).days)]
