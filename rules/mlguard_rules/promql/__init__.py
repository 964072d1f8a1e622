"""A subset of PromQL that agrees with Prometheus 2.42, over the latest hour of samples.

Compile an expression once, feed a `History` with every scrape, and evaluate:

    expression = compile_expression("rate(errors_total[5m]) > 1")
    history = History([expression])
    history.append(at, {"errors_total": [((("job", "a"),), 3.0)]})
    expression.evaluate(at, history)

It differs from Prometheus in what it refuses (`UnsupportedError` says why), and in that a time
before the latest scrape cannot be looked at.
"""

from __future__ import annotations

from mlguard_rules.promql.expression import Expression, compile_expression
from mlguard_rules.promql.history import History
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
]
