"""The verdicts on the days of one series, from its first to its last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_exporter.spikes.judging import Judging, Verdict
from mlguard_exporter.spikes.series import Series

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal

DEFAULTS = Judging()


def judge(
    days: Mapping[date, Decimal],
    judging: Judging = DEFAULTS,
    *,
    known_from: date | None = None,
) -> dict[date, Verdict]:
    """Judge every day of one series by the days before it.

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
    with medians for means; 1.4826 x MAD is Hampel's identifier ("The influence curve and its role
    in robust estimation", JASA 69, 1974), here of logarithms, since spend varies by factors.
    `tests/bench/spikes.py` says what comes of it.

    - Young series: days until the seventh with spend have no level. One of them is a spike if it
      exceeds `new_usd` and five times the highest day before; so spend that begins with much is
      told once, and what is started small is not. A first day after silence is only part of one:
      it teaches nothing, and unless it was told the next is judged as if it were the first. After
      35 days without spend a series begins again.
    - Steps: three days in a row, off the level on one side by half of what makes a spike, are
      the new level from the fourth on; until then they may be told. To return within 14 days to a
      level that had lasted is no spike.
    - Weekdays: one that was odd two weeks in a row, and alike, has a new factor from the third on.
    - First days of a month: a spike is a fee, expected and not told, if the last month's first
      day was off by as much.
    - Days missing from `days` are neither judged nor zero. Zeros and refunds (negative days) are
      judged but teach nothing: what is expected is what a day with spend costs.

    Args:
        days: the spend of each settled day, in any order.
        judging: the settings.
        known_from: first day of which the spend was known at all, of any series; one that begins
            less than `min_days` after it is not told as new. None: its silence before is certain.

    Returns:
        One verdict a day, in order. Nothing is remembered: judge again after a restatement.
    """
    verdicts: dict[date, Verdict] = {}
    series: Series | None = None
    spent: date | None = None
    ordered = sorted(days)
    for day in ordered:
        amount = float(days[day])
        if spent is not None and (day - spent).days > judging.silence_days:
            series = None
        if series is None and amount > 0:
            begin = min(known_from or day, ordered[0])
            again = spent is not None or known_from is None
            watched = again or (day - begin).days >= judging.min_days
            series = Series(judging, watched=watched, by_day=again or day > begin)
        if series is None:
            verdicts[day] = Verdict(day, amount, None, 0.0, spike=False)
        else:
            verdicts[day] = series.judge(day, amount)
        if amount > 0:
            spent = day
    return verdicts
