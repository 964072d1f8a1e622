"""Statistics of models, computed once for metrics, rules and API."""

from mlguard_sidecar.statistics.columns import ColumnStatistics
from mlguard_sidecar.statistics.difference import Change, ColumnDifference, difference
from mlguard_sidecar.statistics.explain import Explanation, explain
from mlguard_sidecar.statistics.history import DayStatistics, day_statistics
from mlguard_sidecar.statistics.model import JudgedWindow, ModelStatistics, StatisticsCache
from mlguard_sidecar.statistics.traffic import TrafficStatistics

__all__ = [
    "Change",
    "ColumnDifference",
    "ColumnStatistics",
    "DayStatistics",
    "Explanation",
    "JudgedWindow",
    "ModelStatistics",
    "StatisticsCache",
    "TrafficStatistics",
    "day_statistics",
    "difference",
    "explain",
]
