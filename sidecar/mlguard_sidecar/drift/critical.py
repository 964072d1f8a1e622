"""The population stability index that chance alone would rarely exceed.

Recording rules compute the same formula over a fleet: rules/mlguard_rules/bundled/fleet.rules.yml.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64] | NDArray[np.floating]


def normal_quantile(alpha: float) -> float:
    """Return the value that a standard normal variable exceeds with probability `alpha`.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.23; the error is below 4.5e-4.

    Args:
        alpha: between 0 and 1, both excluded.

    Raises:
        ValueError: `alpha` is out of its range.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"no normal quantile for alpha={alpha}")
    if alpha > 0.5:
        return -normal_quantile(1 - alpha)
    t = math.sqrt(-2 * math.log(alpha))
    over = 2.515517 + 0.802853 * t + 0.010328 * t**2
    return t - over / (1 + 1.432788 * t + 0.189269 * t**2 + 0.001308 * t**3)


def psi_critical(alpha: float, baseline: Counts, current: int, smoothing: float = 0.5) -> float:
    """Return the PSI that chance alone exceeds with a probability of at most about `alpha`.

    Args:
        alpha: probability of a false alarm.
        baseline: count of each bin in the baseline, at least two bins.
        current: number of values in the window.
        smoothing: added to the count of each bin.
    """
    start = np.zeros(1, dtype=np.intp)
    found = psi_critical_by_column(baseline, start, np.array([current]), smoothing, alpha)
    return float(found[0])


def psi_critical_by_column(
    baseline: Counts,
    starts: NDArray[np.intp],
    currents: NDArray[np.int64],
    smoothing: float,
    alpha: float,
) -> NDArray[np.float64]:
    """Return the `psi_critical` of several columns, whose bins are concatenated.

    With B bins, n values in the window and m in the baseline, the index of large samples is
    distributed as u chi2(B - 1), where u = 1/n + 1/m: Yurdakul and Naranjo, "Statistical properties
    of the population stability index", Journal of Risk Model Validation 14(4), 2020. The quantile
    of chi2 is that of Wilson and Hilferty (1931), from `normal_quantile`. Bins with few values need
    more. Where r is a bin's smoothed share of the baseline, s the smoothing, u is multiplied by
    the sum of that quantile and of

    - for each bin, the index that smoothing alone causes, (e - r) ln(e / r) / u with the share
      e = (n r + s) / (n + s B), as far as it is over 1. A bin that is empty on both sides counts
      as 0.5 / n in one and 0.5 / m in the other;
    - for each bin, 1.5 n / ((n + m) m r), as its share is estimated from the baseline: a third of
      it for the mean, the rest for the tail;
    - for the bin where it is largest, 0.24 L^2 exp(-2 |ln(r min(n, m) / L)|) / sqrt(B + 2), where
      L = -ln(alpha). A bin of L expected values is empty with probability alpha. It then adds about
      (L - s) ln(L / s), more than the normal distribution grants.

    The last two are approximations of exact distributions and of simulations:
    tests/bench/false_alarms.py.

    Args:
        baseline: counts of the bins of all columns.
        starts: index of the first bin of each column.
        currents: number of values of each column in the window, at least 1.
        smoothing: added to each count.
        alpha: probability of a false alarm for each column.
    """
    widths = np.diff(starts, append=len(baseline))
    n, m = currents.astype(np.float64), np.add.reduceat(baseline, starts).astype(np.float64)
    unit = 1 / n + 1 / m
    ratios = (baseline + smoothing) / np.repeat(m + smoothing * widths, widths)
    n_of, unit_of = np.repeat(n, widths), np.repeat(unit, widths)
    fewer = np.repeat(np.minimum(n, m), widths)
    log_alpha = -math.log(alpha)
    with np.errstate(divide="ignore", invalid="ignore"):  # without smoothing a share can be 0
        shifted = (n_of * ratios + smoothing) / np.repeat(n + smoothing * widths, widths)
        bias = (shifted - ratios) * np.log(shifted / ratios) / unit_of - 1
        estimated = 1.5 * n_of / (np.repeat((n + m) * m, widths) * ratios)
        sparse = np.exp(-2 * np.abs(np.log(ratios * fewer / log_alpha)))
    terms = np.where(ratios > 0, np.maximum(bias, 0.0) + estimated, 0.0)
    dof = widths - 1
    spread = 2 / (9 * dof)
    chi_square = dof * np.maximum(1 - spread + normal_quantile(alpha) * np.sqrt(spread), 0.0) ** 3
    empty = 0.24 * log_alpha**2 / np.sqrt(widths + 2) * np.maximum.reduceat(sparse, starts)
    critical: NDArray[np.float64] = unit * (chi_square + np.add.reduceat(terms, starts) + empty)
    return critical
