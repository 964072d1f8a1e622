"""Sliding references: which of the days before one it is compared with."""

from __future__ import annotations

from enum import StrEnum

_DAY_SECONDS = 86_400


class SlidingReference(StrEnum):
    """Which of the days before one are its reference."""

    LAST_7_DAYS = "last_7_days"
    SAME_WEEKDAY = "same_weekday"

    @property
    def days(self) -> int:
        """Number of days that are merged."""
        return 7 if self is SlidingReference.LAST_7_DAYS else 4

    def candidates(self, day: int) -> list[int]:
        """Return the starts of the days that may belong to the reference, the latest first.

        These are the last four weeks, or the same weekday of the last eight, so that days that
        fired can be left out.

        Args:
            day: start of the day that is compared, epoch seconds.
        """
        steps = range(1, 29) if self is SlidingReference.LAST_7_DAYS else range(7, 57, 7)
        return [day - step * _DAY_SECONDS for step in steps]
