"""Rule files in Prometheus' format; every error names its line."""

from mlguard_rules.errors import RuleFileError
from mlguard_rules.rulefile.document import Document, Fields, line_of
from mlguard_rules.rulefile.load import load_rules
from mlguard_rules.rulefile.rules import AlertRule, RecordingRule, RuleGroup

__all__ = [
    "AlertRule",
    "Document",
    "Fields",
    "RecordingRule",
    "RuleFileError",
    "RuleGroup",
    "line_of",
    "load_rules",
]
