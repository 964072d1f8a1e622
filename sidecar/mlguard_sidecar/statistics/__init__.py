"""Statistics of models, computed once for metrics, rules and API."""

from mlguard_sidecar.statistics.columns import ColumnStatistics
from mlguard_sidecar.statistics.explain import Explanation, explain
from mlguard_sidecar.statistics.history import DayStatistics, day_statistics
from mlguard_sidecar.statistics.model import JudgedWindow, ModelStatistics, StatisticsCache
from mlguard_sidecar.statistics.quality import (
    OutcomeStatistics,
    outcomes_as_json,
    quality_as_json,
    quality_of_model,
)
from mlguard_sidecar.statistics.traffic import TrafficStatistics

__all__ = [
    "ColumnStatistics",
    "DayStatistics",
    "Explanation",
    "JudgedWindow",
    "ModelStatistics",
    "OutcomeStatistics",
    "StatisticsCache",
    "TrafficStatistics",
    "day_statistics",
    "explain",
    "outcomes_as_json",
    "quality_as_json",
    "quality_of_model",
]
