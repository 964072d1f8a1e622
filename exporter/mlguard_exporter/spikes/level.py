"""What a series costs on a day now."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mlguard_exporter.spikes.median import median

if TYPE_CHECKING:
    from datetime import date

FAINT = 0.1
"""A weekday's factor below which its days say nothing about the level."""


class Level:
    """The median of the last days with spend, their weekdays' factors taken out."""

    def __init__(self, window_days: int, accept_days: int) -> None:
        self._window = window_days
        self._accept_days = accept_days
        self._days: deque[tuple[int, float]] = deque(maxlen=window_days)
        self._run: list[tuple[int, float]] = []
        self._side = 0
        self._held: tuple[date, float] | None = None

    def value(self, factors: list[float]) -> float:
        """The level in USD a day, or the last half window's where that is higher.

        The median of a whole window lags half of it behind a slow ramp, which would end as a
        spike. At least one day must have been added.
        """
        days = [amount / factors[w] for w, amount in self._days if factors[w] >= FAINT]
        days = days or [amount for _, amount in self._days]
        return max(median(days), median(days[-max(self._window // 2, 1) :]))

    def add(self, weekday: int, amount: float) -> None:
        """Let a day into the level; 0 is Monday."""
        self._days.append((weekday, amount))

    def note(self, weekday: int, amount: float, off: float, tolerance: float) -> bool:
        """Follow the days in a row that are off the level; tell whether they make a new one.

        Args:
            weekday: 0 is Monday.
            amount: of the day.
            off: amount / expected - 1.
            tolerance: beyond which, on either side, the day is off the level.
        """
        side = (off > tolerance) - (off < -tolerance)
        if side != self._side:
            self._run.clear()
        self._side = side
        if side:
            self._run.append((weekday, amount))
        return len(self._run) >= self._accept_days

    def accept(self, day: date, old: float) -> None:
        """Take the days in a row for the new level; the old one, if it lasted, is held in mind."""
        if len(self._days) * 2 >= self._window:
            self._held = (day, max(old, self.held(day)))
        self._days.clear()
        self._days.extend(self._run)
        self._run.clear()
        self._side = 0

    def held(self, day: date) -> float:
        """The level that was left within the last window, else 0: to return to it is no spike."""
        if self._held is None or (day - self._held[0]).days > self._window:
            return 0.0
        return self._held[1]
