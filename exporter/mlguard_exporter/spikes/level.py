"""What a day is expected to cost: the level of a series, and its weekdays."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

FAINT = 0.1
"""A weekday's factor below which its days are no evidence of the level."""
WEEKS = 8
"""Weeks whose ratios make a factor; a median's error decreases with the root of their number."""
WEEKDAYS_NEEDED = 4
"""Weekdays with a figure that a mean of the week needs."""
STALE_DAYS = 14
"""Days after which a weekday's last figure no longer stands for a missing day."""
ODD_RATIO = 5.0
"""Ratio to the median beyond which a day of the first week is not learned from."""
ALIKE = 0.4
"""Difference in logarithms (about a half) below which two odd days count as alike."""
CHANGES = 56
"""Week-over-week changes that make the noise; with only 14 it would be off by a third."""
CHANGES_NEEDED = 7
NOISE = 0.1
"""The noise that is assumed before it is known."""
MAD_TO_SIGMA = 1.4826
"""1 / 0.6745, the ratio of a normal variable's standard deviation to its MAD."""
FACTOR_ERROR = 1.5
"""Variance of a median of n values, as n times that of their mean: pi / 2, rounded."""


def median(values: Iterable[float]) -> float:
    """Return the median of one or more values, faster than the statistics module."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


class CostLevel:
    """The median of the last days with spend, their weekdays' factors taken out."""

    def __init__(self, window_days: int, accept_days: int) -> None:
        self._window = window_days
        self._accept_days = accept_days
        self._days: deque[tuple[int, float]] = deque(maxlen=window_days)
        self._run: list[tuple[int, float]] = []
        self._side = 0
        self._previous: tuple[date, float] | None = None

    def value(self, factors: list[float]) -> float:
        """Return the level in USD a day: of the window, or of its last half where that is higher.

        The median of a whole window lags half of it behind a slow ramp, whose end would look like
        a spike. At least one day must have been added.
        """
        days = [amount / factors[w] for w, amount in self._days if factors[w] >= FAINT]
        days = days or [amount for _, amount in self._days]
        return max(median(days), median(days[-max(self._window // 2, 1) :]))

    def add(self, weekday: int, amount: float) -> None:
        """Add a day; 0 is Monday."""
        self._days.append((weekday, amount))

    def follow(self, weekday: int, amount: float, off: float, tolerance: float) -> bool:
        """Count the days in a row that are off the level; return whether they make a new one.

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
        """Start a new level from the days in a row; remember the old one if it had lasted."""
        if len(self._days) * 2 >= self._window:
            self._previous = (day, max(old, self.previous(day)))
        self._days.clear()
        self._days.extend(self._run)
        self._run.clear()
        self._side = 0

    def previous(self, day: date) -> float:
        """Return the level that ended within the last window, else 0."""
        if self._previous is None or (day - self._previous[0]).days > self._window:
            return 0.0
        return self._previous[1]


class Season:
    """Factors of the weekdays: a day's ratio to the mean of the seven weekdays' latest figures.

    That mean contains each weekday once and so has no season of its own (classical decomposition
    by ratio to moving average). A factor is the median of its weekday's ratios. The week before
    stands for days that are missing, or left out as odd.
    """

    def __init__(self) -> None:
        self._begun: date | None = None
        self._latest: dict[int, tuple[date, float]] = {}
        self._odd: dict[int, tuple[date, float]] = {}
        self._ratios: list[deque[float]] = [deque(maxlen=WEEKS) for _ in range(7)]
        self._changes: deque[float] = deque(maxlen=CHANGES)

    def add(self, day: date, amount: float) -> None:
        """Learn from an ordinary day with spend."""
        self._compare(day, amount)
        self._take(day, amount)

    def add_odd(self, day: date, amount: float) -> None:
        """Learn from an odd day: twice alike on one weekday is that weekday's new pattern.

        Otherwise a weekday that was low in the first week would be a spike every week, since
        spikes stay out of its factor.
        """
        self._compare(day, amount)
        weekday = day.weekday()
        last, before = self._odd.get(weekday, (day, 0.0))
        self._odd[weekday] = (day, amount)
        alike = before > 0 and abs(math.log(amount / before)) < ALIKE
        if alike and (day - last).days < STALE_DAYS:
            self._ratios[weekday].clear()
            _, ordinary = self._latest.get(weekday, (day, 0.0))
            self._take(day, amount)
            if ordinary > 0:
                self._rescale_others(day, ordinary)

    def rescale(self, ratio: float) -> None:
        """Scale the latest figures to a new level, by its ratio to the old one."""
        self._latest = {w: (d, amount * ratio) for w, (d, amount) in self._latest.items()}
        self._odd.clear()

    def factors(self) -> list[float]:
        """Return the factors from Monday on: 1 on average, and where one is unknown."""
        known = [median(ratios) for ratios in self._ratios if ratios]
        mean = sum(known) / len(known) if known else 1.0
        return [median(ratios) / mean if ratios else 1.0 for ratios in self._ratios]

    def doubt(self, weekday: int) -> float:
        """Return the ratio of a day's deviation to the noise, above 1 as factors are estimates."""
        return math.sqrt(1 + FACTOR_ERROR / max(len(self._ratios[weekday]), 1))

    def noise(self) -> float:
        """Return the standard deviation of one day, in logarithms, from week-over-week changes.

        1.4826 x median |ln(day / same weekday before)| / sqrt(2): a difference of two days varies
        by the root of two more than one of them. No level or factor is needed for it.
        """
        if len(self._changes) < CHANGES_NEEDED:
            return NOISE
        return MAD_TO_SIGMA * median(self._changes) / math.sqrt(2)

    def _compare(self, day: date, amount: float) -> None:
        last, before = self._latest.get(day.weekday(), (day, 0.0))
        if before > 0 and last < day:
            self._changes.append(abs(math.log(amount / before)))

    def _rescale_others(self, day: date, ordinary: float) -> None:
        """Relate the other weekdays' ratios to the mean with this one's new pattern."""
        week = self._week(day)
        if day.weekday() not in week:  # it was left out of the first week
            return
        total = sum(week.values())
        ratio = (total - week[day.weekday()] + ordinary) / total
        for other in set(range(7)) - {day.weekday()}:
            self._ratios[other] = deque((r * ratio for r in self._ratios[other]), maxlen=WEEKS)

    def _week(self, day: date) -> dict[int, float]:
        """Return the latest figure of each weekday that has a recent one."""
        return {w: a for w, (d, a) in self._latest.items() if (day - d).days < STALE_DAYS}

    def _take(self, day: date, amount: float) -> None:
        begun = self._begun = self._begun or day
        weekday = day.weekday()
        self._odd.pop(weekday, None)
        self._latest[weekday] = (day, amount)
        week = self._week(day)
        if (day - begun).days < 6 or len(week) < WEEKDAYS_NEEDED:
            return
        first = not any(self._ratios)
        if first:
            centre = median(week.values())
            week = {
                w: a for w, a in week.items() if centre <= a * ODD_RATIO <= centre * ODD_RATIO**2
            }
            self._latest = {w: self._latest[w] for w in week}
        mean = sum(week.values()) / len(week)
        # the first whole week gives a ratio for each of its days
        for learned in tuple(week) if first else (weekday,):
            self._ratios[learned].append(week[learned] / mean)
