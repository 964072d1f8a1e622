"""The metrics of spend."""

from __future__ import annotations

from mlguard_common.metrics import MetricDefinition

_OWNER = ("account", "project", "model", "model_endpoint", "currency")
_JUDGED = (
    "account", "scope", "project", "model", "model_endpoint", "aws_service", "currency",
)  # fmt: skip

SETTLED_DAY = MetricDefinition(
    "mlguard_cost_settled_day_usd",
    "gauge",
    "Usage charges of the UTC day two days ago; absent until it is read as settled.",
    _OWNER,
)
SETTLED_DAY_BY_SERVICE = MetricDefinition(
    "mlguard_cost_settled_day_by_service_usd",
    "gauge",
    "The same by AWS service.",
    ("account", "aws_service", "currency"),
)
LATEST_DAY = MetricDefinition(
    "mlguard_cost_latest_day_usd",
    "gauge",
    "Usage charges of the latest UTC day of which anything is known; it may still grow.",
    _OWNER,
)
MONTH_TO_DATE = MetricDefinition(
    "mlguard_cost_month_to_date_usd",
    "gauge",
    "Usage charges of this UTC month, as far as they are known.",
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
    "What this UTC month will cost if days to come are as the latest ordinary of their weekday.",
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
    "Share of the last seven settled days' usage charges that belong to no project.",
    ("account", "currency"),
)
UNTAGGED_THRESHOLD = MetricDefinition(
    "mlguard_cost_untagged_threshold_ratio",
    "gauge",
    "The share from which it is told; 0 for never.",
    (),
)
SPIKE = MetricDefinition(
    "mlguard_cost_spike",
    "gauge",
    "1 where the judged day is a spike that spikes of its parts do not explain.",
    _JUDGED,
)
EXPECTED = MetricDefinition(
    "mlguard_cost_expected_usd",
    "gauge",
    "What the judged day was expected to cost; absent while there is too little history.",
    _JUDGED,
)
SPIKE_EXCESS = MetricDefinition(
    "mlguard_cost_spike_excess_usd",
    "gauge",
    "What the judged day cost beyond that; absent while there is too little history.",
    _JUDGED,
)
LATE_SPIKE_EXCESS = MetricDefinition(
    "mlguard_cost_late_spike_excess_usd",
    "gauge",
    "The same of an earlier day of the last two weeks that was found to be a spike today.",
    _JUDGED,
)
JUDGED_DAY = MetricDefinition(
    "mlguard_cost_judged_day_timestamp_seconds",
    "gauge",
    "Begin of the latest settled UTC day that is known, which is the judged day.",
    ("account",),
)
BUDGET = MetricDefinition(
    "mlguard_cost_budget_usd",
    "gauge",
    "What a project, or one of its models, may cost in a month.",
    ("project", "model", "currency"),
)
TAG_ACTIVE = MetricDefinition(
    "mlguard_cost_tag_active",
    "gauge",
    "1 where AWS splits spend by the tag; absent where it has not seen it, or does not say.",
    ("account", "tag"),
)
LAST_SUCCESS = MetricDefinition(
    "mlguard_cost_last_success_timestamp_seconds",
    "gauge",
    "When spend was last read; absent until it was.",
    ("account",),
)
UP = MetricDefinition(
    "mlguard_cost_up",
    "gauge",
    "1 if the last attempt to read spend succeeded.",
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
    "What AWS may charge for all requests sent to Cost Explorer.",
    ("account",),
)
RESTATED_DAYS = MetricDefinition(
    "mlguard_cost_restated_days_total",
    "counter",
    "Times that a settled day changed by a cent or more.",
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
