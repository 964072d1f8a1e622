"""Distances between two histograms over the same bins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64] | NDArray[np.floating]


def smoothed_ratios(counts: Counts, smoothing: float) -> NDArray[np.float64]:
    """Return the shares of the bins, with `smoothing` added to the count of each."""
    return _shares(counts + smoothing, np.zeros(1, dtype=np.intp))


def psi(baseline: Counts, current: Counts, smoothing: float = 0.5) -> float:
    """Return the population stability index: the sum of (p - q) ln(p / q) over the bins.

    Args:
        baseline: count of each bin, at least one above 0.
        current: counts of the same bins.
        smoothing: added to each count; with 0, a bin that is empty on one side gives infinity.

    Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal of
    Risk Model Validation 14(4), 2020.
    """
    return float(psi_by_column(baseline, current, np.zeros(1, dtype=np.intp), smoothing)[0])


def psi_by_column(
    baseline: Counts, current: Counts, starts: NDArray[np.intp], smoothing: float
) -> NDArray[np.float64]:
    """Return the `psi` of several columns, whose bins are concatenated.

    Args:
        baseline: counts of the bins of all columns.
        current: counts of the same bins.
        starts: index of the first bin of each column.
        smoothing: added to each count.
    """
    q, p = _shares(baseline + smoothing, starts), _shares(current + smoothing, starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = (p - q) * np.log(p / q)
    return np.add.reduceat(np.where((p == 0) & (q == 0), 0.0, terms), starts)


def js_distance(baseline: Counts, current: Counts) -> float:
    """Return the Jensen-Shannon distance to base 2, from 0 (equal) to 1 (disjoint).

    Endres and Schindelin, "A new metric for probability distributions" (2003).
    """
    return float(js_distance_by_column(baseline, current, np.zeros(1, dtype=np.intp))[0])


def js_distance_by_column(
    baseline: Counts, current: Counts, starts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the `js_distance` of several columns, whose bins are concatenated."""
    q, p = _shares(baseline, starts), _shares(current, starts)
    middle = (p + q) / 2
    terms = np.zeros(len(p))
    for side in (p, q):
        used = side > 0
        terms[used] += 0.5 * side[used] * np.log2(side[used] / middle[used])
    return np.sqrt(np.maximum(np.add.reduceat(terms, starts), 0.0))


def _shares(counts: Counts, starts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return each bin's share of its column."""
    widths = np.diff(starts, append=len(counts))
    ratios: NDArray[np.float64] = counts / np.repeat(np.add.reduceat(counts, starts), widths)
    return ratios
