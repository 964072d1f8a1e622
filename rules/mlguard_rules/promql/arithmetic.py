"""Operators and functions of floats; where Python raises they return NaN or infinity.

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
    """Return the quotient; infinity or NaN if y is zero."""
    if y:
        return x / y
    if x == 0 or math.isnan(x):
        return math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def modulo(x: float, y: float) -> float:
    """Return the remainder with the sign of x (math.Mod)."""
    if y == 0 or math.isinf(x):
        return math.nan
    return math.fmod(x, y)


def power(x: float, y: float) -> float:
    """Return x to the power of y; NaN if it is complex (math.Pow)."""
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
    """Return e to the power of x; infinity if it overflows."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def ln(x: float) -> float:
    """Return the natural logarithm; minus infinity at zero, NaN below it."""
    if x > 0:
        return math.log(x)
    return -math.inf if x == 0 else math.nan


def log2(x: float) -> float:
    """Return the binary logarithm; minus infinity at zero, NaN below it."""
    if x > 0:
        return math.log2(x)
    return -math.inf if x == 0 else math.nan


def log10(x: float) -> float:
    """Return the decimal logarithm; minus infinity at zero, NaN below it."""
    if x > 0:
        return math.log10(x)
    return -math.inf if x == 0 else math.nan


def sign(x: float) -> float:
    """Return -1, 0 or 1; a zero or NaN is returned itself."""
    if x < 0:
        return -1.0
    return 1.0 if x > 0 else x


def sqrt(x: float) -> float:
    """Return the square root; NaN below zero."""
    return math.nan if x < 0 else math.sqrt(x)


def floor(x: float) -> float:
    """Return the next integer below, with the sign of x."""
    return math.copysign(float(math.floor(x)), x) if math.isfinite(x) else x


def ceil(x: float) -> float:
    """Return the next integer above, with the sign of x: -0 for -0.5."""
    return math.copysign(float(math.ceil(x)), x) if math.isfinite(x) else x


def round_to(x: float, nearest: float) -> float:
    """Return x rounded to a multiple of `nearest`, ties upwards (functions.go, funcRound)."""
    inverse = divide(1.0, nearest)
    return divide(floor(x * inverse + 0.5), inverse)


def minimum(x: float, y: float) -> float:
    """Return the lesser of two; NaN unless one is minus infinity; -0 is less than 0 (math.Min)."""
    if -math.inf in (x, y):
        return -math.inf
    if math.isnan(x) or math.isnan(y):
        return math.nan
    if x == 0 == y:
        return x if math.copysign(1.0, x) < 0 else y
    return min(x, y)


def maximum(x: float, y: float) -> float:
    """Return the greater of two; NaN unless one is infinity; 0 is greater than -0 (math.Max)."""
    return -minimum(-x, -y)


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


def _clamp(low: float, high: float) -> Unary | None:
    if high < low:
        return None
    return lambda value: maximum(low, minimum(high, value))


FUNCTIONS: dict[str, Callable[..., Unary | None]] = {
    "abs": lambda: abs,
    "ceil": lambda: ceil,
    "floor": lambda: floor,
    "round": lambda nearest=1.0: lambda value: round_to(value, nearest),
    "clamp": _clamp,
    "clamp_min": lambda low: lambda value: maximum(low, value),
    "clamp_max": lambda high: lambda value: minimum(high, value),
    "ln": lambda: ln,
    "exp": lambda: exp,
    "sqrt": lambda: sqrt,
    "log2": lambda: log2,
    "log10": lambda: log10,
    "sgn": lambda: sign,
}
"""From the scalar arguments to the function of one value, or to None if no element is left."""
