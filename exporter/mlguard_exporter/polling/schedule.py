"""When an account is polled, and which days are read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mlguard_exporter.spend.calendar import month_of, start_of, utc_day

if TYPE_CHECKING:
    from datetime import date

    from mlguard_exporter.polling.poll_state import PollState

AFTER_MIDNIGHT_SECONDS = 900.0
"""Seconds from UTC midnight, when a day settles, to the first poll of a day."""
FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 900.0, 43_200.0
DAY_SECONDS = 86_400.0
FIRST_MONTHS = 3
"""Months before this one in a full refresh; spikes need eight weeks of history."""
CHANGING_DAYS = 14
"""Days for which AWS may change a closed month."""
MAX_MONTHS = 12
"""Months before this one for which Cost Explorer has single days."""
HISTORY_SECONDS = 172_800.0
"""Seconds for which a requested history is read; a backfill at AWS takes up to a day."""


def due_at(state: PollState, interval: float, now: float) -> float:
    """Return when an account is to be polled next, in epoch seconds.

    Once in every interval, counted from 00:15 UTC of each day. After a failure the wait doubles
    from 15 minutes to half a day.
    """
    if state.attempted_at is None or state.attempted_at > now:  # or the clock went back
        return now
    if state.failures:
        wait = FIRST_RETRY_SECONDS * 2.0 ** min(state.failures - 1, 10)
        return state.attempted_at + min(wait, MAX_RETRY_SECONDS)
    first = start_of(utc_day(now - AFTER_MIDNIGHT_SECONDS)) + AFTER_MIDNIGHT_SECONDS
    slot = first + (now - first) // interval * interval
    return now if state.attempted_at < slot else min(slot + interval, first + DAY_SECONDS)


def days_to_read(state: PollState, now: float, *, full_refresh: bool) -> tuple[date, date]:
    """Return the first day to be read, and the day after the last.

    This month and the one before, as AWS may change a closed month for two weeks. More in a full
    refresh, after an outage that began earlier, and where the history is requested.

    Args:
        state: of the account.
        now: epoch seconds.
        full_refresh: whether no read with the present settings has succeeded.
    """
    today = utc_day(now)
    first = month_of(today, back=FIRST_MONTHS if full_refresh else 1)
    if state.succeeded_at is not None:
        missed = month_of(utc_day(state.succeeded_at) - timedelta(days=CHANGING_DAYS))
        first = min(first, max(missed, month_of(today, back=MAX_MONTHS)))
    if state.history_first is not None:
        first = min(first, state.history_first)
    return first, today + timedelta(days=1)


def is_history_complete(state: PollState, now: float) -> bool:
    """Return whether a requested history needs no further read."""
    asked = state.history_requested_at
    return asked is None or not asked <= now < asked + HISTORY_SECONDS
