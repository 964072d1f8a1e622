"""Drift of windows from their baselines, and the values that chance alone would reach."""

from mlguard_sidecar.drift.chi_square import chi_square_quantile
from mlguard_sidecar.drift.divergence import (
    js_distance,
    psi,
    psi_critical,
    smoothed_ratios,
)
from mlguard_sidecar.drift.measure import MIN_SAMPLES_A_BIN, Drift, DriftSettings, measure_drift

__all__ = [
    "MIN_SAMPLES_A_BIN",
    "Drift",
    "DriftSettings",
    "chi_square_quantile",
    "js_distance",
    "measure_drift",
    "psi",
    "psi_critical",
    "smoothed_ratios",
]
