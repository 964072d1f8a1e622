"""Functions of the samples of one series within a range.

Times are epoch milliseconds; both ends belong to a range.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from mlguard_rules.promql.arithmetic import divide
from mlguard_rules.promql.statistics import (
    compensated_deviation,
    compensated_mean,
    compensated_sum,
    compensated_variance,
    count,
    largest,
    quantile,
    regression,
    smallest,
)


class RangeWindow(NamedTuple):
    """The samples of one series in a range, at least one, in ascending order of time.

    Attributes:
        start: of the range.
        end: of the range.
        times: of the samples.
        values: of the samples.
        at: time of the evaluation, later than the end if the range has an offset.
    """

    start: int
    end: int
    times: list[int]
    values: list[float]
    at: int


RangeFunction: TypeAlias = Callable[..., float | None]
"""Returns the value of a series, None if it has too few samples."""


def increase(window: RangeWindow) -> float | None:
    """Return the increase of a counter over the range, corrected for resets."""
    return _extrapolated(window, counter=True, rate=False)


def rate(window: RangeWindow) -> float | None:
    """Return the increase of a counter per second, corrected for resets."""
    return _extrapolated(window, counter=True, rate=True)


def delta(window: RangeWindow) -> float | None:
    """Return the change of a gauge over the range."""
    return _extrapolated(window, counter=False, rate=False)


def _extrapolated(window: RangeWindow, *, counter: bool, rate: bool) -> float | None:
    """Return the change between the first and last sample, extrapolated to the range.

    It is extrapolated up to an end that is nearer than 1.1 mean distances of samples, else by half
    a distance. A counter is not extrapolated to before it was zero.
    prometheus/promql/functions.go, extrapolatedRate.
    """
    times, values = window.times, window.values
    if len(times) < 2:
        return None
    change = values[-1] - values[0]
    if counter:
        before = values[0]
        for value in values:
            if value < before:
                change += before
            before = value
    to_start = (times[0] - window.start) / 1000
    to_end = (window.end - times[-1]) / 1000
    sampled = (times[-1] - times[0]) / 1000
    distance = sampled / (len(times) - 1)
    if counter and change > 0 and values[0] >= 0:
        to_start = min(to_start, sampled * divide(values[0], change))
    threshold = distance * 1.1
    stretched = sampled
    stretched += to_start if to_start < threshold else distance / 2
    stretched += to_end if to_end < threshold else distance / 2
    factor = stretched / sampled
    if rate:
        seconds, rest = divmod(window.end - window.start, 1000)
        factor /= seconds + rest / 1000
    return change * factor


def irate(window: RangeWindow) -> float | None:
    """Return the increase of a counter per second between the last two samples."""
    return _last_step(window, counter=True)


def idelta(window: RangeWindow) -> float | None:
    """Return the change of a gauge between the last two samples."""
    return _last_step(window, counter=False)


def _last_step(window: RangeWindow, *, counter: bool) -> float | None:
    if len(window.times) < 2:
        return None
    before, last = window.values[-2:]
    step = last if counter and last < before else last - before
    return step / ((window.times[-1] - window.times[-2]) / 1000) if counter else step


def changes(window: RangeWindow) -> float:
    """Return how often the value differs from the one before; NaN does not differ from NaN."""
    return float(
        sum(
            last != before and not (math.isnan(last) and math.isnan(before))
            for before, last in pairwise(window.values)
        )
    )


def resets(window: RangeWindow) -> float:
    """Return how often the value is below the one before."""
    return float(sum(last < before for before, last in pairwise(window.values)))


def deriv(window: RangeWindow) -> float | None:
    """Return the slope of a gauge per second, by linear regression."""
    if len(window.times) < 2:
        return None
    return regression(window.times, window.values, window.times[0])[0]


def predict_linear(window: RangeWindow, seconds: float) -> float | None:
    """Return the value that a gauge will have in some seconds, by linear regression."""
    if len(window.times) < 2:
        return None
    slope, value = regression(window.times, window.values, window.at)
    return slope * seconds + value


RANGE_FUNCTIONS: dict[str, RangeFunction] = {
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "irate": irate,
    "idelta": idelta,
    "changes": changes,
    "resets": resets,
    "deriv": deriv,
    "predict_linear": predict_linear,
    "avg_over_time": lambda window: compensated_mean(window.values),
    "min_over_time": lambda window: smallest(window.values),
    "max_over_time": lambda window: largest(window.values),
    "sum_over_time": lambda window: compensated_sum(window.values),
    "count_over_time": lambda window: count(window.values),
    "quantile_over_time": lambda window, ratio: quantile(ratio, window.values),
    "stddev_over_time": lambda window: compensated_deviation(window.values),
    "stdvar_over_time": lambda window: compensated_variance(window.values),
    "last_over_time": lambda window: window.values[-1],
    "present_over_time": lambda _: 1.0,
}
"""From the samples of a series, and the scalar arguments, to its value; None if it has none."""

RATIO_FIRST = "quantile_over_time"
"""The one function whose range is its second argument."""

KEEPS_NAME = "last_over_time"
"""The one function whose result keeps the name of the metric."""
