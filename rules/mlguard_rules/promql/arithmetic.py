"""Operators and functions on floats, which give NaN and infinities where Python would raise.

They follow Go's package math, in which Prometheus computes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TypeAlias

Unary: TypeAlias = Callable[[float], float]
Binary: TypeAlias = Callable[[float, float], float]
Comparison: TypeAlias = Callable[[float, float], bool]


def divide(x: float, y: float) -> float:
    """The quotient, infinite or NaN where y is zero."""
    if y:
        return x / y
    if x == 0 or math.isnan(x):
        return math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def modulo(x: float, y: float) -> float:
    """The remainder with the sign of x (math.Mod)."""
    if y == 0 or math.isinf(x):
        return math.nan
    return math.fmod(x, y)


def power(x: float, y: float) -> float:
    """X to the power of y; NaN where that is complex (math.Pow)."""
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and _odd(y) else math.inf
    except ValueError:
        if x != 0:
            return math.nan
        return math.copysign(math.inf, x) if _odd(y) else math.inf


def _odd(y: float) -> bool:
    return math.fmod(y, 2) in (1.0, -1.0)


def exp(x: float) -> float:
    """E to the power of x, infinite where it overflows."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def ln(x: float) -> float:
    """The natural logarithm; minus infinity at zero, NaN below it."""
    if x > 0:
        return math.log(x)
    return -math.inf if x == 0 else math.nan


def sqrt(x: float) -> float:
    """The square root, NaN below zero."""
    return math.nan if x < 0 else math.sqrt(x)


def floor(x: float) -> float:
    """The next integer below, with the sign of x."""
    return math.copysign(float(math.floor(x)), x) if math.isfinite(x) else x


def ceil(x: float) -> float:
    """The next integer above, with the sign of x, so that -0.5 gives -0."""
    return math.copysign(float(math.ceil(x)), x) if math.isfinite(x) else x


def round_to(x: float, nearest: float) -> float:
    """X rounded to a multiple of `nearest`, ties upwards (functions.go, funcRound)."""
    inverse = divide(1.0, nearest)
    return divide(floor(x * inverse + 0.5), inverse)


def least(x: float, y: float) -> float:
    """The smaller one; NaN beats all but minus infinity, and -0 is below 0 (math.Min)."""
    if -math.inf in (x, y):
        return -math.inf
    if math.isnan(x) or math.isnan(y):
        return math.nan
    if x == 0 == y:
        return x if math.copysign(1.0, x) < 0 else y
    return min(x, y)


def greatest(x: float, y: float) -> float:
    """The larger one; NaN beats all but infinity, and 0 is above -0 (math.Max)."""
    return -least(-x, -y)


def mean(values: list[float]) -> float:
    """The mean without overflow; infinities of one sign stay (engine.go, aggregation AVG)."""
    average = values[0]
    for count, value in enumerate(values[1:], 2):
        if math.isinf(average) and _leaves_infinite(average, value):
            continue
        average += value / count - average / count
    return average


def compensated_mean(values: list[float]) -> float:
    """The mean with Neumaier's compensation (functions.go, funcAvgOverTime, kahanSumInc)."""
    average, lost = 0.0, 0.0
    for count, value in enumerate(values, 1):
        if math.isinf(average) and _leaves_infinite(average, value):
            continue
        step = value / count - average / count
        total = average + step
        if abs(average) >= abs(step):
            lost += (average - total) + step
        else:
            lost += (step - total) + average
        average = total
    return average if math.isinf(average) else average + lost


def _leaves_infinite(average: float, value: float) -> bool:
    """Whether an infinite mean stays: NaN and the opposite infinity make it NaN."""
    return not math.isnan(value) and (math.isfinite(value) or value == average)


def smallest(values: list[float]) -> float:
    """The minimum of the values that are not NaN."""
    found = min(values)
    if math.isnan(found):  # then the first one is, with which Python compares the others
        return min((value for value in values if not math.isnan(value)), default=found)
    return found


def largest(values: list[float]) -> float:
    """The maximum of the values that are not NaN."""
    found = max(values)
    if math.isnan(found):
        return max((value for value in values if not math.isnan(value)), default=found)
    return found


def total(values: list[float]) -> float:
    """The sum, in the order of the values, without compensation."""
    found = values[0]
    for value in values[1:]:
        found += value
    return found


ARITHMETIC: dict[str, Binary] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
    "%": modulo,
    "^": power,
}

COMPARISONS: dict[str, Comparison] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
