"""Functions of each element of a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_rules.promql.arithmetic import (
    Unary,
    ceil,
    exp,
    floor,
    greatest,
    least,
    ln,
    round_to,
    sqrt,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def _clamp(low: float, high: float) -> Unary | None:
    if high < low:
        return None
    return lambda value: greatest(low, least(high, value))


FUNCTIONS: dict[str, Callable[..., Unary | None]] = {
    "abs": lambda: abs,
    "ceil": lambda: ceil,
    "floor": lambda: floor,
    "round": lambda nearest=1.0: lambda value: round_to(value, nearest),
    "clamp": _clamp,
    "clamp_min": lambda low: lambda value: greatest(low, value),
    "clamp_max": lambda high: lambda value: least(high, value),
    "ln": lambda: ln,
    "exp": lambda: exp,
    "sqrt": lambda: sqrt,
}
"""From the scalar arguments to the function of one value, or to None if none is left."""
