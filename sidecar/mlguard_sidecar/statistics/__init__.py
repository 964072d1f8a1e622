"""Statistics of models, computed once for metrics, rules and API."""

from mlguard_sidecar.statistics.change import ChangeKind
from mlguard_sidecar.statistics.columns import ColumnStatistics
from mlguard_sidecar.statistics.difference import Change, ColumnDifference, difference
from mlguard_sidecar.statistics.explain import Explanation, explain, moved_together
from mlguard_sidecar.statistics.history import compute_day
from mlguard_sidecar.statistics.model import (
    JudgedWindow,
    ModelStatistics,
    StatisticsCache,
    explanation_of,
)
from mlguard_sidecar.statistics.quality import (
    OutcomeStatistics,
    quality_as_json,
    quality_of_model,
)
from mlguard_sidecar.statistics.series import Point, point_of_day, point_of_traffic
from mlguard_sidecar.statistics.traffic import TrafficStatistics

__all__ = [
    "Change",
    "ChangeKind",
    "ColumnDifference",
    "ColumnStatistics",
    "Explanation",
    "JudgedWindow",
    "ModelStatistics",
    "OutcomeStatistics",
    "Point",
    "StatisticsCache",
    "TrafficStatistics",
    "compute_day",
    "difference",
    "explain",
    "explanation_of",
    "moved_together",
    "point_of_day",
    "point_of_traffic",
    "quality_as_json",
    "quality_of_model",
]
