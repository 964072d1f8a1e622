"""Scales of charts."""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """Axis of values with round marks.

    Attributes:
        low: value at the lower end.
        high: value at the upper end.
        step: distance of the marks.
    """

    low: float
    high: float
    step: float

    @property
    def marks(self) -> list[float]:
        """Values of the marks, both ends included, the lowest first."""
        n = round((self.high - self.low) / self.step)
        return [self.low + i * self.step for i in range(n + 1)]

    def position(self, value: float) -> float:
        """Return where a value lies, from 0 at the lower end to 1; limited to both."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


def scale_of(low: float, high: float, *, parts: int = 3) -> Scale:
    """Return a scale with round marks that covers a range.

    Args:
        low: smallest value.
        high: largest value.
        parts: about how many distances of marks.
    """
    if not high > low:
        low, high = (low - 1, low + 1) if low else (0.0, 1.0)
    rough = (high - low) / parts
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in _STEPS if power * each >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Scale(first * step, max(last, first + 1) * step, step)
