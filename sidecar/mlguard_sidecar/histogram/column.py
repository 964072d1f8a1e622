"""Columns: the bins of one feature or prediction, and the counting of values into them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram.pane import moments_by_part
from mlguard_sidecar.histogram.values import as_numbers, category, mapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.histogram.partition import Partition

    Values = Sequence[object] | NDArray[np.float64]


class Kind(StrEnum):
    """Type of the values of a column."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


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
    nor categories, and so there is one bin.

    After the bins there are two more slots, `missing` and `invalid`. Each counted row adds 1 to
    exactly one slot.

    Attributes:
        name: the feature's name, or `y_pred` or `y_proba`.
        kind: numeric or categorical; a value of the other kind is invalid.
        role: input or output of the model.
        edges: ascending edges of a numeric column.
        categories: categories of the baseline, most frequent first.
        codes: whether numbers are valid categories, such as class numbers and identifiers.
    """

    name: str
    kind: Kind
    role: Role = Role.FEATURE
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    codes: bool = False

    @cached_property
    def bins(self) -> int:
        """Number of bins for valid values."""
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
        return {text: i for i, text in enumerate(self.categories)}

    def fold(
        self, values: Values, parts: Partition
    ) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
        """Count the values of each part, in one pass.

        Args:
            values: a number, bool, string or None each; in the order of the parts.
            parts: the parts of the values.

        Returns:
            Counts of the slots, of shape (parts, slots), and moments, of shape (parts, 5); None
            instead of moments for a categorical column.
        """
        if self.kind is Kind.CATEGORICAL:
            return parts.count(mapped(values, self._slot), self.slots), None
        numbers, wrong = as_numbers(values)
        finite = np.isfinite(numbers)
        present = None if finite.all() else finite
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

    def _slot(self, value: object) -> int:
        if isinstance(value, float) and not math.isfinite(value):
            return self.missing
        if value is None:
            return self.missing
        if not self.codes and isinstance(value, int | float) and not isinstance(value, bool):
            return self.invalid
        return self._bin_of.get(category(value), self.bins - 1)


def kind_of(value: object, role: Role) -> Kind:
    """Return the kind of a column whose first value this is.

    A number is numeric. But a prediction that is an integer is a class; only a float is the value
    of a regression.
    """
    numbers = float if role is Role.PREDICTION else (int, float)
    numeric = isinstance(value, numbers) and not isinstance(value, bool)
    return Kind.NUMERIC if numeric else Kind.CATEGORICAL


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
