"""Random counts of windows and of the baselines that they are compared with.

Bins of a numeric column are chosen from the baseline. So the baseline's counts are fixed, and the
window's shares of the bins are random: spacings of order statistics, which are gamma variables over
their sum. Each function returns counts of shape (size, bins), of the baselines and of the windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from mlguard_sidecar.drift.critical import psi_critical_by_column
from mlguard_sidecar.drift.divergence import psi_by_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = tuple[NDArray[np.int64], NDArray[np.int64]]
    Random = np.random.Generator


def quantile_counts(
    rng: Random, m: int, n: int, size: int, *, bins: int = 10, shift: float = 0.0
) -> Counts:
    """A normal column in bins of equal share; `shift` of the window in standard deviations."""
    ranks = -(-np.arange(bins + 1) * m // bins)
    baseline = np.broadcast_to(np.diff(ranks), (size, bins))
    shares = _spacings(rng, baseline)
    if shift:
        edges = norm.ppf(np.minimum(np.cumsum(shares, axis=1)[:, :-1], 1.0))
        inner = norm.cdf(edges - shift)
        shares = np.diff(inner, axis=1, prepend=0.0, append=1.0)
    return baseline, rng.multinomial(n, shares)


def tied_counts(
    rng: Random, m: int, n: int, size: int, *, bins: int = 10, tied: float = 0.5, now: float = 0.0
) -> Counts:
    """A column whose smallest value has the share `tied`, and in the window `now` if that is not 0.

    It has a bin of its own; the others are of equal share.
    """
    heavy = rng.binomial(m, tied, size=size)
    ranks = -(-np.arange(bins) * (m - heavy)[:, None] // (bins - 1))
    others = np.diff(ranks, axis=1)
    share = now or tied
    shares = np.concatenate([np.full((size, 1), share), (1 - share) * _spacings(rng, others)], 1)
    return np.concatenate([heavy[:, None], others], 1), rng.multinomial(n, shares)


def category_counts(
    rng: Random,
    m: int,
    n: int,
    size: int,
    *,
    shares: NDArray[np.float64],
    now: NDArray[np.float64] | None = None,
) -> Counts:
    """A categorical column with these shares; `now` are those of the window."""
    baseline = rng.multinomial(m, shares, size=size)
    return baseline, rng.multinomial(n, shares if now is None else now, size=size)


def index_and_critical(
    counts: Counts, alpha: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """PSI and critical value of each pair."""
    baseline, current = counts
    starts = np.arange(len(baseline), dtype=np.intp) * baseline.shape[1]
    q, p = baseline.ravel(), current.ravel()
    return (
        psi_by_column(q, p, starts, 0.5),
        psi_critical_by_column(q, starts, current.sum(axis=1), 0.5, alpha),
    )


def _spacings(rng: Random, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The shares of bins that hold so many values each of a continuous sample."""
    gammas = rng.standard_gamma(np.maximum(counts, 1e-9))
    shares: NDArray[np.float64] = gammas / gammas.sum(axis=1, keepdims=True)
    return shares
