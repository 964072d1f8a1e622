"""Functions of a time in epoch seconds, in UTC."""

from __future__ import annotations

import calendar
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_rules.promql.arithmetic import Unary


def _of(part: Callable[[datetime], int]) -> Callable[[], Unary]:
    def function(value: float) -> float:
        try:
            return float(part(datetime.fromtimestamp(math.trunc(value), UTC)))
        except (ValueError, OverflowError, OSError):  # no time, or of a year beyond 9999
            return math.nan

    return lambda: function


DATE_FUNCTIONS: dict[str, Callable[..., Unary | None]] = {
    "minute": _of(lambda time: time.minute),
    "hour": _of(lambda time: time.hour),
    "day_of_week": _of(lambda time: time.isoweekday() % 7),
    "day_of_month": _of(lambda time: time.day),
    "day_of_year": _of(lambda time: time.timetuple().tm_yday),
    "days_in_month": _of(lambda time: calendar.monthrange(time.year, time.month)[1]),
    "month": _of(lambda time: time.month),
    "year": _of(lambda time: time.year),
}
"""As arithmetic.FUNCTIONS; without an argument they are of the time of the evaluation."""
