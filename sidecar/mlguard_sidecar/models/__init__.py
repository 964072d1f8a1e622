"""Models: pending rows, deltas between commits, and committed views."""

from mlguard_sidecar.models.accumulator import AccumulationSettings, ModelAccumulator
from mlguard_sidecar.models.delta import Counters, Delta, ModelDelta, PaneKey
from mlguard_sidecar.models.fold import Widths
from mlguard_sidecar.models.learning import LEARNT, LearnAgainError, LearningSettings
from mlguard_sidecar.models.outcomes import (
    JoinedOutcomes,
    OutcomeDays,
    OutcomeSettings,
    PendingOutcomes,
)
from mlguard_sidecar.models.prediction import Prediction
from mlguard_sidecar.models.registry import ModelRegistry
from mlguard_sidecar.models.schema import UNBINNED, Schema, dump_schema, load_schema
from mlguard_sidecar.models.stored import StoredDay, StoredHistory, StoredModel
from mlguard_sidecar.models.view import ModelView, OutcomeView, Span, Window

__all__ = [
    "LEARNT",
    "UNBINNED",
    "AccumulationSettings",
    "Counters",
    "Delta",
    "JoinedOutcomes",
    "LearnAgainError",
    "LearningSettings",
    "ModelAccumulator",
    "ModelDelta",
    "ModelRegistry",
    "ModelView",
    "OutcomeDays",
    "OutcomeSettings",
    "OutcomeView",
    "PaneKey",
    "PendingOutcomes",
    "Prediction",
    "Schema",
    "Span",
    "StoredDay",
    "StoredHistory",
    "StoredModel",
    "Widths",
    "Window",
    "dump_schema",
    "load_schema",
]
