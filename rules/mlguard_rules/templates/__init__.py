"""Templates of labels and annotations: the pipelines of Prometheus' alerting rules."""

from mlguard_rules.errors import TemplateError
from mlguard_rules.templates.functions import QuerySample
from mlguard_rules.templates.parse import parse
from mlguard_rules.templates.template import Template, TemplateContext

__all__ = ["QuerySample", "Template", "TemplateContext", "TemplateError", "parse"]
