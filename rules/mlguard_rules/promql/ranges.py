"""Functions of the samples of one series within a range.

Times are epoch milliseconds; both ends belong to a range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from mlguard_rules.promql.arithmetic import compensated_mean, divide, largest, smallest


class RangeWindow(NamedTuple):
    """The samples of one series in a range, at least one, in ascending order of time.

    Attributes:
        start: of the range.
        end: of the range.
        times: of the samples.
        values: of the samples.
    """

    start: int
    end: int
    times: list[int]
    values: list[float]


RangeFunction: TypeAlias = Callable[[RangeWindow], float | None]
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


RANGE_FUNCTIONS: dict[str, RangeFunction] = {
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "avg_over_time": lambda window: compensated_mean(window.values),
    "min_over_time": lambda window: smallest(window.values),
    "max_over_time": lambda window: largest(window.values),
    "last_over_time": lambda window: window.values[-1],
}

KEEPS_NAME = "last_over_time"
"""The one function whose result keeps the name of the metric."""
