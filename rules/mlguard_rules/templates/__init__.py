"""Templates of labels and annotations: those of Go's text/template that Prometheus' rules use."""

from mlguard_rules.errors import TemplateError
from mlguard_rules.templates.golang import QuerySample
from mlguard_rules.templates.parse import parse
from mlguard_rules.templates.template import Template, TemplateContext

__all__ = ["QuerySample", "Template", "TemplateContext", "TemplateError", "parse"]
