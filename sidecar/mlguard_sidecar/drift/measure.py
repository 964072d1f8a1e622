"""How far the columns of one window lie from their baselines, with the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.drift.divergence import (
    js_distance_by_column,
    psi_by_column,
    psi_critical,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MIN_SAMPLES_A_BIN = 5
"""The chi-square approximation fails below about five expected samples a bin (Cochran 1954)."""


@dataclass(frozen=True)
class DriftSettings:
    """How one model's drift is judged.

    Attributes:
        smoothing: added to each bin's count.
        alpha: probability of a false alarm in any of the model's features.
        min_samples: below which drift is not judged.
        not_judged: features whose drift is not reported.
    """

    smoothing: float
    alpha: float
    min_samples: int
    not_judged: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Drift:
    """How far a window lies from its baseline.

    Attributes:
        psi: population stability index.
        critical: the PSI that chance alone would rarely exceed.
        js: Jensen-Shannon distance to base 2.
    """

    psi: float
    critical: float
    js: float


def measure_drift(
    baselines: Sequence[NDArray[np.int64]],
    currents: Sequence[NDArray[np.int64]],
    *,
    smoothing: float,
    alpha: float,
    min_samples: int,
) -> list[Drift | None]:
    """Compare columns with their baselines, bin by bin.

    Args:
        baselines: counts of each column's bins, at least one above zero.
        currents: counts of the same bins in the window.
        smoothing: added to each bin's count.
        alpha: probability of a false alarm for each column.
        min_samples: below which a window is not judged.

    Returns:
        The drift of each column; None where there is too little to judge by on either side:
        under `min_samples` in the window, or under five for each bin.
    """
    found: list[Drift | None] = [None] * len(currents)
    judged = []
    for i, (baseline, current) in enumerate(zip(baselines, currents, strict=True)):
        enough = MIN_SAMPLES_A_BIN * len(current)
        n, m = int(current.sum()), int(baseline.sum())
        if n >= max(min_samples, enough) and m >= enough:
            judged.append((i, len(current), n, m))
    if not judged:
        return found
    starts = np.cumsum([0, *(width for _, width, _, _ in judged[:-1])])
    baseline = np.concatenate([baselines[i] for i, *_ in judged])
    current = np.concatenate([currents[i] for i, *_ in judged])
    psi = psi_by_column(baseline, current, starts, smoothing).tolist()
    js = js_distance_by_column(baseline, current, starts).tolist()
    for (i, width, n, m), one, other in zip(judged, psi, js, strict=True):
        found[i] = Drift(one, psi_critical(alpha, width, m, n), other)
    return found
