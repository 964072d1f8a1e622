"""Guesses at the kind of a change, where the bins of a column prove one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import Kind
from mlguard_sidecar.statistics.change import MIN_MOVED, SIZE_ALIKE, ChangeKind, Guess
from mlguard_sidecar.statistics.renamed import renamed
from mlguard_sidecar.statistics.wording import largest_gain, number, percent, range_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlguard_sidecar.baseline import ColumnBaseline
    from mlguard_sidecar.statistics.columns import ColumnStatistics

    Shares = NDArray[np.float64]

_MIN_SHARE = 0.05
"""Share of the values that a spike has at least."""

_MIN_SHIFT = 0.25
"""Standard deviations of the baseline that a mean must move to be called a shift."""

_NARROW = 0.2
"""Standard deviations of the baseline up to which a bin is narrow enough for a spike."""

_MIN_MIXED = 0.1
"""Share of the values that the new part of a mixture has at least."""

_MIN_GAIN = 1.8
"""Factor by which the bins of the new part of a mixture hold more than its old part at least."""

_ALIKE = 0.1
"""Relative difference of two moments that are taken for the same."""


@dataclass(frozen=True)
class _Change:
    """A numeric column before and now.

    Attributes:
        column: its statistics.
        baseline: what it is compared with.
        then: cumulative shares of this at the edges of the column.
        now: the same of the window.
    """

    column: ColumnStatistics
    baseline: ColumnBaseline
    then: Shares
    now: Shares

    @property
    def tolerance(self) -> float:
        """Distance of the distributions that is taken for chance."""
        return _tolerance(self.column, self.baseline)


def _tolerance(column: ColumnStatistics, baseline: ColumnBaseline) -> float:
    """Return the distance of two cumulative distributions that is taken for chance.

    1.36 (1/n + 1/m)^0.5 is the 5 % point of Kolmogorov and Smirnov; the rest is for the bins.
    """
    n, m = column.samples, int(baseline.psi_baseline.sum())
    return 0.02 + 1.36 * math.sqrt(1 / max(n, 1) + 1 / max(m, 1))


def guess(column: ColumnStatistics) -> Guess | None:
    """Return what the change of a column looks like; None if nothing fits."""
    baseline, counts = column.compared, column.counts
    if baseline is None or counts is None or not column.samples:
        return None
    if column.column.kind is Kind.CATEGORICAL:
        return _missing(column, baseline) or renamed(column, baseline)
    bins = column.column.bins
    change = _Change(
        column, baseline, _cumulated(baseline.counts[:bins]), _cumulated(counts[:bins])
    )
    return (
        _missing(column, baseline)
        or _spike_outside(change)
        or _spike_inside(change)
        or _factor(change)
        or _shift(change)
        or _mixture(change)
    )


def _cumulated(counts: NDArray[np.integer]) -> Shares:
    """Return the cumulative shares at the upper edge of each bin but the last."""
    sums: Shares = np.cumsum(counts, dtype=np.float64)
    return sums[:-1] / max(float(sums[-1]), 1.0)


def _missing(column: ColumnStatistics, baseline: ColumnBaseline) -> Guess | None:
    """Return a guess that one value of the baseline is now missing, or the reverse."""
    assert column.counts is not None  # noqa: S101 - checked by the caller
    then = baseline.counts / max(int(baseline.counts.sum()), 1)
    now = column.counts / max(int(column.counts.sum()), 1)
    went = float(now[column.column.missing] - then[column.column.missing])
    if abs(went) < MIN_MOVED:
        return None
    if went < 0:
        for name, n in column.outside.items():
            if math.isclose(n / max(column.rows, 1), -went, rel_tol=SIZE_ALIKE):
                return _no_longer_missing(name, -went)
    bins = column.column.bins
    i = _only_bin_that_moved(then[:bins], now[:bins], went, _tolerance(column, baseline))
    value = None if i is None else _value_of_bin(baseline, i)
    if value is None:
        return None
    if went < 0:
        return _no_longer_missing(value, -went)
    text = (
        f"It looks as if {_shown(value)} is now missing: {percent(went)} of the events went over."
    )
    return Guess(ChangeKind.NOW_MISSING, text)


def _only_bin_that_moved(then: Shares, now: Shares, went: float, tolerance: float) -> int | None:
    """Return the bin that lost what went missing, if the others kept their shares of the events."""
    lost = (then - now) * math.copysign(1, went)
    i = int(np.argmax(lost))
    if not math.isclose(lost[i], abs(went), rel_tol=SIZE_ALIKE):
        return None
    predicted = then.copy()
    predicted[i] = now[i]
    return i if _distance(np.cumsum(predicted), np.cumsum(now)) <= tolerance else None


def _shown(value: str | float) -> str:
    return repr(value) if isinstance(value, str) else number(value)


def _no_longer_missing(value: str | float, share: float) -> Guess:
    text = (
        f"It looks as if what was missing is now {_shown(value)}: {percent(share)} of the events."
    )
    return Guess(ChangeKind.NO_LONGER_MISSING, text)


def _value_of_bin(baseline: ColumnBaseline, i: int) -> str | float | None:
    """Return the only value that a bin of the baseline can hold; None if it can hold several."""
    column = baseline.column
    if column.kind is Kind.CATEGORICAL:
        return column.categories[i] if i < len(column.categories) else None
    if not 0 < i < len(column.edges) or not _is_tied(baseline, i):
        return None
    low, high = column.edges[i - 1 : i + 1]
    if low <= 0 <= high and high - low < 1e-5 * _width(baseline):
        return 0.0
    value = float(f"{high:.6g}")  # an edge lies within 2^-22 above the value that ends its bin
    return value if math.isclose(value, high, rel_tol=1e-6) else None


def _width(baseline: ColumnBaseline) -> float:
    assert baseline.moments is not None  # noqa: S101 - of numbers
    return baseline.moments[4] - baseline.moments[3]


def _is_tied(baseline: ColumnBaseline, i: int) -> bool:
    """Return whether a bin of the baseline holds so much that it can only be one value."""
    counts = baseline.counts[: baseline.column.bins]
    return bool(counts[i] >= 2 * counts.sum() / max(len(baseline.column.edges), 1))


def _spike_outside(change: _Change) -> Guess | None:
    """Return a guess that one value outside the baseline is new, and the rest kept its shape."""
    column = change.column
    value, n = max(column.outside.items(), key=lambda item: item[1], default=(0.0, 0))
    share = n / column.samples
    if not _MIN_SHARE <= share < 1 or not isinstance(value, float):
        return None
    spike = np.array(change.baseline.column.edges) >= value
    if _distance((1 - share) * change.then + share * spike, change.now) > change.tolerance:
        return None
    text = (
        f"A new spike: {percent(share)} or more are {number(value)}, which the baseline does not"
        " have; the rest kept its shape."
    )
    return Guess(ChangeKind.SPIKE, text)


def _spike_inside(change: _Change) -> Guess | None:
    """Return a guess that one bin within the range gained, while the rest kept its shape."""
    then, now = np.diff(change.then), np.diff(change.now)  # of the inner bins
    if not len(then):
        return None
    i = int(np.argmax(now - then))
    low, high = change.baseline.column.edges[i : i + 2]
    moments = _moments(change)
    is_narrow = moments is not None and high - low < _NARROW * moments[1]
    is_narrow = is_narrow or _is_tied(change.baseline, i + 1)
    if now[i] - then[i] < _MIN_SHARE or now[i] >= 1 or not is_narrow:
        return None
    kept = (1 - now[i]) / (1 - then[i])
    predicted = kept * change.then
    predicted[i + 1 :] += now[i] - kept * then[i]
    if _distance(predicted, change.now) > change.tolerance * kept:
        return None
    where = f"between {number(low)} and {number(high)}"
    return Guess(
        ChangeKind.SPIKE,
        f"A new spike: {percent(now[i])} lie {where}, in the baseline {percent(then[i])};"
        " the rest kept its shape.",
    )


def _factor(change: _Change) -> Guess | None:
    """Return a guess that all values were multiplied, as in another unit."""
    moments = _moments(change)
    if moments is None:
        return None
    mean, stddev, now_mean, now_stddev = moments
    if not mean or now_mean / mean <= 0:
        return None
    factor = now_stddev / stddev
    if not math.isclose(now_mean / mean, factor, rel_tol=_ALIKE):
        return None
    if abs(mean) > stddev:  # the more precise of the two
        factor = now_mean / mean
    if math.isclose(factor, 1, rel_tol=2 * _ALIKE) or not _fits(change, factor, 0.0):
        return None
    rounded = float(f"{factor:.2g}")
    text = f"It looks like a factor of about {number(rounded)}: all quantiles grew or shrank alike."
    return Guess(ChangeKind.FACTOR, text)


def _shift(change: _Change) -> Guess | None:
    """Return a guess that one number was added to all values."""
    moments = _moments(change)
    if moments is None:
        return None
    mean, stddev, now_mean, now_stddev = moments
    by = now_mean - mean
    if abs(by) < _MIN_SHIFT * stddev or not math.isclose(now_stddev, stddev, rel_tol=_ALIKE):
        return None
    if not _fits(change, 1.0, by):
        return None
    sign, size = "+" if by > 0 else "-", number(abs(float(f"{by:.3g}")))
    text = f"It looks like a shift by {sign}{size}: all quantiles moved by as much."
    return Guess(ChangeKind.SHIFT, text)


def _mixture(change: _Change) -> Guess | None:
    """Return a guess that a part of the values is as before, and a new part lies elsewhere.

    Outside one run of bins, all bins must have lost the same part of their shares.
    """
    baseline, column = change.baseline, change.column
    assert column.bins is not None  # noqa: S101 - there is a baseline
    then_counts, now_counts = baseline.psi_baseline, column.bins
    then = then_counts / max(int(then_counts.sum()), 1)
    now = now_counts / max(int(now_counts.sum()), 1)
    run = largest_gain(now - then)
    rest = np.r_[0 : run[0], run[1] : len(then)]
    mass = float(then[rest].sum())
    if len(rest) < len(then) / 2 or len(rest) < 3 or mass < 0.5:
        return None
    kept = float(now[rest].sum()) / mass
    new = 1 - kept
    if not _MIN_MIXED <= new <= 0.7:
        return None
    # chi-square of the shares within the rest, both sides with their own noise
    n, m = column.samples, int(then_counts.sum())
    variance = kept * then[rest] / n + kept**2 * then[rest] / m + 1e-12
    statistic = float(((now[rest] - kept * then[rest]) ** 2 / variance).sum())
    # mean + 1.5 standard deviations of chi-square with len(rest) - 1 degrees of freedom
    freedom = len(rest) - 1
    if statistic > freedom + 1.5 * math.sqrt(2 * freedom):
        return None
    if now[run[0] : run[1]].sum() < _MIN_GAIN * kept * (1 - mass):
        return None  # a slight change of everything looks alike
    where = range_of(baseline.psi_edges, *run)
    text = (
        f"It looks like a mixture: about {percent(kept)} are distributed as before,"
        f" and the new ones {where}."
    )
    return Guess(ChangeKind.MIXTURE, text)


def _moments(change: _Change) -> tuple[float, float, float, float] | None:
    """Return mean and standard deviation of the baseline, and of the window.

    None without them: a sliding reference has counts alone.
    """
    if change.column.is_sliding_judged:
        return None
    moments, column = change.baseline.moments, change.column
    if moments is None or column.mean is None or not column.stddev:
        return None
    values, mean, m2 = moments[:3]
    stddev = math.sqrt(m2 / values) if values else 0.0
    return (mean, stddev, column.mean, column.stddev) if stddev else None


def _fits(change: _Change, factor: float, by: float) -> bool:
    """Return whether the baseline's values, times a factor and plus a number, fall as those now."""
    edges = np.array(change.baseline.column.edges)
    back = (edges - by) / factor
    # all of a bin counts at its upper edge, which is right for ties and close elsewhere
    index = np.searchsorted(edges, back + 1e-6 * np.abs(back), side="right")
    predicted = np.concatenate([[0.0], change.then])[index]
    predicted[back >= edges[-1]] = 1.0
    return _distance(predicted, change.now) <= change.tolerance


def _distance(some: Shares, others: Shares) -> float:
    """Return the largest difference of two cumulative distributions."""
    return float(np.abs(some - others).max(initial=0.0))
