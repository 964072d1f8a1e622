"""Scales of charts."""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 5.0, 10.0)
_CLOSE = 1e-12
_TINY = 1e-290
MAX = 1e290
"""Largest value that an axis can show."""


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
        first, last = round(self.low / self.step), round(self.high / self.step)
        return [i * self.step for i in range(first, last + 1)]

    def position(self, value: float) -> float:
        """Return where a value lies, from 0 at the lower end to 1; limited to both."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


def scale_of(low: float, high: float, *, parts: int = 3, is_whole: bool = False) -> Scale:
    """Return a scale with round marks that covers a range.

    Args:
        low: smallest value, from -MAX on.
        high: largest value, up to MAX.
        parts: about how many distances of marks.
        is_whole: whether values are whole numbers, and so the marks.
    """
    largest = max(abs(low), abs(high))
    if high - low <= max(_CLOSE * largest, _TINY):
        low, high = (low - largest / 2, high + largest / 2) if largest > _TINY else (0.0, 1.0)
    rough = (high - low) / parts
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in _STEPS if power * each >= rough * (1 - 1e-9))
    step = max(step, 1.0) if is_whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Scale(first * step, max(last, first + 1) * step, step)
