"""Definitions of all metrics of models."""

from __future__ import annotations

from typing import Literal

from mlguard_common.metrics import MetricDefinition
from mlguard_sidecar.exposition import quality_definitions as quality

_Type = Literal["counter", "gauge", "histogram"]
_MODEL = ("project", "model", "model_endpoint")


def _model(name: str, kind: _Type, text: str, *labels: str) -> MetricDefinition:
    return MetricDefinition(f"mlguard_{name}", kind, text, (*_MODEL, *labels))


INFERENCES = _model(
    "inferences_total", "counter", "Inferences counted, each once; survives restarts."
)
INFERENCE_RATE = _model(
    "inferences_per_second",
    "gauge",
    "Mean rate of inferences over the window, per second.",
    "window",
)
LATENCY = _model(
    "inference_latency_seconds",
    "histogram",
    "Latency of inferences in seconds; inferences without a latency are not observed.",
)
LATENCY_P50 = _model(
    "latency_p50_seconds",
    "gauge",
    "Median latency over the window, in seconds, to a relative error of 1 %.",
    "window",
)
LATENCY_P95 = _model(
    "latency_p95_seconds",
    "gauge",
    "95th percentile of latency over the window, in seconds, to a relative error of 1 %.",
    "window",
)
LATENCY_P99 = _model(
    "latency_p99_seconds",
    "gauge",
    "99th percentile of latency over the window, in seconds, to a relative error of 1 %.",
    "window",
)
PREDICTIONS = _model(
    "predictions_total",
    "counter",
    "Predictions of each class; classes beyond the first 20 are counted as __other__.",
    "prediction",
)
PREDICTION_RATIO = _model(
    "prediction_ratio",
    "gauge",
    "Share of each class among the predictions of the window, 0 to 1.",
    "window",
    "prediction",
)
SCORE_MEAN = _model(
    "prediction_score_mean",
    "gauge",
    "Mean score (y_proba, or y_pred of a regression) over the window.",
    "window",
)
SCORE_STDDEV = _model(
    "prediction_score_stddev",
    "gauge",
    "Standard deviation of the score (y_proba, or y_pred of a regression) over the window.",
    "window",
)
FEATURE_MEAN = _model(
    "feature_mean",
    "gauge",
    "Mean of a numeric feature over the window.",
    "feature",
    "window",
)
FEATURE_STDDEV = _model(
    "feature_stddev",
    "gauge",
    "Standard deviation of a numeric feature over the window.",
    "feature",
    "window",
)
FEATURE_MIN = _model(
    "feature_min",
    "gauge",
    "Smallest value of a numeric feature in the window.",
    "feature",
    "window",
)
FEATURE_MAX = _model(
    "feature_max",
    "gauge",
    "Largest value of a numeric feature in the window.",
    "feature",
    "window",
)
FEATURE_MISSING = _model(
    "feature_missing_ratio",
    "gauge",
    "Share of the window's events that lack a value of the feature, 0 to 1.",
    "feature",
    "window",
)
FEATURE_INVALID = _model(
    "feature_invalid_ratio",
    "gauge",
    "Share of the window's events whose value of the feature has the wrong kind, 0 to 1.",
    "feature",
    "window",
)
FEATURE_OUT_OF_RANGE = _model(
    "feature_out_of_range_ratio",
    "gauge",
    "Share of a numeric feature's values in the window outside the baseline's range, 0 to 1.",
    "feature",
    "window",
)
FEATURE_UNSEEN = _model(
    "feature_unseen_ratio",
    "gauge",
    "Share of the window's values of a categorical feature not in the baseline, 0 to 1.",
    "feature",
    "window",
)
DRIFT_PSI = _model(
    "drift_psi",
    "gauge",
    "Population stability index of window and baseline, 0 or more; absent with few samples.",
    "feature",
    "kind",
    "window",
)
DRIFT_PSI_CRITICAL = _model(
    "drift_psi_critical",
    "gauge",
    "Population stability index that chance alone rarely exceeds; absent with few samples.",
    "feature",
    "kind",
    "window",
)
DRIFT_JS = _model(
    "drift_js_distance",
    "gauge",
    "Jensen-Shannon distance (base 2) of window and baseline, 0 to 1; absent with few samples.",
    "feature",
    "kind",
    "window",
)
DRIFT_SAMPLES = _model(
    "drift_samples",
    "gauge",
    "Valid values in the window, from which its drift is computed.",
    "feature",
    "kind",
    "window",
)
FEATURE_BIN = _model(
    "feature_bin_total",
    "counter",
    "Values of the feature or prediction counted in each bin of the baseline.",
    "feature",
    "kind",
    "bin",
    "baseline",
)
BASELINE_BIN_RATIO = _model(
    "baseline_bin_ratio",
    "gauge",
    "Share of each bin in the baseline, smoothed as for mlguard_drift_psi, 0 to 1.",
    "feature",
    "kind",
    "bin",
    "baseline",
)
DRIFT_BASELINE_SAMPLES = _model(
    "drift_baseline_samples",
    "gauge",
    "Valid values in the baseline, from which drift is computed; absent if it is not measured.",
    "feature",
    "kind",
    "baseline",
)
FEATURES_UNKNOWN = _model(
    "features_unknown",
    "gauge",
    "Features that events have and the baseline does not; their drift cannot be measured.",
)
BASELINE_INFO = _model(
    "baseline_info",
    "gauge",
    "ID and source of the baseline in use; always 1.",
    "baseline",
    "source",
)
BASELINE_CREATED = _model(
    "baseline_created_timestamp_seconds",
    "gauge",
    "Time at which the baseline was built, in epoch seconds.",
    "baseline",
    "source",
)
BASELINE_PROGRESS = _model(
    "baseline_learning_ratio",
    "gauge",
    "Progress of learning the baseline, 0 to 1; absent if none is being learnt.",
)
BASELINE_SAMPLES = _model(
    "baseline_samples",
    "gauge",
    "Rows from which the baseline was built.",
    "baseline",
)
BASELINE_MISSING = _model(
    "baseline_missing_ratio",
    "gauge",
    "Share of the baseline's rows that lack a value of the feature, 0 to 1.",
    "feature",
)
BASELINE_UNSEEN = _model(
    "baseline_unseen_ratio",
    "gauge",
    "Share of the baseline's values in categories that it does not keep, 0 to 1.",
    "feature",
)
JUDGED_EVENTS = _model(
    "judged_window_events",
    "gauge",
    "Events in the window over which rules evaluate latency, traffic or features.",
    "figure",
    "window",
)
PSI_THRESHOLD = _model("drift_psi_threshold", "gauge", "Configured limit of mlguard_drift_psi.")
P95_THRESHOLD = _model(
    "latency_p95_threshold_seconds",
    "gauge",
    "Configured limit of mlguard_latency_p95_seconds, in seconds.",
)
JUMP_THRESHOLD = _model(
    "latency_jump_ratio_threshold",
    "gauge",
    "Configured limit of latency's 95th percentile, as a multiple of that of the longest window.",
)
DROP_THRESHOLD = _model(
    "traffic_drop_ratio_threshold",
    "gauge",
    "Configured minimum of traffic, as a share of the rate over the longest window, 0 to 1.",
)
MISSING_THRESHOLD = _model(
    "feature_missing_ratio_threshold",
    "gauge",
    "Configured limit of mlguard_feature_missing_ratio minus mlguard_baseline_missing_ratio.",
)
INVALID_THRESHOLD = _model(
    "feature_invalid_ratio_threshold",
    "gauge",
    "Configured limit of mlguard_feature_invalid_ratio, 0 to 1.",
)
OUT_OF_RANGE_THRESHOLD = _model(
    "feature_out_of_range_ratio_threshold",
    "gauge",
    "Configured limit of mlguard_feature_out_of_range_ratio, 0 to 1.",
)
UNSEEN_THRESHOLD = _model(
    "feature_unseen_ratio_threshold",
    "gauge",
    "Configured limit of mlguard_feature_unseen_ratio minus mlguard_baseline_unseen_ratio.",
)
THRESHOLDS = {
    "drift_psi": PSI_THRESHOLD,
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
"""Key of `thresholds` in the configuration -> its metric."""

METRICS = (
    INFERENCES,
    INFERENCE_RATE,
    LATENCY,
    LATENCY_P50,
    LATENCY_P95,
    LATENCY_P99,
    PREDICTIONS,
    PREDICTION_RATIO,
    SCORE_MEAN,
    SCORE_STDDEV,
    FEATURE_MEAN,
    FEATURE_STDDEV,
    FEATURE_MIN,
    FEATURE_MAX,
    FEATURE_MISSING,
    FEATURE_INVALID,
    FEATURE_OUT_OF_RANGE,
    FEATURE_UNSEEN,
    DRIFT_PSI,
    DRIFT_PSI_CRITICAL,
    DRIFT_JS,
    DRIFT_SAMPLES,
    FEATURE_BIN,
    BASELINE_BIN_RATIO,
    DRIFT_BASELINE_SAMPLES,
    FEATURES_UNKNOWN,
    BASELINE_INFO,
    BASELINE_CREATED,
    BASELINE_PROGRESS,
    BASELINE_SAMPLES,
    BASELINE_MISSING,
    BASELINE_UNSEEN,
    JUDGED_EVENTS,
    PSI_THRESHOLD,
    P95_THRESHOLD,
    JUMP_THRESHOLD,
    DROP_THRESHOLD,
    MISSING_THRESHOLD,
    INVALID_THRESHOLD,
    OUT_OF_RANGE_THRESHOLD,
    UNSEEN_THRESHOLD,
    *quality.METRICS,
    quality.ACCURACY_THRESHOLD,
    quality.ERROR_THRESHOLD,
)
"""All metrics of models, in the order of exposition."""
