"""Definitions of all metrics of models."""

from __future__ import annotations

from mlguard_sidecar.exposition import quality_definitions as quality
from mlguard_sidecar.exposition.model_metric import model_metric
from mlguard_sidecar.exposition.thresholds import THRESHOLD_METRICS

INFERENCES = model_metric(
    "inferences_total", "counter", "Inferences counted, each once; survives restarts."
)
INFERENCE_RATE = model_metric(
    "inferences_per_second",
    "gauge",
    "Mean rate of inferences over the window, per second.",
    "window",
)
LATENCY = model_metric(
    "inference_latency_seconds",
    "histogram",
    "Latency of inferences in seconds; inferences without a latency are not observed.",
)
LATENCY_P50 = model_metric(
    "latency_p50_seconds",
    "gauge",
    "Median latency over the window, in seconds, to a relative error of 1 %.",
    "window",
)
LATENCY_P95 = model_metric(
    "latency_p95_seconds",
    "gauge",
    "95th percentile of latency over the window, in seconds, to a relative error of 1 %.",
    "window",
)
LATENCY_P99 = model_metric(
    "latency_p99_seconds",
    "gauge",
    "99th percentile of latency over the window, in seconds, to a relative error of 1 %.",
    "window",
)
PREDICTIONS = model_metric(
    "predictions_total",
    "counter",
    "Predictions of each class; classes beyond the first 20 are counted as __other__.",
    "prediction",
)
PREDICTION_RATIO = model_metric(
    "prediction_ratio",
    "gauge",
    "Share of each class among the predictions of the window, 0 to 1.",
    "window",
    "prediction",
)
SCORE_MEAN = model_metric(
    "prediction_score_mean",
    "gauge",
    "Mean score (y_proba, or y_pred of a regression) over the window.",
    "window",
)
SCORE_STDDEV = model_metric(
    "prediction_score_stddev",
    "gauge",
    "Standard deviation of the score (y_proba, or y_pred of a regression) over the window.",
    "window",
)
FEATURE_MEAN = model_metric(
    "feature_mean",
    "gauge",
    "Mean of a numeric feature over the window.",
    "feature",
    "window",
)
FEATURE_STDDEV = model_metric(
    "feature_stddev",
    "gauge",
    "Standard deviation of a numeric feature over the window.",
    "feature",
    "window",
)
FEATURE_MIN = model_metric(
    "feature_min",
    "gauge",
    "Smallest value of a numeric feature in the window.",
    "feature",
    "window",
)
FEATURE_MAX = model_metric(
    "feature_max",
    "gauge",
    "Largest value of a numeric feature in the window.",
    "feature",
    "window",
)
FEATURE_MISSING = model_metric(
    "feature_missing_ratio",
    "gauge",
    "Share of the window's events that lack a value of the feature, 0 to 1.",
    "feature",
    "window",
)
FEATURE_INVALID = model_metric(
    "feature_invalid_ratio",
    "gauge",
    "Share of the window's events whose value of the feature has the wrong kind, 0 to 1.",
    "feature",
    "window",
)
FEATURE_OUT_OF_RANGE = model_metric(
    "feature_out_of_range_ratio",
    "gauge",
    "Share of a numeric feature's values in the window outside the baseline's range, 0 to 1.",
    "feature",
    "window",
)
FEATURE_UNSEEN = model_metric(
    "feature_unseen_ratio",
    "gauge",
    "Share of the window's values of a categorical feature not in the baseline, 0 to 1.",
    "feature",
    "window",
)
DRIFT_PSI = model_metric(
    "drift_psi",
    "gauge",
    "Population stability index of window and baseline, 0 or more; absent with few samples.",
    "feature",
    "kind",
    "window",
)
DRIFT_PSI_CRITICAL = model_metric(
    "drift_psi_critical",
    "gauge",
    "Population stability index that chance alone rarely exceeds; absent with few samples.",
    "feature",
    "kind",
    "window",
)
DRIFT_REFERENCE_PSI = model_metric(
    "drift_reference_psi",
    "gauge",
    "Population stability index of window and the days before it; absent with few samples.",
    "feature",
    "kind",
    "window",
)
DRIFT_REFERENCE_PSI_CRITICAL = model_metric(
    "drift_reference_psi_critical",
    "gauge",
    "Index of window and the days before it that chance alone rarely exceeds.",
    "feature",
    "kind",
    "window",
)
DRIFT_JS = model_metric(
    "drift_js_distance",
    "gauge",
    "Jensen-Shannon distance (base 2) of window and baseline, 0 to 1; absent with few samples.",
    "feature",
    "kind",
    "window",
)
DRIFT_SAMPLES = model_metric(
    "drift_samples",
    "gauge",
    "Valid values in the window, from which its drift is computed.",
    "feature",
    "kind",
    "window",
)
FEATURE_BIN = model_metric(
    "feature_bin_total",
    "counter",
    "Values of the feature or prediction counted in each bin of the baseline.",
    "feature",
    "kind",
    "bin",
    "baseline",
)
BASELINE_BIN_RATIO = model_metric(
    "baseline_bin_ratio",
    "gauge",
    "Share of each bin in the baseline, smoothed as for mlguard_drift_psi, 0 to 1.",
    "feature",
    "kind",
    "bin",
    "baseline",
)
DRIFT_BASELINE_SAMPLES = model_metric(
    "drift_baseline_samples",
    "gauge",
    "Valid values in the baseline, from which drift is computed; absent if it is not measured.",
    "feature",
    "kind",
    "baseline",
)
FEATURES_UNKNOWN = model_metric(
    "features_unknown",
    "gauge",
    "Features that events have and the baseline does not; their drift cannot be measured.",
)
BASELINE_INFO = model_metric(
    "baseline_info",
    "gauge",
    "ID and source of the baseline in use; always 1.",
    "baseline",
    "source",
)
BASELINE_CREATED = model_metric(
    "baseline_created_timestamp_seconds",
    "gauge",
    "Time at which the baseline was built, in epoch seconds.",
    "baseline",
    "source",
)
BASELINE_PROGRESS = model_metric(
    "baseline_learning_ratio",
    "gauge",
    "Progress of learning the baseline, 0 to 1; absent if none is being learnt.",
)
BASELINE_SAMPLES = model_metric(
    "baseline_samples",
    "gauge",
    "Rows from which the baseline was built.",
    "baseline",
)
BASELINE_MISSING = model_metric(
    "baseline_missing_ratio",
    "gauge",
    "Share of the baseline's rows that lack a value of the feature, 0 to 1.",
    "feature",
)
BASELINE_UNSEEN = model_metric(
    "baseline_unseen_ratio",
    "gauge",
    "Share of the baseline's values in categories that it does not keep, 0 to 1.",
    "feature",
)
JUDGED_EVENTS = model_metric(
    "judged_window_events",
    "gauge",
    "Events in the window over which rules evaluate latency, traffic or features.",
    "figure",
    "window",
)
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
    DRIFT_REFERENCE_PSI,
    DRIFT_REFERENCE_PSI_CRITICAL,
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
    *quality.METRICS,
    *THRESHOLD_METRICS,
)
"""All metrics of models, in the order of exposition."""
