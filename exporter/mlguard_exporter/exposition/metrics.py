"""Definitions of the metrics of spend."""

from __future__ import annotations

from mlguard_common.metrics import MetricDefinition

_OWNER = ("account", "project", "model", "model_endpoint", "currency")
_SUBJECT = (
    "account", "scope", "project", "model", "model_endpoint", "aws_service", "currency",
)  # fmt: skip

SETTLED_DAY = MetricDefinition(
    "mlguard_cost_settled_day_usd",
    "gauge",
    "Usage charges of the UTC day two days ago, by owner; absent until it is read as settled.",
    _OWNER,
)
SETTLED_DAY_BY_SERVICE = MetricDefinition(
    "mlguard_cost_settled_day_by_service_usd",
    "gauge",
    "Usage charges of the UTC day two days ago, by service; absent until it is read as settled.",
    ("account", "aws_service", "currency"),
)
LATEST_DAY = MetricDefinition(
    "mlguard_cost_latest_day_usd",
    "gauge",
    "Usage charges of the latest UTC day with any data; the amount may still grow.",
    _OWNER,
)
MONTH_TO_DATE = MetricDefinition(
    "mlguard_cost_month_to_date_usd",
    "gauge",
    "Usage charges of this UTC month, up to the latest day with data.",
    _OWNER,
)
CLOSING_MONTH = MetricDefinition(
    "mlguard_cost_closing_month_usd",
    "gauge",
    "Usage charges of the last UTC month, shown for three days while its last days settle.",
    _OWNER,
)
MONTH_FORECAST = MetricDefinition(
    "mlguard_cost_month_forecast_usd",
    "gauge",
    "Forecast of this UTC month, with days to come like the latest ordinary one of their weekday.",
    _OWNER,
)
OTHER = MetricDefinition(
    "mlguard_cost_other_usd",
    "gauge",
    "Charges of this UTC month that are not usage, such as credits, refunds, tax and fees.",
    ("account", "charge", "currency"),
)
UNTAGGED_RATIO = MetricDefinition(
    "mlguard_cost_untagged_ratio",
    "gauge",
    "Share of the usage charges of the last seven settled days that carry no project tag.",
    ("account", "currency"),
)
UNTAGGED_THRESHOLD = MetricDefinition(
    "mlguard_cost_untagged_threshold_ratio",
    "gauge",
    "Share of untagged usage charges from which an alert fires; 0 for never.",
    (),
)
SPIKE = MetricDefinition(
    "mlguard_cost_spike",
    "gauge",
    "1 where the latest settled day is a spike that spikes of its parts do not explain, else 0.",
    _SUBJECT,
)
EXPECTED = MetricDefinition(
    "mlguard_cost_expected_usd",
    "gauge",
    "Expected cost of the latest settled day; absent with too little history.",
    _SUBJECT,
)
SPIKE_EXCESS = MetricDefinition(
    "mlguard_cost_spike_excess_usd",
    "gauge",
    "Cost of the latest settled day above its expected cost; absent with too little history.",
    _SUBJECT,
)
LATE_SPIKE_EXCESS = MetricDefinition(
    "mlguard_cost_late_spike_excess_usd",
    "gauge",
    "Cost above the expected one of an earlier day that was found to be a spike in the last read.",
    _SUBJECT,
)
JUDGED_DAY = MetricDefinition(
    "mlguard_cost_judged_day_timestamp_seconds",
    "gauge",
    "Begin of the latest settled UTC day, which is the one that is checked for spikes.",
    ("account",),
)
BUDGET = MetricDefinition(
    "mlguard_cost_budget_usd",
    "gauge",
    "Configured budget of a project, or of one of its models, for a UTC month.",
    ("project", "model", "currency"),
)
TAG_ACTIVE = MetricDefinition(
    "mlguard_cost_tag_active",
    "gauge",
    "1 where AWS splits spend by the tag, else 0; absent where AWS has not seen it, or is silent.",
    ("account", "tag"),
)
LAST_SUCCESS = MetricDefinition(
    "mlguard_cost_last_success_timestamp_seconds",
    "gauge",
    "Time of the last successful read of spend; absent before the first.",
    ("account",),
)
UP = MetricDefinition(
    "mlguard_cost_up",
    "gauge",
    "1 if the last attempt to read spend succeeded and found usage of the last 14 days, else 0.",
    ("account",),
)
API_REQUESTS = MetricDefinition(
    "mlguard_cost_api_requests_total",
    "counter",
    "Requests to Cost Explorer that have ended, retries included.",
    ("account", "operation", "outcome"),
)
API_SPEND = MetricDefinition(
    "mlguard_cost_api_spend_usd_total",
    "counter",
    "Maximum charge by AWS for all requests sent to Cost Explorer.",
    ("account",),
)
RESTATED_DAYS = MetricDefinition(
    "mlguard_cost_restated_days_total",
    "counter",
    "Number of times that a settled day was restated by a cent or more.",
    ("account",),
)
METRICS = (
    SETTLED_DAY,
    SETTLED_DAY_BY_SERVICE,
    LATEST_DAY,
    MONTH_TO_DATE,
    CLOSING_MONTH,
    MONTH_FORECAST,
    OTHER,
    UNTAGGED_RATIO,
    UNTAGGED_THRESHOLD,
    SPIKE,
    EXPECTED,
    SPIKE_EXCESS,
    LATE_SPIKE_EXCESS,
    JUDGED_DAY,
    BUDGET,
    TAG_ACTIVE,
    LAST_SUCCESS,
    UP,
    API_REQUESTS,
    API_SPEND,
    RESTATED_DAYS,
)
"""In the order of exposition."""
