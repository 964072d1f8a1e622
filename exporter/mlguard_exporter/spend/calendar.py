"""UTC days and months, and when a day of spend is settled."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

SETTLING_DAYS = 2
"""Days after its begin from which a day's spend, once read, is compared and joined."""


def utc_day(timestamp: float) -> date:
    """Return the UTC day of epoch seconds."""
    return datetime.fromtimestamp(timestamp, UTC).date()


def start_of(day: date) -> float:
    """Return the epoch seconds at which a UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def is_settled(day: date, read_at: float) -> bool:
    """Return whether a day's spend, as read then, is complete except for restatements."""
    return utc_day(read_at) >= day + timedelta(days=SETTLING_DAYS)


def month_of(day: date, back: int = 0) -> date:
    """Return the first day of a day's month, or of the month `back` months before."""
    months = day.year * 12 + day.month - 1 - back
    return date(months // 12, months % 12 + 1, 1)


def month_after(day: date) -> date:
    """Return the first day of the next month."""
    return month_of(day, -1)


def days_between(first: date, end: date) -> list[date]:
    """Return the days from `first` to the day before `end`."""
    return [first + timedelta(days=n) for n in range((end - first).days)]
