"""What follows from the stored spend: anomalies, where they come from, and the forecast."""

from mlguard_exporter.analysis.account_costs import AccountCosts, load_account_costs
from mlguard_exporter.analysis.anomalies import RECENT_DAYS, SubjectAnomalies, detect_anomalies
from mlguard_exporter.analysis.forecast import forecast_month
from mlguard_exporter.analysis.subjects import Scope, Subject
from mlguard_exporter.analysis.sums import (
    UntaggedSpend,
    month_to_date,
    settled_amount,
    shown,
    spike_days,
    untagged_spend,
)

__all__ = [
    "RECENT_DAYS",
    "AccountCosts",
    "Scope",
    "Subject",
    "SubjectAnomalies",
    "UntaggedSpend",
    "detect_anomalies",
    "forecast_month",
    "load_account_costs",
    "month_to_date",
    "settled_amount",
    "shown",
    "spike_days",
    "untagged_spend",
]
