"""Templates in labels and annotations: the pipelines of Prometheus' alerting rules."""

from mlguard_rules.templates.functions import Found
from mlguard_rules.templates.model import Context, Template, TemplateError
from mlguard_rules.templates.parse import parse

__all__ = ["Context", "Found", "Template", "TemplateError", "parse"]
