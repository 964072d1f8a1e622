"""Distances between two histograms over the same bins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.drift.chi_square import chi_square_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray


def smoothed_ratios(counts: NDArray[np.int64], smoothing: float) -> NDArray[np.float64]:
    """Shares of the bins after `smoothing` is added to each bin's count."""
    padded = counts + smoothing
    ratios: NDArray[np.float64] = padded / padded.sum()
    return ratios


def psi(baseline: NDArray[np.int64], current: NDArray[np.int64], smoothing: float = 0.5) -> float:
    """Population stability index: the sum of (p - q) ln(p / q) over the bins.

    Args:
        baseline: counts of each bin, at least one of them above zero.
        current: counts of the same bins.
        smoothing: added to each count; with 0, a bin empty on one side alone gives infinity.

    Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal of
    Risk Model Validation 14(4), 2020.
    """
    q, p = smoothed_ratios(baseline, smoothing), smoothed_ratios(current, smoothing)
    used = (p > 0) | (q > 0)
    p, q = p[used], q[used]
    if not (p.all() and q.all()):
        return math.inf
    return float(np.dot(p - q, np.log(p / q)))


def psi_critical(alpha: float, bins: int, baseline: int, current: int) -> float:
    """The PSI that chance alone exceeds with probability `alpha`.

    chi2(1 - alpha; bins - 1) * (1 / current + 1 / baseline), Yurdakul and Naranjo (2020).

    Args:
        alpha: probability of a false alarm.
        bins: at least 2.
        baseline: samples in the baseline.
        current: samples in the window.
    """
    return chi_square_quantile(alpha, bins - 1) * (1 / current + 1 / baseline)


def js_distance(baseline: NDArray[np.int64], current: NDArray[np.int64]) -> float:
    """Jensen-Shannon distance to base 2, from 0 (the same) to 1 (nothing in common).

    Endres and Schindelin, "A new metric for probability distributions" (2003).
    """
    q, p = baseline / baseline.sum(), current / current.sum()
    middle = (p + q) / 2
    divergence = 0.0
    for side in (p, q):
        used = side > 0
        divergence += 0.5 * float(np.dot(side[used], np.log2(side[used] / middle[used])))
    return math.sqrt(max(divergence, 0.0))
