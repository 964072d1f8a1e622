"""Partitions of rows that are ordered by part, such as by pane."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Partition:
    """Partition of rows into contiguous, non-empty parts.

    Attributes:
        starts: index of the first row of each part, ascending from 0.
        rows: number of rows.
    """

    starts: NDArray[np.intp]
    rows: int

    @staticmethod
    def whole(rows: int) -> Partition:
        """Return the partition with a single part."""
        return Partition(np.zeros(1, dtype=np.intp), rows)

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def lengths(self) -> NDArray[np.intp]:
        """Number of rows in each part."""
        return np.diff(self.starts, append=self.rows)

    @cached_property
    def of_row(self) -> NDArray[np.intp]:
        """Index of the part of each row."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def count(self, slots: NDArray[np.intp], width: int) -> NDArray[np.int64]:
        """Return how often each slot occurs in each part, of shape (parts, width).

        Args:
            slots: slot of each row, from 0 to `width` - 1.
            width: number of slots.
        """
        if len(self) == 1:
            return np.bincount(slots, minlength=width)[None]
        flat = np.bincount(self.of_row * width + slots, minlength=len(self) * width)
        return flat.reshape(len(self), width)
