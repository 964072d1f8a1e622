"""Rule files in Prometheus' format; every error names its line."""

from mlguard_rules.errors import RuleFileError
from mlguard_rules.rulefile.document import Document, Fields, line_of
from mlguard_rules.rulefile.load import RuleFile, load_rules, read_rules
from mlguard_rules.rulefile.rules import AlertRule, RecordingRule, RuleGroup

__all__ = [
    "AlertRule",
    "Document",
    "Fields",
    "RecordingRule",
    "RuleFile",
    "RuleFileError",
    "RuleGroup",
    "line_of",
    "load_rules",
    "read_rules",
]
