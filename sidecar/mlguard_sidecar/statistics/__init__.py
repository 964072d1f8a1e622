"""Statistics of models, computed once for metrics, rules and API."""

from mlguard_sidecar.statistics.columns import ColumnStatistics
from mlguard_sidecar.statistics.explain import Explanation, explain
from mlguard_sidecar.statistics.history import compute_day
from mlguard_sidecar.statistics.model import JudgedWindow, ModelStatistics, StatisticsCache
from mlguard_sidecar.statistics.traffic import TrafficStatistics

__all__ = [
    "ColumnStatistics",
    "Explanation",
    "JudgedWindow",
    "ModelStatistics",
    "StatisticsCache",
    "TrafficStatistics",
    "compute_day",
    "explain",
]
