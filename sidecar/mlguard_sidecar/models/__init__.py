"""Models: pending rows, deltas between commits, and committed views."""

from mlguard_sidecar.models.accumulator import AccumulationSettings, ModelAccumulator
from mlguard_sidecar.models.day import Day, DayColumn
from mlguard_sidecar.models.delta import Counters, Delta, ModelDelta, PaneKey
from mlguard_sidecar.models.fold import Widths
from mlguard_sidecar.models.kept_answer import KeptAnswer
from mlguard_sidecar.models.learning import LearningSettings
from mlguard_sidecar.models.outcomes import (
    JoinedOutcomes,
    OutcomeDays,
    OutcomeSettings,
    PendingOutcomes,
)
from mlguard_sidecar.models.prediction import Prediction
from mlguard_sidecar.models.reference import References, merge_reference
from mlguard_sidecar.models.registry import ModelRegistry
from mlguard_sidecar.models.requests import check_may_give, give, learn_again
from mlguard_sidecar.models.ruling import (
    BaselineRefusedError,
    Chosen,
    Origin,
    UnknownModelError,
)
from mlguard_sidecar.models.schema import UNBINNED, Schema, dump_schema, load_schema
from mlguard_sidecar.models.stored import StoredDay, StoredModel
from mlguard_sidecar.models.view import ModelView, OutcomeView, Span, Window

__all__ = [
    "UNBINNED",
    "AccumulationSettings",
    "BaselineRefusedError",
    "Chosen",
    "Counters",
    "Day",
    "DayColumn",
    "Delta",
    "JoinedOutcomes",
    "KeptAnswer",
    "LearningSettings",
    "ModelAccumulator",
    "ModelDelta",
    "ModelRegistry",
    "ModelView",
    "Origin",
    "OutcomeDays",
    "OutcomeSettings",
    "OutcomeView",
    "PaneKey",
    "PendingOutcomes",
    "Prediction",
    "References",
    "Schema",
    "Span",
    "StoredDay",
    "StoredModel",
    "UnknownModelError",
    "Widths",
    "Window",
    "check_may_give",
    "dump_schema",
    "give",
    "learn_again",
    "load_schema",
    "merge_reference",
]
