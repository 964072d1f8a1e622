"""A baseline in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import CLASS_LIMIT, OTHER, Column, Kind, Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ColumnBaseline:
    """The baseline of one feature, of `y_pred` or of `y_proba`.

    Attributes:
        column: its bins.
        counts: int64, for each slot of the column.
        moments: count, mean, M2, minimum, maximum of a numeric column, else None.
        psi_edges: the edges between the bins that drift is judged by, some of the column's edges.
    """

    column: Column
    counts: NDArray[np.int64]
    moments: tuple[float, float, float, float, float] | None = None
    psi_edges: tuple[float, ...] = ()

    @cached_property
    def _psi_starts(self) -> NDArray[np.intp]:
        """Where each PSI bin begins among the column's bins."""
        if self.column.kind is Kind.CATEGORICAL:
            return np.arange(min(CLASS_LIMIT, self.column.bins - 1) + 1, dtype=np.intp)
        inner = np.searchsorted(np.array(self.column.edges), np.array(self.psi_edges)) + 1
        return np.concatenate([[0], inner]).astype(np.intp)

    def psi_counts(self, counts: NDArray[np.integer]) -> NDArray[np.int64]:
        """Counts of the PSI bins, given those of the column's slots."""
        return np.add.reduceat(counts[: self.column.bins], self._psi_starts)

    @cached_property
    def psi_baseline(self) -> NDArray[np.int64]:
        """The baseline's own counts of the PSI bins."""
        return self.psi_counts(self.counts)

    @cached_property
    def psi_labels(self) -> tuple[str, ...]:
        """A text for each PSI bin, the same wherever this baseline is used."""
        if self.column.kind is Kind.CATEGORICAL:
            return (*self.column.categories[:CLASS_LIMIT], OTHER)
        return (*(f"<={edge!r}" for edge in self.psi_edges), f">{self.psi_edges[-1]!r}")

    @cached_property
    def _range(self) -> tuple[int, int]:
        """The first and the last bin of the baseline's own values, the latter left out."""
        assert self.moments is not None  # noqa: S101 - of numbers
        edges = np.array(self.column.edges)
        low, high = self.moments[3], self.moments[4]
        first = int(np.searchsorted(edges, math.nextafter(low, -math.inf), side="right"))
        return first, int(np.searchsorted(edges, high)) + 1

    def out_of_range(self, counts: NDArray[np.integer]) -> int:
        """Return how many counted values lie below the baseline's minimum or above its maximum."""
        if self.moments is None:
            return 0
        first, last = self._range
        return int(counts[:first].sum() + counts[last : self.column.bins].sum())


@dataclass(frozen=True)
class Baseline:
    """A frozen histogram of every column, known by a hash of its content.

    Attributes:
        id: the first 12 hex digits of the SHA-256 of the file's canonical bytes.
        created: when it was built, epoch seconds.
        source: where it came from: `first_events`, or the name of the data file.
        samples: rows that it was built from.
        columns: features by name, then predictions.
        body: the file's canonical bytes.
    """

    id: str
    created: float
    source: str
    samples: int
    columns: tuple[ColumnBaseline, ...]
    body: bytes

    @cached_property
    def layout(self) -> Layout:
        """Where each column is counted."""
        return Layout(tuple(c.column for c in self.columns))
