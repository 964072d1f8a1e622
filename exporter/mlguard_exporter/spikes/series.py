"""What is known of a series since it began, or began again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlguard_exporter.spikes.judging import Judging, Verdict
from mlguard_exporter.spikes.level import FAINT, Level
from mlguard_exporter.spikes.season import Season

if TYPE_CHECKING:
    from datetime import date

NEW_RATIO = 5.0
"""A young series' day is a spike beyond so many times its highest; weekdays alone make three."""
LARGEST_EXPONENT = 50.0


class Series:
    """Judges days in order and learns from each.

    Args:
        judging: the settings.
        watched: whether it is known that there was no spend before; else it may only look new.
        by_day: whether it began in the course of its first day, which then is part of one.
    """

    def __init__(self, judging: Judging, *, watched: bool, by_day: bool) -> None:
        self._judging = judging
        self._watched = watched
        self._is_part = by_day
        self._level = Level(judging.window_days, judging.accept_days)
        self._season = Season()
        self._spent_days = 0
        self._highest = 0.0
        self._fee = (0, 0.0)

    def judge(self, day: date, amount: float) -> Verdict:
        """The verdict on the next day."""
        if self._spent_days < self._judging.min_days:
            return self._judge_young(day, amount)
        return self._judge_grown(day, amount)

    def _judge_young(self, day: date, amount: float) -> Verdict:
        highest, is_part = self._highest, self._is_part
        is_known = self._watched or self._spent_days > 0
        told = is_known and amount > max(self._judging.new_usd, NEW_RATIO * highest)
        self._is_part = False
        if told or not is_part:
            self._highest = max(highest, amount)
        if not is_part:
            self._learn(day, amount)
        if told:
            return Verdict(day, amount, highest, amount - highest, spike=True, begins=True)
        return Verdict(day, amount, None, 0.0, spike=False)

    def _judge_grown(self, day: date, amount: float) -> Verdict:
        factors, weekday = self._season.factors(), day.weekday()
        level, factor = self._level.value(factors), factors[weekday]
        expected, share = level * factor, self._share(weekday)
        limit = max(share * level * max(factor, FAINT), self._judging.minimum_usd)
        fired = amount - expected > limit
        fee = self._fee_again(day, amount - expected, limit) if day.day == 1 else 0.0
        if fee:
            return Verdict(day, amount, expected + fee, amount - expected - fee, spike=False)
        held = self._level.held(day) * factor
        spike = fired and amount > held * (1 + share)
        if amount <= 0 or factor < FAINT:
            self._learn(day, amount, odd=spike, spike=spike)
        else:
            off = amount / expected - 1
            new_level = self._level.note(weekday, amount, off, share / 2)
            self._learn(day, amount, odd=fired or off < -share, spike=spike)
            if new_level:
                self._level.accept(day, level)
                self._season.rescale(self._level.value(factors) / level)
        return Verdict(day, amount, expected, amount - expected, spike)

    def _share(self, weekday: int) -> float:
        """The share of what was expected that a spike's excess must surpass."""
        doubt = self._season.doubt(weekday)
        exponent = self._judging.deviations * self._season.noise() * doubt
        return max(self._judging.share * doubt, math.expm1(min(exponent, LARGEST_EXPONENT)))

    def _fee_again(self, day: date, excess: float, limit: float) -> float:
        """The excess of last month's first day, if it explains this one's; else 0."""
        month = day.year * 12 + day.month
        (last, fee), fired = self._fee, excess > limit
        self._fee = (month, excess if fired else 0.0)
        return fee if fired and last == month - 1 and excess - fee <= limit else 0.0

    def _learn(self, day: date, amount: float, *, odd: bool = False, spike: bool = False) -> None:
        """Let a day into the season unless it is odd, and into the level unless it is a spike."""
        if amount <= 0:
            return
        self._spent_days += 1
        if odd:
            self._season.add_odd(day, amount)
        else:
            self._season.add(day, amount)
        if not spike:
            self._level.add(day.weekday(), amount)
