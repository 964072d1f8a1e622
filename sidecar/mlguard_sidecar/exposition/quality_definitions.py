"""Definitions of the metrics of outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_sidecar.exposition.model_metric import model_metric

if TYPE_CHECKING:
    from mlguard_common.metrics import MetricDefinition


def _window(name: str, text: str) -> MetricDefinition:
    return model_metric(name, "gauge", text, "window")


OUTCOMES = model_metric(
    "outcomes_total", "counter", "Truths that were counted with their predictions, each once."
)
UNCOUNTED = model_metric(
    "outcomes_uncounted_total",
    "counter",
    "Truths, or their probabilities, that were not counted, by reason.",
    "reason",
)
PREDICTIONS = model_metric(
    "outcome_predictions_total", "counter", "Predictions with an ID, which wait for their truths."
)
CORRECT = model_metric(
    "quality_correct_total",
    "counter",
    "Truths whose class was predicted; divided by mlguard_outcomes_total, the accuracy.",
)
COVERAGE = model_metric(
    "outcome_coverage_ratio",
    "gauge",
    "Share of the predictions of outcomes.max_age with an ID that have a truth, 0 to 1.",
)
SAMPLES = _window("quality_outcomes", "Truths that arrived in the window and were counted.")
ACCURACY = _window(
    "quality_accuracy", "Share of correct predictions among the window's outcomes, 0 to 1."
)
PRECISION = _window(
    "quality_precision",
    "Precision of the positive class over the window, else the mean of all classes, 0 to 1.",
)
RECALL = _window(
    "quality_recall",
    "Recall of the positive class over the window, else the mean of all classes, 0 to 1.",
)
LOG_LOSS = _window("quality_log_loss", "Mean log loss of the window's outcomes, in nats.")
BRIER = _window("quality_brier_score", "Brier score of the window's outcomes, 0 to 2.")
POSITIVE_SCORE = _window(
    "quality_positive_score_mean",
    "Mean probability of the positive class over the window's outcomes, 0 to 1.",
)
POSITIVE_RATIO = _window(
    "quality_positive_ratio",
    "Share of the positive class among the truths of the same outcomes, 0 to 1.",
)
ABSOLUTE_ERROR = _window(
    "quality_absolute_error_mean", "Mean absolute error of the window's outcomes."
)
SQUARED_ERROR = _window(
    "quality_squared_error_mean", "Mean squared error of the window's outcomes."
)
ACCURACY_DROP_CRITICAL = _window(
    "quality_accuracy_drop_critical",
    "Drop of accuracy below the baseline's that chance rarely exceeds; absent with few outcomes.",
)
ERROR_RISE_CRITICAL = _window(
    "quality_error_rise_critical",
    "Rise of the absolute error that chance rarely exceeds; absent with few outcomes.",
)
BASELINE_OUTCOMES = model_metric(
    "baseline_outcomes", "gauge", "Rows of the baseline with a truth, from which its quality is."
)
BASELINE_ACCURACY = model_metric(
    "baseline_accuracy", "gauge", "Share of correct predictions in the baseline's data, 0 to 1."
)
BASELINE_ERROR = model_metric(
    "baseline_absolute_error_mean", "gauge", "Mean absolute error in the baseline's data."
)
ACCURACY_THRESHOLD = model_metric(
    "quality_accuracy_drop_threshold",
    "gauge",
    "Configured limit of mlguard_baseline_accuracy minus mlguard_quality_accuracy.",
)
ERROR_THRESHOLD = model_metric(
    "quality_error_rise_ratio_threshold",
    "gauge",
    "Configured limit of the rise of the absolute error, as a share of the baseline's.",
)

METRICS = (
    OUTCOMES,
    UNCOUNTED,
    PREDICTIONS,
    CORRECT,
    COVERAGE,
    SAMPLES,
    ACCURACY,
    PRECISION,
    RECALL,
    LOG_LOSS,
    BRIER,
    POSITIVE_SCORE,
    POSITIVE_RATIO,
    ABSOLUTE_ERROR,
    SQUARED_ERROR,
    ACCURACY_DROP_CRITICAL,
    ERROR_RISE_CRITICAL,
    BASELINE_OUTCOMES,
    BASELINE_ACCURACY,
    BASELINE_ERROR,
)
"""Metrics of outcomes, in the order of exposition."""
