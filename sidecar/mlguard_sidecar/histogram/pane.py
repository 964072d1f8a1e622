"""Counts and moments of one stretch of time, and the arithmetic by which they merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.histogram.partition import Partition

COUNT, MEAN, M2, MIN, MAX = range(5)
MAX_COUNT = np.iinfo(np.int64).max
"""A count that is full: it stays, rather than going over the edge."""

_MAX_FLOAT = float(np.finfo(np.float64).max)
_NO_MOMENTS = (0.0, 0.0, 0.0, np.inf, -np.inf)


@dataclass(frozen=True)
class Pane:
    """Histograms of one stretch of time.

    Attributes:
        counts: int64, one for each slot of a layout; int32 where a pane was just counted.
        moments: float64, a row for each column: count, mean, sum of squared deviations from the
            mean (M2), minimum, maximum.
    """

    counts: NDArray[np.integer]
    moments: NDArray[np.float64]

    @staticmethod
    def zeros(width: int, columns: int) -> Pane:
        """Return a pane of nothing: the neutral element of merging."""
        return Pane(np.zeros(width, dtype=np.int64), no_moments(columns))

    def copy(self) -> Pane:
        """Return the same in memory of its own."""
        return Pane(self.counts.copy(), self.moments.copy())

    def merged(self, other: Pane) -> Pane:
        """Return both panes as if their events had been counted into one."""
        return merge_panes((self, other))


def no_moments(*shape: int) -> NDArray[np.float64]:
    """Return the moments of no values: an array of this shape, and a last axis of five."""
    return np.tile(_NO_MOMENTS, (*shape, 1))


def merge_panes(panes: Sequence[Pane]) -> Pane:
    """Return panes as if all their events had been counted into one.

    A pane of a shorter layout is read as one of the longer with nothing in its last columns.
    """
    width = max((len(pane.counts) for pane in panes), default=0)
    counts = np.zeros(width, dtype=np.int64)
    for pane in panes:
        counts[: len(pane.counts)] += pane.counts
        if pane.counts.size and counts.min() < 0:
            counts[counts < 0] = MAX_COUNT
    return Pane(counts, merge_moments([pane.moments for pane in panes]))


def merge_moments(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the moments of all values together; parts may lack the last columns.

    The pairwise formula of Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm
    for computing sample variances" (1979), for two parts, and its sum over all for more.
    """
    columns = max((len(part) for part in parts), default=0)
    if len(parts) == 1:
        return parts[0]
    stack = no_moments(len(parts), columns)
    for row, part in zip(stack, parts, strict=True):
        row[: len(part)] = part
    return _merge_stack(stack)


def _merge_stack(stack: NDArray[np.float64]) -> NDArray[np.float64]:
    """Merge along the first axis."""
    merged = np.empty(stack.shape[1:])
    if not len(stack):
        return no_moments(*stack.shape[1:-1])
    counts, means = stack[..., COUNT], stack[..., MEAN]
    total = counts.sum(axis=0)
    merged[..., MIN] = low = stack[..., MIN].min(axis=0)
    merged[..., MAX] = high = stack[..., MAX].max(axis=0)
    # from the mean of a part that has values, so that sums of equal means are exact
    origin = np.take_along_axis(means, counts.argmax(axis=0)[None], axis=0)[0]
    with np.errstate(over="ignore", invalid="ignore"):
        shares = counts / np.maximum(total, 1.0)
        mean = origin + (shares * np.where(counts > 0, means - origin, 0.0)).sum(axis=0)
        if not np.isfinite(mean).all():  # a difference of two means is beyond any float
            sums = (shares * np.where(counts > 0, means, 0.0)).sum(axis=0)
            mean = np.where(np.isfinite(mean), mean, sums)
        # the clip mends rounding: a mean lies between the extremes
        mean = np.where(total > 0, np.clip(mean, low, high), 0.0)
        deviations = np.where(counts > 0, means - mean, 0.0)
        m2 = stack[..., M2].sum(axis=0) + (counts * deviations * deviations).sum(axis=0)
    merged[..., COUNT], merged[..., MEAN] = total, mean
    merged[..., M2] = np.minimum(m2, _MAX_FLOAT)
    return merged


def moments_of(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return count, mean, M2, minimum and maximum of finite numbers."""
    n = len(numbers)
    if n == 0:
        return np.array(_NO_MOMENTS)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = numbers.min(), numbers.max()
        # the clip mends rounding: a mean lies between the extremes, and the mean of equals is it
        mean = min(max(numbers.mean(), low), high)
        deviations = numbers - mean
        m2 = min(float(np.dot(deviations, deviations)), _MAX_FLOAT)
        return np.array((n, mean, m2, low, high), dtype=np.float64)


def moments_by_part(
    numbers: NDArray[np.float64], present: NDArray[np.bool_] | None, parts: Partition
) -> NDArray[np.float64]:
    """Return the moments of the numbers of each part, an array of (parts, 5).

    Args:
        numbers: in the order of the parts.
        present: which of them are finite; None where all are.
        parts: where they lie.
    """
    if len(parts) == 1:
        return moments_of(numbers if present is None else numbers[present])[None]
    starts = parts.starts
    out = np.empty((len(parts), 5))
    with np.errstate(over="ignore", invalid="ignore"):
        if present is None:
            counts = parts.lengths.astype(np.float64)
            values, lows, highs = numbers, numbers, numbers
        else:
            counts = np.add.reduceat(present.astype(np.float64), starts)
            values = np.where(present, numbers, 0.0)
            lows, highs = np.where(present, numbers, np.inf), np.where(present, numbers, -np.inf)
        low, high = np.minimum.reduceat(lows, starts), np.maximum.reduceat(highs, starts)
        mean = np.add.reduceat(values, starts) / np.maximum(counts, 1.0)
        mean = np.where(counts > 0, np.clip(mean, low, high), 0.0)
        deviations = values - mean[parts.of_row]
        if present is not None:
            deviations[~present] = 0.0
        out[:, M2] = np.minimum(np.add.reduceat(deviations * deviations, starts), _MAX_FLOAT)
    out[:, COUNT], out[:, MEAN], out[:, MIN], out[:, MAX] = counts, mean, low, high
    return out
