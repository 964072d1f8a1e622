"""What one feature or prediction is counted into: its bins, and a code for each value."""

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
    """How the values of a column are read."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class Role(StrEnum):
    """Whether a column describes the model's input or its output."""

    FEATURE = "feature"
    PREDICTION = "prediction"


@dataclass(frozen=True)
class Column:
    """The bins of one feature, of `y_pred` or of `y_proba`.

    A numeric column with edges e[0] < ... < e[k-1] has k + 1 bins, closed on the right: bin 0 is
    v <= e[0], bin i is e[i-1] < v <= e[i], bin k is v > e[k-1]. A categorical column has a bin for
    each category and a last one for all that is unseen. Without a baseline there are no edges and
    no categories, and so one bin.

    Behind its bins a column has two more slots, `missing` and `invalid`, so that each sampled row
    adds one to exactly one slot.

    Attributes:
        name: the feature's name, or `y_pred` or `y_proba`.
        kind: how values are read; a value of the other kind is invalid.
        role: input or output of the model.
        edges: ascending edges of a numeric column.
        categories: categories in the baseline's order, most frequent first.
        codes: whether numbers are valid categories, as class numbers and identifiers are.
    """

    name: str
    kind: Kind
    role: Role = Role.FEATURE
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    codes: bool = False

    @cached_property
    def bins(self) -> int:
        """How many bins valid values fall into."""
        return len(self.edges if self.kind is Kind.NUMERIC else self.categories) + 1

    @property
    def missing(self) -> int:
        """The slot of missing values."""
        return self.bins

    @property
    def invalid(self) -> int:
        """The slot of values of the wrong kind."""
        return self.bins + 1

    @property
    def slots(self) -> int:
        """Bins, missing and invalid together."""
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
        """Count values, part by part, in one pass.

        Args:
            values: as JSON knows them: number, bool, string or None; in the order of the parts.
            parts: which of them belong together.

        Returns:
            Counts of the slots, an array of (parts, slots), and moments, one of (parts, 5);
            no moments for a categorical column.
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
    """The kind that a column has when this is its first value.

    A number is numeric; but a prediction that is a whole number is a class, and only one with a
    point is the value of a regression.
    """
    numbers = float if role is Role.PREDICTION else (int, float)
    numeric = isinstance(value, numbers) and not isinstance(value, bool)
    return Kind.NUMERIC if numeric else Kind.CATEGORICAL


def bin_counts(numbers: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many numbers fall into each of the bins between ascending edges, closed on the right.

    The edges are looked up among the sorted numbers, not the numbers among the edges: numpy sorts
    many times faster than it searches.
    """
    at_or_below = np.searchsorted(np.sort(numbers), edges, side="right")
    return np.diff(at_or_below, prepend=0, append=len(numbers))


@dataclass(frozen=True)
class Layout:
    """Columns side by side in one vector of counts and one matrix of moments.

    It only ever grows at its end, so a vector written under a shorter layout stays readable.
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
        """Where each column stands, by role and name."""
        return {(c.role, c.name): i for i, c in enumerate(self.columns)}

    def with_columns(self, columns: Iterable[Column]) -> Layout:
        """This layout with more columns at its end."""
        return Layout((*self.columns, *columns))

    def slots(self, column: int) -> slice:
        """Where the slots of a column lie in the vector of counts."""
        start = self.starts[column]
        return slice(start, start + self.columns[column].slots)
