"""Compares the days of one series with what was expected, from its first day to its last."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_exporter.spikes.level import FAINT, CostLevel, Season
from mlguard_exporter.spikes.settings import SpikeConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal

DEFAULTS = SpikeConfig()
NEW_RATIO = 5.0
"""A young series' day is a spike beyond this many times its highest; weekdays alone make three."""
MAX_EXPONENT = 50.0


@dataclass(frozen=True)
class Anomaly:
    """How far one day's spend was from what was expected.

    Attributes:
        day: the UTC day.
        amount: its spend, in the unit of the series.
        expected: by level and weekday; None while there is too little history. For a spike with
            which spend begins, the highest day before it, or 0.
        excess: the amount less the expected one; 0 where none was expected.
        is_spike: whether the excess is large enough for an alert.
        is_start: whether it is the spike with which spend begins.
        limit: excess from which a day is a spike; None while there is too little history.
    """

    day: date
    amount: float
    expected: float | None
    excess: float
    is_spike: bool
    is_start: bool = False
    limit: float | None = None


def detect_spikes(
    days: Mapping[date, Decimal],
    config: SpikeConfig = DEFAULTS,
    *,
    known_from: date | None = None,
) -> dict[date, Anomaly]:
    """Compare every day of one series with the days before it.

    With the defaults, and all amounts usage charges:

        level    = max(median of the last 14, median of the last 7) of amount / factor,
                   over days with spend that were not spikes
        factor   = median of the weekday's last 8 ratios of the day to the mean of the seven
                   weekdays' latest figures; 1 on average
        expected = level x factor
        noise    = 1.4826 x median |ln(day / same weekday before)| / sqrt(2), of the last 56
        doubt    = sqrt(1 + 1.5 / weeks that the factor has seen)
        spike    : amount - expected > max(expected x share x doubt,
                   expected x (exp(deviations x noise x doubt) - 1), minimum_usd)

    Level and weekday factors are those of classical decomposition by ratio to moving average,
    with medians for means. 1.4826 x MAD is Hampel's identifier ("The influence curve and its role
    in robust estimation", JASA 69, 1974), here of logarithms, since spend varies by factors.
    `tests/bench/spikes.py` measures the results.

    - Young series: days until the seventh with spend have no level. One of them is a spike if it
      exceeds `new_usd` and five times the highest day before. Spend that begins high is therefore
      one spike, and spend that begins low is none. The first day after silence may be a part of a
      day: it teaches nothing, and unless it was a spike the next one is treated as the first.
      After 35 days without spend a series begins again.
    - Steps: three days in a row, off the level on one side by half of a spike's limit, are the
      new level from the fourth on; until then they may be spikes. A return within 14 days to a
      level that had lasted is no spike.
    - Weekdays: one that was odd two weeks in a row, and alike, has a new factor from the third on.
    - First days of a month: a spike is a fee, and expected, if the last month's first day was off
      by as much.
    - Days missing from `days` are skipped, and not zero. Zeros and refunds (negative days) are
      compared but teach nothing: the expected amount is that of a day with spend.

    Args:
        days: the spend of each settled day, in any order.
        config: the settings.
        known_from: first day for which spend of any series is known. A series that begins less
            than `min_days` after it may be older, so that its begin is no spike. None: the silence
            before it is certain.

    Returns:
        One anomaly a day, in order. No state is kept: compare again after a restatement.
    """
    found: dict[date, Anomaly] = {}
    detector: SpikeDetector | None = None
    spent: date | None = None
    ordered = sorted(days)
    for day in ordered:
        amount = float(days[day])
        if spent is not None and (day - spent).days > config.silence_days:
            detector = None
        if detector is None and amount > 0:
            begin = min(known_from or day, ordered[0])
            again = spent is not None or known_from is None
            is_new = again or (day - begin).days >= config.min_days
            detector = SpikeDetector(config, is_new=is_new, is_partial=again or day > begin)
        if detector is None:
            found[day] = Anomaly(day, amount, None, 0.0, is_spike=False)
        else:
            found[day] = detector.compare(day, amount)
        if amount > 0:
            spent = day
    return found


class SpikeDetector:
    """Compares the days of one series in order, and learns from each.

    Args:
        config: the settings.
        is_new: whether it is certain that there was no spend before; else it may only look new.
        is_partial: whether its first day may be a part of a day.
    """

    def __init__(self, config: SpikeConfig, *, is_new: bool, is_partial: bool) -> None:
        self._config = config
        self._is_new = is_new
        self._is_partial = is_partial
        self._level = CostLevel(config.window_days, config.accept_days)
        self._season = Season()
        self._spent_days = 0
        self._highest = 0.0
        self._fee = (0, 0.0)

    def compare(self, day: date, amount: float) -> Anomaly:
        """Return the anomaly of the next day."""
        if self._spent_days < self._config.min_days:
            return self._compare_young(day, amount)
        return self._compare_grown(day, amount)

    def _compare_young(self, day: date, amount: float) -> Anomaly:
        highest, is_partial = self._highest, self._is_partial
        is_known = self._is_new or self._spent_days > 0
        spike = is_known and amount > max(self._config.new_usd, NEW_RATIO * highest)
        self._is_partial = False
        if spike or not is_partial:
            self._highest = max(highest, amount)
        if not is_partial:
            self._learn(day, amount)
        if spike:
            return Anomaly(day, amount, highest, amount - highest, is_spike=True, is_start=True)
        return Anomaly(day, amount, None, 0.0, is_spike=False)

    def _compare_grown(self, day: date, amount: float) -> Anomaly:
        factors, weekday = self._season.factors(), day.weekday()
        level, factor = self._level.value(factors), factors[weekday]
        expected, share = level * factor, self._share(weekday)
        limit = max(share * level * max(factor, FAINT), self._config.minimum_usd)
        is_over = amount - expected > limit
        fee = self._repeated_fee(day, amount - expected, limit) if day.day == 1 else 0.0
        if fee:
            return Anomaly(
                day, amount, expected + fee, amount - expected - fee, is_spike=False, limit=limit
            )
        previous = self._level.previous(day) * factor
        spike = is_over and amount > previous * (1 + share)
        if amount <= 0 or factor < FAINT:
            self._learn(day, amount, odd=spike, spike=spike)
        else:
            off = amount / expected - 1
            new_level = self._level.follow(weekday, amount, off, share / 2)
            self._learn(day, amount, odd=is_over or off < -share, spike=spike)
            if new_level:
                self._level.accept(day, level)
                self._season.rescale(self._level.value(factors) / level)
        return Anomaly(day, amount, expected, amount - expected, spike, limit=limit)

    def _share(self, weekday: int) -> float:
        """Return the share of the expected amount that a spike's excess must surpass."""
        doubt = self._season.doubt(weekday)
        exponent = self._config.deviations * self._season.noise() * doubt
        return max(self._config.share * doubt, math.expm1(min(exponent, MAX_EXPONENT)))

    def _repeated_fee(self, day: date, excess: float, limit: float) -> float:
        """Return the excess of last month's first day if it explains this one's; else 0."""
        month = day.year * 12 + day.month
        (last, fee), is_over = self._fee, excess > limit
        self._fee = (month, excess if is_over else 0.0)
        return fee if is_over and last == month - 1 and excess - fee <= limit else 0.0

    def _learn(self, day: date, amount: float, *, odd: bool = False, spike: bool = False) -> None:
        """Add a day to the season unless it is odd, and to the level unless it is a spike."""
        if amount <= 0:
            return
        self._spent_days += 1
        if odd:
            self._season.add_odd(day, amount)
        else:
            self._season.add(day, amount)
        if not spike:
            self._level.add(day.weekday(), amount)
