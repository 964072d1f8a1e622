"""The verdict on one column of one window, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_sidecar.drift.divergence import js_distance, psi, psi_critical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES_A_BIN = 5
"""The chi-square approximation fails below about five expected samples a bin (Cochran 1954)."""


@dataclass(frozen=True)
class Drift:
    """How far a window lies from its baseline.

    Attributes:
        samples: valid values in the window.
        psi: population stability index.
        critical: the PSI that chance alone would rarely exceed.
        js: Jensen-Shannon distance to base 2.
    """

    samples: int
    psi: float
    critical: float
    js: float


def judge(
    baseline: NDArray[np.int64],
    current: NDArray[np.int64],
    *,
    smoothing: float,
    alpha: float,
    min_samples: int,
) -> Drift | int:
    """Compare a window with its baseline, bin by bin.

    Returns:
        The drift; or only the number of samples while there are too few to judge by, on either
        side: under `min_samples` in the window, or under five for each bin.
    """
    n, m, bins = int(current.sum()), int(baseline.sum()), len(current)
    if n < max(min_samples, SAMPLES_A_BIN * bins) or m < SAMPLES_A_BIN * bins:
        return n
    return Drift(
        samples=n,
        psi=psi(baseline, current, smoothing),
        critical=psi_critical(alpha, bins, m, n),
        js=js_distance(baseline, current),
    )
