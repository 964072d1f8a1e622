"""Statistics of several values, at one time or over a range.

Their last digits are those of Prometheus, which adds in the order of the values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlguard_rules.promql.arithmetic import divide

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def mean(values: list[float]) -> float:
    """Return the mean without overflow; an infinite mean stays so (engine.go, aggregation AVG)."""
    average = values[0]
    for count, value in enumerate(values[1:], 2):
        if math.isinf(average) and _leaves_infinite(average, value):
            continue
        average += value / count - average / count
    return average


def compensated_sum(values: Iterable[float]) -> float:
    """Return the sum with Neumaier's compensation (functions.go, funcSumOverTime, kahanSumInc)."""
    found, lost = 0.0, 0.0
    for value in values:
        found, lost = add_compensated(value, found, lost)
    return found if math.isinf(found) else found + lost


def add_compensated(value: float, found: float, lost: float) -> tuple[float, float]:
    """Return a sum after one more value, and what it has lost by rounding."""
    after = found + value
    if abs(found) >= abs(value):
        return after, lost + ((found - after) + value)
    return after, lost + ((value - after) + found)


def compensated_mean(values: list[float]) -> float:
    """Return the mean with Neumaier's compensation (functions.go, funcAvgOverTime, kahanSumInc)."""
    average, lost = 0.0, 0.0
    for count, value in enumerate(values, 1):
        if math.isinf(average) and _leaves_infinite(average, value):
            continue
        average, lost = add_compensated(value / count - average / count, average, lost)
    return average if math.isinf(average) else average + lost


def _leaves_infinite(average: float, value: float) -> bool:
    """Return whether an infinite mean stays: NaN and the opposite infinity make it NaN."""
    return not math.isnan(value) and (math.isfinite(value) or value == average)


def smallest(values: list[float]) -> float:
    """Return the minimum of the values that are not NaN."""
    found = min(values)
    if math.isnan(found):  # then the first value is NaN, with which Python compares the others
        return min((value for value in values if not math.isnan(value)), default=found)
    return found


def largest(values: list[float]) -> float:
    """Return the maximum of the values that are not NaN."""
    found = max(values)
    if math.isnan(found):
        return max((value for value in values if not math.isnan(value)), default=found)
    return found


def total(values: list[float]) -> float:
    """Return the sum, in the order of the values, without compensation."""
    found = values[0]
    for value in values[1:]:
        found += value
    return found


def count(values: list[float]) -> float:
    """Return the number of values."""
    return float(len(values))


def variance(values: list[float]) -> float:
    """Return the variance over the elements of a group (engine.go, aggregation STDVAR)."""
    average, squares = values[0], 0.0
    for seen, value in enumerate(values[1:], 2):
        delta = value - average
        average += delta / seen
        squares += delta * (value - average)
    return squares / len(values)


def deviation(values: list[float]) -> float:
    """Return the standard deviation over the elements of a group."""
    return _root(variance(values))


def compensated_variance(values: list[float]) -> float:
    """Return the variance over a range (functions.go, funcStdvarOverTime)."""
    average = lost_average = squares = lost_squares = 0.0
    for seen, value in enumerate(values, 1):
        delta = value - (average + lost_average)
        average, lost_average = add_compensated(delta / seen, average, lost_average)
        square = delta * (value - (average + lost_average))
        squares, lost_squares = add_compensated(square, squares, lost_squares)
    return (squares + lost_squares) / len(values)


def compensated_deviation(values: list[float]) -> float:
    """Return the standard deviation over a range."""
    return _root(compensated_variance(values))


def _root(value: float) -> float:
    return math.nan if value < 0 else math.sqrt(value)


def quantile(ratio: float, values: Sequence[float]) -> float:
    """Return a quantile, interpolated between two values; NaN counts as the smallest value."""
    if math.isnan(ratio):
        return math.nan
    if ratio < 0 or ratio > 1:
        return math.copysign(math.inf, ratio)
    ordered = sorted(values, key=lambda value: (not math.isnan(value), value))
    rank = ratio * (len(ordered) - 1)
    lower = max(0, math.floor(rank))
    upper = min(len(ordered) - 1, lower + 1)
    weight = rank - math.floor(rank)
    return ordered[lower] * (1 - weight) + ordered[upper] * weight


def regression(times: Sequence[int], values: Sequence[float], origin: int) -> tuple[float, float]:
    """Return slope per second and value at the origin of a linear regression.

    Args:
        times: epoch milliseconds.
        values: as many.
        origin: epoch milliseconds.
    """
    first = values[0]
    if all(value == first for value in values[1:]):
        return (math.nan, math.nan) if math.isinf(first) else (0.0, first)
    n = float(len(values))
    seconds = [(time - origin) / 1000 for time in times]
    sum_x = _compensated(seconds)
    sum_y = _compensated(values)
    sum_xy = _compensated(x * y for x, y in zip(seconds, values, strict=True))
    sum_xx = _compensated(x * x for x in seconds)
    slope = divide(sum_xy - sum_x * sum_y / n, sum_xx - sum_x * sum_x / n)
    return slope, sum_y / n - slope * sum_x / n


def _compensated(values: Iterable[float]) -> float:
    found, lost = 0.0, 0.0
    for value in values:
        found, lost = add_compensated(value, found, lost)
    return found + lost
