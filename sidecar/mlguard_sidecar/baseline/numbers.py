"""A multiset of numbers, in little memory where few of them are distinct."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 1 << 17
_MAX_DISTINCT_SHARE = 0.5


class NumberCounts:
    """Numbers in any order, as arrays, or each distinct one once with its count."""

    def __init__(self) -> None:
        self._arrays: list[NDArray[np.float64]] = []
        self._waiting = 0
        self._values = np.zeros(0)
        self._counts = np.zeros(0, dtype=np.int64)
        self._is_dense = False

    def add(self, numbers: NDArray[np.float64]) -> None:
        """Add numbers."""
        if len(numbers):  # copied, as a slice would keep a whole block of a file in memory
            self._arrays.append(numbers.copy())
            self._waiting += len(numbers)
        if self._waiting >= _BLOCK and not self._is_dense:
            values, counts = np.unique(np.concatenate(self._arrays), return_counts=True)
            self._is_dense = len(values) > _MAX_DISTINCT_SHARE * self._waiting
            if not self._is_dense:
                self._values, self._counts = self._merged(values, counts)
                self._arrays, self._waiting = [], 0

    def arrays(self) -> list[NDArray[np.float64]]:
        """Return all numbers, in any order."""
        if not len(self._values):
            return list(self._arrays)
        return [np.repeat(self._values, self._counts), *self._arrays]

    def distinct(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the distinct numbers, ascending, and how often each occurs."""
        return self._merged(
            *np.unique(np.concatenate([*self._arrays, np.zeros(0)]), return_counts=True)
        )

    def __len__(self) -> int:
        return sum(map(len, self._arrays)) + int(self._counts.sum())

    def _merged(
        self, values: NDArray[np.float64], counts: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        merged, index = np.unique(np.concatenate([self._values, values]), return_inverse=True)
        total = np.zeros(len(merged), dtype=np.int64)
        np.add.at(total, index, np.concatenate([self._counts, counts]))
        return merged, total
