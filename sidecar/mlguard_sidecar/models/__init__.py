"""Models: pending rows, deltas between commits, and committed views."""

from mlguard_sidecar.models.accumulator import AccumulationSettings, ModelAccumulator
from mlguard_sidecar.models.delta import Counters, Delta, ModelDelta, PaneKey
from mlguard_sidecar.models.fold import Widths
from mlguard_sidecar.models.registry import ModelRegistry
from mlguard_sidecar.models.schema import UNBINNED, Prediction, Schema, dump_schema, load_schema
from mlguard_sidecar.models.view import ModelView, Span, Window

__all__ = [
    "UNBINNED",
    "AccumulationSettings",
    "Counters",
    "Delta",
    "ModelAccumulator",
    "ModelDelta",
    "ModelRegistry",
    "ModelView",
    "PaneKey",
    "Prediction",
    "Schema",
    "Span",
    "Widths",
    "Window",
    "dump_schema",
    "load_schema",
]
