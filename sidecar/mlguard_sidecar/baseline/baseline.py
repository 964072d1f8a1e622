"""Baselines in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline.bins import edge_label
from mlguard_sidecar.histogram import CLASS_LIMIT, OTHER, Column, Kind, Layout
from mlguard_sidecar.outcomes import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlguard_sidecar.baseline.quality import BaselineQuality


@dataclass(frozen=True)
class ColumnBaseline:
    """Baseline of one feature, of `y_pred` or of `y_proba`.

    Attributes:
        column: the bins.
        counts: int64, one for each slot of the column.
        moments: count, mean, M2, minimum, maximum of a numeric column, else None.
        psi_edges: edges between the bins of drift, a subset of the column's edges.
    """

    column: Column
    counts: NDArray[np.int64]
    moments: tuple[float, float, float, float, float] | None = None
    psi_edges: tuple[float, ...] = ()

    @cached_property
    def _psi_starts(self) -> NDArray[np.intp]:
        """Index of the first bin of the column in each PSI bin."""
        if self.column.kind is Kind.CATEGORICAL:
            return np.arange(min(CLASS_LIMIT, self.column.bins - 1) + 1, dtype=np.intp)
        inner = np.searchsorted(np.array(self.column.edges), np.array(self.psi_edges)) + 1
        return np.concatenate([[0], inner]).astype(np.intp)

    def psi_counts(self, counts: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the counts of the PSI bins, given those of the column's slots."""
        return np.add.reduceat(counts[: self.column.bins], self._psi_starts)

    @cached_property
    def psi_baseline(self) -> NDArray[np.int64]:
        """Counts of the PSI bins in the baseline."""
        return self.psi_counts(self.counts)

    @cached_property
    def psi_labels(self) -> tuple[str, ...]:
        """Label of each PSI bin, the same on every replica with this baseline."""
        if self.column.kind is Kind.CATEGORICAL:
            return (*self.column.categories[:CLASS_LIMIT], OTHER)
        texts = [edge_label(edge) for edge in self.psi_edges]
        if len(set(texts)) < len(texts):
            texts = [repr(edge) for edge in self.psi_edges]
        return (*(f"<={text}" for text in texts), f">{texts[-1]}")

    @cached_property
    def _range(self) -> tuple[int, int]:
        """First bin with values of the baseline, and the bin after the last such bin.

        Edges lie just outside the extremes, so that their float32 falls into the same bins.
        """
        assert self.moments is not None  # noqa: S101 - of numbers
        edges = np.array(self.column.edges)
        low, high = self.moments[3], self.moments[4]
        return int(np.searchsorted(edges, low)), int(np.searchsorted(edges, high)) + 1

    def rows_out_of_range(self, numbers: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the indices of finite numbers outside the baseline's range."""
        first, last = self._range
        edges = self.column.edges
        low = edges[first - 1] if first else -math.inf
        high = edges[last - 1] if last <= len(edges) else math.inf
        rows = np.flatnonzero((numbers <= low) | (numbers > high))
        return rows[np.isfinite(numbers[rows])]

    def out_of_range(self, counts: NDArray[np.integer]) -> int:
        """Return how many counted values lie below the baseline's minimum or above its maximum."""
        if self.moments is None:
            return 0
        first, last = self._range
        return int(counts[:first].sum() + counts[last : self.column.bins].sum())


@dataclass(frozen=True)
class Baseline:
    """Frozen histogram of each column, identified by a hash of its content.

    Attributes:
        id: the first 12 hex digits of the SHA-256 of the file's canonical bytes.
        created: when it was built, epoch seconds.
        source: `first_events`, or the name of the data file.
        samples: number of rows from which it was built.
        columns: features by name, then predictions.
        not_watched: columns of the data that are not part of the baseline -> why.
        body: the file's canonical bytes.
        quality: sums of the predictions beside the truths of the data; None without truths.
    """

    id: str
    created: float
    source: str
    samples: int
    columns: tuple[ColumnBaseline, ...]
    not_watched: Mapping[str, str]
    body: bytes
    quality: BaselineQuality | None = None

    @property
    def outcomes(self) -> int | None:
        """Number of truths beside which its quality was found; None without quality."""
        return None if self.quality is None else int(self.quality.pane.counts[Tally.OUTCOMES])

    @cached_property
    def layout(self) -> Layout:
        """Layout of the columns of the baseline."""
        return Layout(tuple(c.column for c in self.columns))
