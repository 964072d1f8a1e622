"""Columns: the bins of one feature or prediction, and the counting of values into them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram.encoded_column import mapped
from mlguard_sidecar.histogram.pane import moments_by_part
from mlguard_sidecar.histogram.values import (
    INVALID,
    as_number,
    as_numbers,
    category,
    is_bool,
    is_missing,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from mlguard_sidecar.histogram.encoded_column import Values
    from mlguard_sidecar.histogram.partition import Partition


class Kind(StrEnum):
    """Type of the values of a column; UNDECIDED before a baseline is built from them."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    UNDECIDED = "undecided"


class Role(StrEnum):
    """Role of a column: input or output of the model."""

    FEATURE = "feature"
    PREDICTION = "prediction"


@dataclass(frozen=True)
class Column:
    """Bins of one feature, of `y_pred` or of `y_proba`.

    A numeric column with edges e[0] < ... < e[k-1] has k + 1 bins, closed on the right: bin 0 is
    v <= e[0], bin i is e[i-1] < v <= e[i], bin k is v > e[k-1]. A categorical column has a bin for
    each category, and a last one for all other values. Without a baseline there are neither edges
    nor categories, and so there is one bin. A column of undecided kind has a bin for numbers and
    one for all other values.

    After the bins there are two more slots, `missing` and `invalid`. Each counted row adds 1 to
    exactly one slot.

    Attributes:
        name: the feature's name, or `y_pred` or `y_proba`.
        kind: numeric, categorical or undecided; a value of the other kind is invalid.
        role: input or output of the model.
        edges: ascending edges of a numeric column.
        categories: categories of the baseline, most frequent first.
        missing_words: texts that mean a missing value, besides those of every column.
    """

    name: str
    kind: Kind
    role: Role = Role.FEATURE
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    missing_words: tuple[str, ...] = ()

    @cached_property
    def bins(self) -> int:
        """Number of bins for valid values."""
        if self.kind is Kind.UNDECIDED:
            return 2
        return len(self.edges if self.kind is Kind.NUMERIC else self.categories) + 1

    @property
    def missing(self) -> int:
        """Index of the slot of missing values."""
        return self.bins

    @property
    def invalid(self) -> int:
        """Index of the slot of values of the wrong kind."""
        return self.bins + 1

    @property
    def slots(self) -> int:
        """Number of slots: the bins, `missing` and `invalid`."""
        return self.bins + 2

    @cached_property
    def _edge_array(self) -> NDArray[np.float64]:
        return np.array(self.edges, dtype=np.float64)

    @cached_property
    def _bin_of(self) -> dict[str, int]:
        bins: dict[str, int] = {}
        for i, text in enumerate(self.categories):  # as they are read in events
            bins.setdefault(category(text), i)
        return bins

    def fold(
        self, values: Values, parts: Partition
    ) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
        """Count the values of each part, in one pass.

        Args:
            values: a number, bool, string, None or INVALID each; in the order of the parts.
            parts: the parts of the values.

        Returns:
            Counts of the slots, of shape (parts, slots), and moments, of shape (parts, 5); None
            instead of moments for a categorical column.
        """
        if self.kind is Kind.CATEGORICAL:
            return parts.count(mapped(values, self.category_slot), self.slots), None
        numbers, wrong = as_numbers(values, self.missing_words)
        finite = np.isfinite(numbers)
        present = None if finite.all() else finite
        if self.kind is Kind.UNDECIDED:
            return self._fold_undecided(values, numbers, finite, parts)
        if len(parts) == 1:
            counts = np.zeros((1, self.slots), dtype=np.int64)
            sample = numbers if present is None else numbers[present]
            counts[0, : self.bins] = bin_counts(sample, self._edge_array)
            if present is not None:
                counts[0, self.invalid] = wrong.sum()
                counts[0, self.missing] = (~present).sum() - counts[0, self.invalid]
        else:
            slots = np.searchsorted(self._edge_array, numbers)
            if present is not None:
                slots[~present] = self.missing
                slots[np.flatnonzero(wrong)] = self.invalid
            counts = parts.count(slots, self.slots)
        return counts, moments_by_part(numbers, present, parts)

    def _fold_undecided(
        self,
        values: Values,
        numbers: NDArray[np.float64],
        finite: NDArray[np.bool_],
        parts: Partition,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        if finite.all() and (
            isinstance(values, np.ndarray) or set(map(type, values)) <= {int, float}
        ):
            slots = np.zeros(parts.rows, dtype=np.intp)
        else:
            slots = mapped(values, self._undecided_slot)
        present = slots == 0
        return parts.count(slots, self.slots), moments_by_part(numbers, present, parts)

    def category_slot(self, value: object) -> int:
        """Return the slot of a value of a categorical column."""
        if is_missing(value, self.missing_words):
            return self.missing
        if value is INVALID:
            return self.invalid
        return self._bin_of.get(category(value), self.bins - 1)

    def _undecided_slot(self, value: object) -> int:
        if value is INVALID:
            return self.invalid
        number = as_number(value, self.missing_words)
        if number is None or is_bool(value):
            return 1
        return 0 if math.isfinite(number) else self.missing


def bin_counts(numbers: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many numbers fall into each bin between ascending edges, closed on the right.

    The edges are searched among the sorted numbers, not the numbers among the edges: numpy sorts
    many times faster than it searches.
    """
    counts = np.empty(len(edges) + 1, dtype=np.int64)
    counts[:-1] = np.searchsorted(np.sort(numbers), edges, side="right")
    counts[-1] = len(numbers)
    counts[1:] -= counts[:-1].copy()  # at or below an edge, without what is below the one before
    return counts


@dataclass(frozen=True)
class Layout:
    """Columns that are concatenated in one vector of counts and one matrix of moments.

    A layout grows only at its end, so that a vector of a shorter layout stays readable.

    Attributes:
        columns: the columns.
        starts: index of the first slot of each column.
        width: total number of slots.
    """

    columns: tuple[Column, ...] = ()
    starts: tuple[int, ...] = field(init=False)
    width: int = field(init=False)

    def __post_init__(self) -> None:
        ends = np.cumsum([0, *(c.slots for c in self.columns)]).tolist()
        object.__setattr__(self, "starts", tuple(ends[:-1]))
        object.__setattr__(self, "width", ends[-1])

    @cached_property
    def index(self) -> dict[tuple[Role, str], int]:
        """Role and name of each column -> its index."""
        return {(c.role, c.name): i for i, c in enumerate(self.columns)}

    def with_columns(self, columns: Iterable[Column]) -> Layout:
        """Return this layout with further columns at its end."""
        return Layout((*self.columns, *columns))

    def slots(self, column: int) -> slice:
        """Return the slice of a column's slots in the vector of counts."""
        start = self.starts[column]
        return slice(start, start + self.columns[column].slots)
