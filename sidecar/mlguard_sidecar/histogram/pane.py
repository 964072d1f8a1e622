"""Panes: counts and moments of an interval of time, and the arithmetic of merging them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram.outside import Outside, merge_outside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.histogram.partition import Partition

COUNT, MEAN, M2, MIN, MAX = range(5)
MAX_COUNT = np.iinfo(np.int64).max
"""Maximum count; counts saturate instead of overflowing."""

_MAX_FLOAT = float(np.finfo(np.float64).max)
_NO_MOMENTS = (0.0, 0.0, 0.0, np.inf, -np.inf)


@dataclass(frozen=True)
class Pane:
    """Histograms of an interval of time.

    Attributes:
        counts: int64 of shape (slots,); int32 in panes that were just counted.
        moments: float64 of shape (columns, 5): count, mean, sum of squared deviations from the
            mean (M2), minimum, maximum.
        outside: index of a column -> its most frequent values outside the baseline.
    """

    counts: NDArray[np.integer]
    moments: NDArray[np.float64]
    outside: Outside = field(default_factory=dict)

    @staticmethod
    def zeros(width: int, columns: int) -> Pane:
        """Return an empty pane, the neutral element of merging."""
        return Pane(np.zeros(width, dtype=np.int64), no_moments(columns))

    def copy(self) -> Pane:
        """Return a copy with memory of its own."""
        return Pane(self.counts.copy(), self.moments.copy(), self.outside)

    def merged(self, other: Pane) -> Pane:
        """Return the pane of the events of both."""
        return merge_panes((self, other))


def no_moments(*shape: int) -> NDArray[np.float64]:
    """Return the moments of no values, an array of shape (*shape, 5)."""
    moments = np.empty((*shape, 5))
    moments[...] = _NO_MOMENTS
    return moments


def merge_panes(panes: Sequence[Pane]) -> Pane:
    """Return the pane of the events of all panes.

    A pane of a shorter layout is treated as if its last columns were empty.
    """
    width = max((len(pane.counts) for pane in panes), default=0)
    counts = np.zeros(width, dtype=np.int64)
    for pane in panes:
        counts[: len(pane.counts)] += pane.counts
        if pane.counts.size and counts.min() < 0:
            counts[counts < 0] = MAX_COUNT
    moments = merge_moments([pane.moments for pane in panes])
    return Pane(counts, moments, merge_outside([pane.outside for pane in panes]))


def merge_moments(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the moments of the values of all parts; parts may lack the last columns.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979); for more than two parts, the sum of their formula.

    Args:
        parts: arrays of shape (columns, 5).
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
    # relative to the mean of a part that has values, so that sums of equal means are exact
    origin = means[counts.argmax(axis=0), np.arange(means.shape[1])]
    with np.errstate(over="ignore", invalid="ignore"):
        shares = counts / np.maximum(total, 1.0)
        mean = origin + (shares * np.where(counts > 0, means - origin, 0.0)).sum(axis=0)
        if not np.isfinite(mean).all():  # a difference of two means has overflowed
            sums = (shares * np.where(counts > 0, means, 0.0)).sum(axis=0)
            mean = np.where(np.isfinite(mean), mean, sums)
        # the clip corrects rounding: a mean lies between the extremes
        mean = np.where(total > 0, np.clip(mean, low, high), 0.0)
        deviations = np.where(counts > 0, means - mean, 0.0)
        m2 = stack[..., M2].sum(axis=0) + (counts * deviations * deviations).sum(axis=0)
    merged[..., COUNT], merged[..., MEAN] = total, mean
    merged[..., M2] = np.minimum(m2, _MAX_FLOAT)
    return merged


def moments_of(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return count, mean, M2, minimum and maximum of finite numbers, of shape (5,)."""
    n = len(numbers)
    if n == 0:
        return np.array(_NO_MOMENTS)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = np.minimum.reduce(numbers), np.maximum.reduce(numbers)
        # the clip corrects rounding: a mean lies between the extremes
        mean = np.add.reduce(numbers) / n
        if not np.isfinite(mean):  # the sum has overflowed
            mean = np.add.reduce(numbers / n)
        mean = min(max(mean, low), high)
        deviations = numbers - mean
        m2 = min(float(np.dot(deviations, deviations)), _MAX_FLOAT)
        return np.array((n, mean, m2, low, high), dtype=np.float64)


def moments_by_part(
    numbers: NDArray[np.float64], present: NDArray[np.bool_] | None, parts: Partition
) -> NDArray[np.float64]:
    """Return the moments of the numbers of each part, of shape (parts, 5).

    Args:
        numbers: numbers in the order of the parts.
        present: which of them are finite; None if all are.
        parts: the parts of the numbers.
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
        if not np.isfinite(mean).all():  # a sum has overflowed
            shares = values / np.maximum(counts, 1.0)[parts.of_row]
            mean = np.where(np.isfinite(mean), mean, np.add.reduceat(shares, starts))
        mean = np.where(counts > 0, np.clip(mean, low, high), 0.0)
        deviations = values - mean[parts.of_row]
        if present is not None:
            deviations[~present] = 0.0
        out[:, M2] = np.minimum(np.add.reduceat(deviations * deviations, starts), _MAX_FLOAT)
    out[:, COUNT], out[:, MEAN], out[:, MIN], out[:, MAX] = counts, mean, low, high
    return out
