"""Drift of windows from their baselines, and the values that chance alone would reach."""

from mlguard_sidecar.drift.critical import normal_quantile, psi_critical
from mlguard_sidecar.drift.divergence import (
    js_distance,
    psi,
    smoothed_ratios,
)
from mlguard_sidecar.drift.measure import MIN_SAMPLES_A_BIN, Drift, DriftSettings, measure_drift
from mlguard_sidecar.drift.sliding import SlidingReference

__all__ = [
    "MIN_SAMPLES_A_BIN",
    "Drift",
    "DriftSettings",
    "SlidingReference",
    "js_distance",
    "measure_drift",
    "normal_quantile",
    "psi",
    "psi_critical",
    "smoothed_ratios",
]
