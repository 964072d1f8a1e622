"""Samples: the values of one column from which its baseline is built."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline.numbers import NumberCounts
from mlguard_sidecar.histogram.encoded_column import EncodedColumn
from mlguard_sidecar.histogram.values import is_plain_number, plain_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from mlguard_sidecar.histogram.encoded_column import Values

MAX_DISTINCT = 100_000
"""Maximum number of distinct values of a sample that are not numbers."""

_LARGEST = int(np.finfo(np.float64).max)
_EXACT = 2**53
"""Integers up to this size are exact as floats."""


class ColumnSample:
    """Values of one column, in any order: numbers as arrays, all others by how often they occur.

    Attributes:
        rows: number of values, missing ones included.
        dropped: number of values beyond the maximum number of distinct ones, which are lost.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.dropped = 0
        self._numbers = NumberCounts()
        self._others: Counter[tuple[type, object]] = Counter()

    @staticmethod
    def of(values: Values) -> ColumnSample:
        """Return a sample of values."""
        sample = ColumnSample()
        sample.add(values)
        return sample

    def add(self, values: Values) -> None:
        """Add values: a number, bool, string, None or INVALID each."""
        self.rows += len(values)
        if isinstance(values, np.ndarray):
            self._add_numbers(values)
        elif isinstance(values, EncodedColumn):
            self._add_counted(values.counted())
        elif not (set(map(type, values)) <= {int, float} and self._add_exact(values)):
            counted = Counter(zip(map(type, values), values, strict=True))
            self._add_counted((value, n) for (_, value), n in counted.items())

    def parts(self) -> list[Values]:
        """Return all values, in any order."""
        parts: list[Values] = list(self._numbers.arrays())
        if self._others:
            values = [value for _, value in self._others]
            counts = np.fromiter(self._others.values(), dtype=np.intp, count=len(values))
            parts.append(EncodedColumn(values, np.repeat(np.arange(len(values)), counts)))
        return parts

    def distinct(self) -> Iterator[tuple[object, int]]:
        """Yield distinct values, and how often each occurs."""
        numbers, counts = self._numbers.distinct()
        yield from zip(numbers.tolist(), counts.tolist(), strict=True)
        for (_, value), n in self._others.items():
            yield value, n

    def numbers(self) -> NDArray[np.float64]:
        """Return the values that are numbers or texts of plain numbers, exact or not."""
        large = [
            np.full(n, float(value))  # type: ignore[arg-type]
            for (_, value), n in self._others.items()
            if _is_number(value) and math.isfinite(float(value))  # type: ignore[arg-type]
        ]
        return np.concatenate([*self._numbers.arrays(), *large, np.zeros(0)])

    def others(self) -> list[tuple[object, int]]:
        """Return each distinct value that is no number, and how often it occurs."""
        return [(value, n) for (_, value), n in self._others.items() if not _is_number(value)]

    def _add_numbers(self, numbers: NDArray[np.float64]) -> None:
        finite = np.isfinite(numbers)
        if not finite.all():
            self._add_other(None, int((~finite).sum()))
            numbers = numbers[finite]
        self._numbers.add(numbers)

    def _add_exact(self, values: Values) -> bool:
        """Add values that are all numbers; return false if floats cannot hold them exactly."""
        try:
            numbers = np.frombuffer(array("d", values))
        except OverflowError:
            return False
        if np.abs(numbers).max(initial=0) > _EXACT and int in set(map(type, values)):
            return False
        self._add_numbers(numbers)
        return True

    def _add_counted(self, values: Iterable[tuple[object, int]]) -> None:
        numbers: list[float] = []
        counts: list[int] = []
        for value, n in values:
            number = _exact_number(value)
            if number is not None:
                numbers.append(number)
                counts.append(n)
            else:
                self._add_other(value, n)
        self._add_numbers(np.repeat(np.array(numbers, dtype=np.float64), counts))

    def _add_other(self, value: object, n: int) -> None:
        if type(value) is int and abs(value) > _LARGEST:
            value = None  # not finite as a float
        if (type(value), value) in self._others or len(self._others) < MAX_DISTINCT:
            self._others[type(value), value] += n
        else:
            self.dropped += n


def _is_number(value: object) -> bool:
    """Return whether a value that is kept as it is, is an integer or the text of a number."""
    return type(value) is int or (isinstance(value, str) and is_plain_number(value))


def _exact_number(value: object) -> float | None:
    """Return a number, or the number that a text is, if a float holds it exactly; else None."""
    number = plain_number(value) if isinstance(value, str) else value
    if type(number) is float:
        # a text that is too large is no number, but stays a category
        return None if isinstance(value, str) and not math.isfinite(number) else number
    if type(number) is int and abs(number) <= _EXACT:
        return float(number)
    return None
