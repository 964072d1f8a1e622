"""Rows that lie in the order of some parts, as of the panes that they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Partition:
    """Where each part begins among the rows; no part is empty.

    Attributes:
        starts: the first row of each part, ascending from 0.
        rows: how many rows there are.
    """

    starts: NDArray[np.intp]
    rows: int

    @staticmethod
    def whole(rows: int) -> Partition:
        """Return the partition into one part."""
        return Partition(np.zeros(1, dtype=np.intp), rows)

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def lengths(self) -> NDArray[np.intp]:
        """Rows in each part."""
        return np.diff(self.starts, append=self.rows)

    @cached_property
    def of_row(self) -> NDArray[np.intp]:
        """The part of each row."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def count(self, slots: NDArray[np.intp], width: int) -> NDArray[np.int64]:
        """Count how often each of `width` slots stands in each part, an array of (parts, width).

        Args:
            slots: one for each row.
            width: how many slots there are.
        """
        if len(self) == 1:
            return np.bincount(slots, minlength=width)[None]
        flat = np.bincount(self.of_row * width + slots, minlength=len(self) * width)
        return flat.reshape(len(self), width)
