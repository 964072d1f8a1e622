"""How far a window lies from its baseline, and what chance alone would reach."""

from mlguard_sidecar.drift.chi_square import chi_square_quantile
from mlguard_sidecar.drift.divergence import (
    js_distance,
    psi,
    psi_critical,
    smoothed_ratios,
)
from mlguard_sidecar.drift.judge import Drift, judge

__all__ = [
    "Drift",
    "chi_square_quantile",
    "js_distance",
    "judge",
    "psi",
    "psi_critical",
    "smoothed_ratios",
]
