"""Drift of the columns of one window, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.drift.critical import psi_critical_by_column
from mlguard_sidecar.drift.divergence import js_distance_by_column, psi_by_column
from mlguard_sidecar.drift.sliding import SlidingReference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MIN_SAMPLES_A_BIN = 5
"""Minimum mean number of values a bin; with fewer, drift would have to be extreme to be noticed."""


@dataclass(frozen=True)
class DriftSettings:
    """Settings of the measurement of one model's drift.

    Attributes:
        smoothing: added to the count of each bin.
        alpha: probability of a false alarm in any of the model's judged columns.
        min_samples: minimum number of values in a window.
        not_judged: features whose drift is not measured.
        sliding: which days a sliding reference has.
        is_sliding_judged: whether alerts compare with the sliding reference, not the baseline.
    """

    smoothing: float
    alpha: float
    min_samples: int
    not_judged: frozenset[str] = frozenset()
    sliding: SlidingReference = SlidingReference.LAST_7_DAYS
    is_sliding_judged: bool = False


@dataclass(frozen=True)
class Drift:
    """Drift of one column in one window.

    Attributes:
        psi: population stability index.
        critical: PSI that chance alone would rarely exceed.
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
        baselines: for each column, the counts of its bins, at least one above 0.
        currents: for each column, the counts of the same bins in the window.
        smoothing: added to the count of each bin.
        alpha: probability of a false alarm for each column.
        min_samples: minimum number of values in the window.

    Returns:
        The drift of each column; None if there are fewer than `min_samples` values in the window,
        or fewer than five per bin on either side.
    """
    found: list[Drift | None] = [None] * len(currents)
    judged = []
    for i, (baseline, current) in enumerate(zip(baselines, currents, strict=True)):
        enough = MIN_SAMPLES_A_BIN * len(current)
        n, m = int(current.sum()), int(baseline.sum())
        if n >= max(min_samples, enough) and m >= enough:
            judged.append((i, len(current), n))
    if not judged:
        return found
    starts = np.cumsum([0, *(width for _, width, _ in judged[:-1])])
    baseline = np.concatenate([baselines[i] for i, *_ in judged])
    current = np.concatenate([currents[i] for i, *_ in judged])
    psi = psi_by_column(baseline, current, starts, smoothing).tolist()
    js = js_distance_by_column(baseline, current, starts).tolist()
    sizes = np.array([n for _, _, n in judged])
    critical = psi_critical_by_column(baseline, starts, sizes, smoothing, alpha).tolist()
    for (i, *_), *values in zip(judged, psi, critical, js, strict=True):
        found[i] = Drift(*values)
    return found
