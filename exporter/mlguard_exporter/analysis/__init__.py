"""What follows from the stored spend: anomalies, where they come from, and the forecast."""

from mlguard_exporter.analysis.account_costs import AccountCosts, load_account_costs
from mlguard_exporter.analysis.anomalies import RECENT_DAYS, SubjectAnomalies, detect_anomalies
from mlguard_exporter.analysis.forecast import forecast_month
from mlguard_exporter.analysis.subjects import Scope, Subject

__all__ = [
    "RECENT_DAYS",
    "AccountCosts",
    "Scope",
    "Subject",
    "SubjectAnomalies",
    "detect_anomalies",
    "forecast_month",
    "load_account_costs",
]
