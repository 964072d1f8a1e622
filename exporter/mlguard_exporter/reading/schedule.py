"""When spend is read, and which days."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mlguard_exporter.spend.calendar import begins, month_of, utc_day

if TYPE_CHECKING:
    from datetime import date

    from mlguard_exporter.reading.attempts import Attempts

AFTER_MIDNIGHT_SECONDS = 900.0
"""A read begins so long after UTC midnight, when a day settles, and each interval after."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 900.0, 43_200.0
DAY_SECONDS = 86_400.0
FIRST_MONTHS = 3
"""Months before this one that are read at first; spikes need eight weeks of history."""
CHANGING_DAYS = 14
"""AWS may change a closed month for so long."""
MOST_MONTHS = 12
"""Months before this one of which Cost Explorer tells single days."""
HISTORY_SECONDS = 172_800.0
"""AWS takes up to a day to put tags on the past; what was asked for is read for so long."""


def due_at(attempts: Attempts, interval: float, now: float) -> float:
    """When an account is to be read next, in epoch seconds.

    Once in every interval, counted from a quarter past each midnight UTC; after a failure again and
    again, 15 minutes later at first and half a day later at last.
    """
    if attempts.attempted_at is None or attempts.attempted_at > now:  # or the clock went back
        return now
    if attempts.failures:
        wait = FIRST_RETRY_SECONDS * 2.0 ** min(attempts.failures - 1, 10)
        return attempts.attempted_at + min(wait, LAST_RETRY_SECONDS)
    first = begins(utc_day(now - AFTER_MIDNIGHT_SECONDS)) + AFTER_MIDNIGHT_SECONDS
    slot = first + (now - first) // interval * interval
    return now if attempts.attempted_at < slot else min(slot + interval, first + DAY_SECONDS)


def days_to_read(attempts: Attempts, now: float, *, anew: bool) -> tuple[date, date]:
    """The first day to be read, and the day after the last.

    This month and the one before, as AWS may change a closed month for two weeks. More at first,
    after an outage that began earlier, and when more was asked for.

    Args:
        attempts: of the account.
        now: epoch seconds.
        anew: whether nothing is known of the account as it is configured now.
    """
    today = utc_day(now)
    first = month_of(today, back=FIRST_MONTHS if anew else 1)
    if attempts.succeeded_at is not None:
        missed = month_of(utc_day(attempts.succeeded_at) - timedelta(days=CHANGING_DAYS))
        first = min(first, max(missed, month_of(today, back=MOST_MONTHS)))
    if attempts.history_first is not None:
        first = min(first, attempts.history_first)
    return first, today + timedelta(days=1)


def history_is_read(attempts: Attempts, now: float) -> bool:
    """Whether days that were asked for need to be read no more after this time."""
    asked = attempts.history_asked_at
    return asked is None or not asked <= now < asked + HISTORY_SECONDS
