"""What each weekday costs as a factor of the level, and how much it varies from week to week."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from mlguard_exporter.spikes.median import median

if TYPE_CHECKING:
    from datetime import date

WEEKS = 8
"""Weeks that a factor remembers; a median's error falls with the root of their number."""
WEEKDAYS_NEEDED = 4
"""Weekdays with a figure, below which their mean says little about a week."""
STALE_DAYS = 14
"""A weekday's last figure stands in for a missing day for less than so many days."""
STRANGE = 5.0
"""In the first week, which nothing can be compared with, days so many times off teach nothing."""
ALIKE = 0.4
"""Two odd days differ by less than this (in logarithms, so by half) if they say the same."""
CHANGES = 56
"""Week-over-week changes that make the noise; from 14 it would itself be off by a third."""
CHANGES_NEEDED = 7
NOISE = 0.1
"""The noise that is supposed before it is known."""
MAD_TO_SIGMA = 1.4826
"""1 / 0.6745, which makes the median absolute deviation of a normal variable its deviation."""
FACTOR_ERROR = 1.5
"""Variance of a median of n values, as n times that of their mean: pi / 2, rounded."""


class Season:
    """Factors of the weekdays: a day's ratio to the mean of the seven weekdays' latest figures.

    That mean holds each weekday once and so has no season of its own (classical decomposition by
    ratio to moving average). A factor is the median of its weekday's ratios. Whatever is left out
    as odd, or is missing, is represented by the week before.
    """

    def __init__(self) -> None:
        self._begun: date | None = None
        self._latest: dict[int, tuple[date, float]] = {}
        self._odd: dict[int, tuple[date, float]] = {}
        self._ratios: list[deque[float]] = [deque(maxlen=WEEKS) for _ in range(7)]
        self._changes: deque[float] = deque(maxlen=CHANGES)

    def add(self, day: date, amount: float) -> None:
        """Learn from a day with spend that was not out of the ordinary."""
        self._compare(day, amount)
        self._take(day, amount)

    def add_odd(self, day: date, amount: float) -> None:
        """Learn from one that was: twice alike on one weekday is that weekday's new pattern.

        Without this a weekday that was once low, in the first week perhaps, would be called a
        spike each week, and never learn better, since spikes stay out of its factor.
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
        """Take a new level into account: the latest figures as they would have been on it."""
        self._latest = {w: (d, amount * ratio) for w, (d, amount) in self._latest.items()}
        self._odd.clear()

    def factors(self) -> list[float]:
        """The factor of each weekday from Monday on, 1 on average and where it is not known."""
        known = [median(ratios) for ratios in self._ratios if ratios]
        mean = sum(known) / len(known) if known else 1.0
        return [median(ratios) / mean if ratios else 1.0 for ratios in self._ratios]

    def doubt(self, weekday: int) -> float:
        """How much further off than the noise alone a day is, since its factor is an estimate."""
        return math.sqrt(1 + FACTOR_ERROR / max(len(self._ratios[weekday]), 1))

    def noise(self) -> float:
        """The deviation of one day, in logarithms, from week-over-week changes.

        1.4826 x median |ln(day / same weekday before)| / sqrt(2): a difference of two days varies
        by the root of two more than one of them, and no level or factor has to be known for it.
        """
        if len(self._changes) < CHANGES_NEEDED:
            return NOISE
        return MAD_TO_SIGMA * median(self._changes) / math.sqrt(2)

    def _compare(self, day: date, amount: float) -> None:
        last, before = self._latest.get(day.weekday(), (day, 0.0))
        if before > 0 and last < day:
            self._changes.append(abs(math.log(amount / before)))

    def _rescale_others(self, day: date, ordinary: float) -> None:
        """Relate the other weekdays' ratios to the mean that this one's new pattern makes."""
        week = self._week(day)
        if day.weekday() not in week:  # the first week was strange about it
            return
        total = sum(week.values())
        ratio = (total - week[day.weekday()] + ordinary) / total
        for other in set(range(7)) - {day.weekday()}:
            self._ratios[other] = deque((r * ratio for r in self._ratios[other]), maxlen=WEEKS)

    def _week(self, day: date) -> dict[int, float]:
        """The latest figure of each weekday that has one of late."""
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
            week = {w: a for w, a in week.items() if centre <= a * STRANGE <= centre * STRANGE**2}
            self._latest = {w: self._latest[w] for w in week}
        mean = sum(week.values()) / len(week)
        # the first whole week tells something of each of its days
        for learnt in tuple(week) if first else (weekday,):
            self._ratios[learnt].append(week[learnt] / mean)
