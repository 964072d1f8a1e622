"""Counts and moments of one stretch of time, and the arithmetic by which they merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNT, MEAN, M2, MIN, MAX = range(5)
Moments = tuple[float, float, float, float, float]
_LARGEST_FLOAT = float(np.finfo(np.float64).max)
_LARGEST = np.iinfo(np.int64).max
_NO_MOMENTS: Moments = (0.0, 0.0, 0.0, np.inf, -np.inf)


@dataclass(frozen=True)
class Pane:
    """Histograms of one stretch of time.

    Attributes:
        counts: int64, one for each slot of a layout.
        moments: float64, a row for each column: count, mean, sum of squared deviations from the
            mean (M2), minimum, maximum.
    """

    counts: NDArray[np.int64]
    moments: NDArray[np.float64]

    @staticmethod
    def zeros(width: int, columns: int) -> Pane:
        """A pane of nothing: the neutral element of merging."""
        return Pane(np.zeros(width, dtype=np.int64), np.tile(_NO_MOMENTS, (columns, 1)))

    def merged(self, other: Pane) -> Pane:
        """Both panes as if their events had been counted into one.

        A pane of a shorter layout is read as one of the longer with nothing in its last columns.
        Moments by Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
        computing sample variances" (1979).
        """
        long, short = (self, other) if len(self.counts) >= len(other.counts) else (other, self)
        counts = long.counts.copy()
        counts[: len(short.counts)] += short.counts
        counts[counts < 0] = _LARGEST  # full, rather than over the edge
        moments = long.moments.copy()
        k = len(short.moments)
        moments[:k] = _merge_moments(moments[:k], short.moments)
        return Pane(counts, moments)


def moments_of(numbers: NDArray[np.float64]) -> Moments:
    """Count, mean, M2, minimum and maximum of finite numbers."""
    n = len(numbers)
    if n == 0:
        return _NO_MOMENTS
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = numbers.min(), numbers.max()
        # the clip mends rounding: a mean lies between the extremes, and the mean of equals is it
        mean = min(max(numbers.mean(), low), high)
        deviations = numbers - mean
        m2 = min(float(np.dot(deviations, deviations)), _LARGEST_FLOAT)
        return float(n), float(mean), m2, float(low), float(high)


def _merge_moments(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty_like(a)
    n = a[:, COUNT] + b[:, COUNT]
    with np.errstate(over="ignore", invalid="ignore"):
        share = b[:, COUNT] / np.maximum(n, 1.0)
        delta = b[:, MEAN] - a[:, MEAN]
        out[:, COUNT] = n
        out[:, MEAN] = np.where(a[:, COUNT] == 0, b[:, MEAN], a[:, MEAN] + delta * share)
        out[:, M2] = a[:, M2] + b[:, M2] + delta * delta * a[:, COUNT] * share
    out[:, MIN] = np.minimum(a[:, MIN], b[:, MIN])
    out[:, MAX] = np.maximum(a[:, MAX], b[:, MAX])
    return out
