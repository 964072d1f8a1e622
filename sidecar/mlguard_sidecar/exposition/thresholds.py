"""Definitions of the metrics of configured limits, with which rules compare."""

from __future__ import annotations

from mlguard_sidecar.exposition import quality_definitions as quality
from mlguard_sidecar.exposition.model_metric import model_metric

PSI_THRESHOLD = model_metric(
    "drift_psi_threshold", "gauge", "Configured limit of mlguard_drift_psi."
)
REFERENCE_PSI_THRESHOLD = model_metric(
    "drift_reference_psi_threshold",
    "gauge",
    "Configured limit of mlguard_drift_reference_psi; absent if alerts compare with the baseline.",
)
P95_THRESHOLD = model_metric(
    "latency_p95_threshold_seconds",
    "gauge",
    "Configured limit of mlguard_latency_p95_seconds, in seconds.",
)
JUMP_THRESHOLD = model_metric(
    "latency_jump_ratio_threshold",
    "gauge",
    "Configured limit of latency's 95th percentile, as a multiple of that of the longest window.",
)
DROP_THRESHOLD = model_metric(
    "traffic_drop_ratio_threshold",
    "gauge",
    "Configured minimum of traffic, as a share of the rate over the longest window, 0 to 1.",
)
MISSING_THRESHOLD = model_metric(
    "feature_missing_ratio_threshold",
    "gauge",
    "Configured limit of mlguard_feature_missing_ratio minus mlguard_baseline_missing_ratio.",
)
INVALID_THRESHOLD = model_metric(
    "feature_invalid_ratio_threshold",
    "gauge",
    "Configured limit of mlguard_feature_invalid_ratio, 0 to 1.",
)
OUT_OF_RANGE_THRESHOLD = model_metric(
    "feature_out_of_range_ratio_threshold",
    "gauge",
    "Configured limit of mlguard_feature_out_of_range_ratio, 0 to 1.",
)
UNSEEN_THRESHOLD = model_metric(
    "feature_unseen_ratio_threshold",
    "gauge",
    "Configured limit of mlguard_feature_unseen_ratio minus mlguard_baseline_unseen_ratio.",
)
THRESHOLDS = {
    "latency_p95_seconds": P95_THRESHOLD,
    "latency_jump_ratio": JUMP_THRESHOLD,
    "traffic_drop_ratio": DROP_THRESHOLD,
    "missing_ratio": MISSING_THRESHOLD,
    "invalid_ratio": INVALID_THRESHOLD,
    "out_of_range_ratio": OUT_OF_RANGE_THRESHOLD,
    "unseen_ratio": UNSEEN_THRESHOLD,
    "accuracy_drop": quality.ACCURACY_THRESHOLD,
    "error_rise_ratio": quality.ERROR_THRESHOLD,
}
"""Key of `thresholds` in the configuration -> its metric; without `drift_psi`, which has two."""

THRESHOLD_METRICS = (PSI_THRESHOLD, REFERENCE_PSI_THRESHOLD, *THRESHOLDS.values())
"""All of them, in the order of exposition."""
