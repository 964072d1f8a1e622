"""Quantiles of the chi-square distribution, without scipy."""

from __future__ import annotations

import math
from functools import lru_cache


def _survival(x: float, dof: int) -> float:
    """Return P(X > x) for an integer number of degrees of freedom.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.4.4 and 26.4.5: a finite sum
    that begins at one or at two degrees of freedom.
    """
    if x <= 0:
        return 1.0
    half = x / 2
    total = math.erfc(math.sqrt(half)) if dof % 2 else math.exp(-half)
    for k in range(1 if dof % 2 else 2, dof, 2):
        total += math.exp(k / 2 * math.log(half) - half - math.lgamma(k / 2 + 1))
    return total


@lru_cache(maxsize=4096)
def chi_square_quantile(alpha: float, dof: int) -> float:
    """Return the value that a chi-square variable exceeds with probability `alpha`.

    Args:
        alpha: between 0 and 1, both excluded.
        dof: degrees of freedom, at least 1.

    Raises:
        ValueError: an argument is out of its range.
    """
    if not 0 < alpha < 1 or dof < 1:
        raise ValueError(f"no chi-square quantile for alpha={alpha}, dof={dof}")
    low, high = 0.0, float(dof)
    while _survival(high, dof) > alpha:
        low, high = high, high * 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _survival(middle, dof) > alpha else (low, middle)
    return (low + high) / 2
