"""Rule files in Prometheus' format, read with the line of every mistake."""

from mlguard_rules.rulefile.document import Document, Fields, line_of
from mlguard_rules.rulefile.load import load_rules
from mlguard_rules.rulefile.model import AlertRule, Group, RecordingRule, RuleFileError

__all__ = [
    "AlertRule",
    "Document",
    "Fields",
    "Group",
    "RecordingRule",
    "RuleFileError",
    "line_of",
    "load_rules",
]
