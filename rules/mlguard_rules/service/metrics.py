"""The metrics of rules and notifications."""

from __future__ import annotations

from mlguard_common.metrics import MetricDefinition

ALERTS = MetricDefinition("ALERTS", "gauge", "Alerts that are pending or firing; always 1.")
ALERTS_FOR_STATE = MetricDefinition(
    "ALERTS_FOR_STATE", "gauge", "When an alert's condition began to hold, epoch seconds."
)
RULES = MetricDefinition("mlguard_rules", "gauge", "Rules that are evaluated.", ())
EVALUATIONS = MetricDefinition(
    "mlguard_rule_evaluations_total", "counter", "Evaluations of all rules.", ()
)
EVALUATION_SECONDS = MetricDefinition(
    "mlguard_rule_evaluation_seconds_total", "counter", "Time that evaluating took.", ()
)
EVALUATION_FAILURES = MetricDefinition(
    "mlguard_rule_evaluation_failures_total",
    "counter",
    "Evaluations of a rule that failed; its alerts stay as they are.",
    (),
)
NOTIFICATIONS = MetricDefinition(
    "mlguard_notifications_total",
    "counter",
    "Attempts to send a message: sent, failed and to be tried again, or dropped.",
    ("receiver", "outcome"),
)
NOTIFICATIONS_PENDING = MetricDefinition(
    "mlguard_notifications_pending", "gauge", "Messages that wait to be sent.", ("receiver",)
)
SAVE_ERRORS = MetricDefinition(
    "mlguard_alerting_store_errors_total",
    "counter",
    "Changes of alerts and messages that the database refused, and that are tried again.",
    (),
)

METRICS = (
    ALERTS,
    ALERTS_FOR_STATE,
    RULES,
    EVALUATIONS,
    EVALUATION_SECONDS,
    EVALUATION_FAILURES,
    NOTIFICATIONS,
    NOTIFICATIONS_PENDING,
    SAVE_ERRORS,
)
"""All of them, in the order of exposition."""
