"""The metrics of rules and notifications."""

from __future__ import annotations

from mlguard_common.metrics import MetricDefinition

ALERTS = MetricDefinition(
    "ALERTS",
    "gauge",
    "Pending and firing alerts of the embedded rule engine, one series per alert; always 1.",
)
ALERTS_FOR_STATE = MetricDefinition(
    "ALERTS_FOR_STATE",
    "gauge",
    "Epoch seconds at which the condition of a pending or firing alert began to hold.",
)
RULES = MetricDefinition(
    "mlguard_rules", "gauge", "Alerting and recording rules that are evaluated.", ()
)
EVALUATIONS = MetricDefinition(
    "mlguard_rule_evaluations_total", "counter", "Completed evaluations of the whole rule set.", ()
)
EVALUATION_SECONDS = MetricDefinition(
    "mlguard_rule_evaluation_seconds_total",
    "counter",
    "Seconds spent on evaluating the rule set, with the collection of the metrics it reads.",
    (),
)
EVALUATION_FAILURES = MetricDefinition(
    "mlguard_rule_evaluation_failures_total",
    "counter",
    "Evaluations of a single rule that failed; the rule's alerts keep their last state.",
    (),
)
NOTIFICATIONS = MetricDefinition(
    "mlguard_notifications_total",
    "counter",
    "Attempts to send a notification, by receiver and outcome: sent, failed (and retried), or"
    " dropped.",
    ("receiver", "outcome"),
)
NOTIFICATION_FAILURES = MetricDefinition(
    "mlguard_notification_failures_total",
    "counter",
    "Attempts to send a notification that failed and are retried, by receiver and reason.",
    ("receiver", "reason"),
)
NOTIFICATIONS_PENDING = MetricDefinition(
    "mlguard_notifications_pending",
    "gauge",
    "Notifications that wait to be sent, by receiver.",
    ("receiver",),
)
STORE_ERRORS = MetricDefinition(
    "mlguard_alerting_store_errors_total",
    "counter",
    "Failed attempts to store the state of alerts and notifications in the database; the changes"
    " stay in memory and are stored with a later attempt.",
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
    NOTIFICATION_FAILURES,
    NOTIFICATIONS_PENDING,
    STORE_ERRORS,
)
"""All metrics of this package, in the order of exposition."""
