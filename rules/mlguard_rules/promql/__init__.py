"""A subset of PromQL that agrees with Prometheus 2.42, over the latest day of samples.

Compile an expression once, append each snapshot of samples to a `History`, and evaluate:

    expression = compile_expression("rate(errors_total[5m]) > 1")
    history = History([expression])
    history.append(at, {"errors_total": [((("job", "a"),), 3.0)]})
    expression.evaluate(at, history)

`UnsupportedError` says why an expression is refused. What is accepted has the result that
Prometheus returns, but it cannot be evaluated at a time before the latest snapshot. Samples that
are sorted by labels are added in Prometheus' order, on which the last digits of a sum depend.
"""

from __future__ import annotations

from mlguard_rules.errors import EvaluationError, UnsupportedError
from mlguard_rules.promql.expression import Expression, ResultCache, compile_expression
from mlguard_rules.promql.history import (
    MAX_SAMPLES,
    MAX_SAMPLES_PER_SERIES,
    HasRanges,
    History,
)
from mlguard_rules.promql.selector import Selector
from mlguard_rules.promql.series import LOOKBACK
from mlguard_rules.promql.values import (
    NAME,
    Labels,
    Samples,
    Snapshot,
    Vector,
    format_labels,
    milliseconds,
)

__all__ = [
    "LOOKBACK",
    "MAX_SAMPLES",
    "MAX_SAMPLES_PER_SERIES",
    "NAME",
    "EvaluationError",
    "Expression",
    "HasRanges",
    "History",
    "Labels",
    "ResultCache",
    "Samples",
    "Selector",
    "Snapshot",
    "UnsupportedError",
    "Vector",
    "compile_expression",
    "format_labels",
    "milliseconds",
]
