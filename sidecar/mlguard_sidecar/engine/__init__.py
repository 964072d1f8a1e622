"""From accepted rows to figures: what is pending, what is committed, and the way between."""

from mlguard_sidecar.engine.delta import Delta, ModelDelta, Tally
from mlguard_sidecar.engine.engine import Engine
from mlguard_sidecar.engine.fold import Widths
from mlguard_sidecar.engine.learner import Plan
from mlguard_sidecar.engine.schema import LEARNING, Schema, dump_schema, load_schema
from mlguard_sidecar.engine.view import ModelView, Span, Window

__all__ = [
    "LEARNING",
    "Delta",
    "Engine",
    "ModelDelta",
    "ModelView",
    "Plan",
    "Schema",
    "Span",
    "Tally",
    "Widths",
    "Window",
    "dump_schema",
    "load_schema",
]
