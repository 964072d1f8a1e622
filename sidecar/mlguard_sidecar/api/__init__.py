"""The HTTP API of models and baselines: its paths, and what they answer."""

from mlguard_sidecar.api.baseline_api import BaselineApi, column_answer
from mlguard_sidecar.api.index import INDEX
from mlguard_sidecar.api.models_api import MAX_HISTORY_DAYS, ModelApi, day_answer
from mlguard_sidecar.api.trends_api import TrendsApi

__all__ = [
    "INDEX",
    "MAX_HISTORY_DAYS",
    "BaselineApi",
    "ModelApi",
    "TrendsApi",
    "column_answer",
    "day_answer",
]
