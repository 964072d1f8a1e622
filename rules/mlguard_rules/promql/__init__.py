"""A subset of PromQL that agrees with Prometheus 2.42, over the latest hour of samples.

Compile an expression once, feed a `History` with every scrape, and evaluate:

    expression = compile_expression("rate(errors_total[5m]) > 1")
    history = History([expression])
    history.append(at, {"errors_total": [((("job", "a"),), 3.0)]})
    expression.evaluate(at, history)

`UnsupportedError` says why an expression is refused. Whatever is accepted gives what Prometheus
gives, except that a time before the latest scrape cannot be looked at. A snapshot sorted by labels
is added up in the order of Prometheus, on which the last digits of a sum depend.
"""

from __future__ import annotations

from mlguard_rules.promql.expression import Expression, compile_expression
from mlguard_rules.promql.history import History
from mlguard_rules.promql.regex import compile_pattern
from mlguard_rules.promql.values import (
    EvaluationError,
    Labels,
    Snapshot,
    UnsupportedError,
    Vector,
)

__all__ = [
    "EvaluationError",
    "Expression",
    "History",
    "Labels",
    "Snapshot",
    "UnsupportedError",
    "Vector",
    "compile_expression",
    "compile_pattern",
]
