"""Expressions that are compiled once and evaluated many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import promql_parser

from mlguard_rules.errors import EvaluationError, UnsupportedError
from mlguard_rules.promql.compiler import Compiler
from mlguard_rules.promql.dialect import check_length, check_version, for_parser
from mlguard_rules.promql.nodes import EvalContext, ScalarNode
from mlguard_rules.promql.values import Vector, milliseconds

if TYPE_CHECKING:
    from mlguard_rules.promql.calls import Node
    from mlguard_rules.promql.history import History
    from mlguard_rules.promql.selector import Selector
    from mlguard_rules.promql.values import Samples


@dataclass(frozen=True, eq=False)
class Expression:
    """An expression of the subset.

    Attributes:
        text: as it was written.
        metrics: names of the samples that it reads.
        ranges: for each selector of a range or with an offset, the milliseconds that it reads back.
        depends_on_time: whether its result changes with time while the current samples do not.
        node: what it was compiled to.
        reach: the longest range with its offset, on whose samples the result depends, milliseconds.
        limit: elements that its result may have, 0 if any number.
    """

    text: str
    metrics: frozenset[str]
    ranges: tuple[tuple[Selector, int], ...]
    depends_on_time: bool
    node: Node
    reach: int = 0
    limit: int = 0

    @property
    def type(self) -> Literal["scalar", "vector"]:
        """The type of its result."""
        return "scalar" if isinstance(self.node, ScalarNode) else "vector"

    @property
    def range_seconds(self) -> float:
        """The longest range with its offset, 0 if it has none."""
        return self.reach / 1000

    def evaluate(self, at: float, history: History) -> Vector | float:
        """Return the result at a time that is not before the latest samples.

        Args:
            at: epoch seconds.
            history: made for this expression, among others.

        Raises:
            EvaluationError: as in Prometheus, for example if several elements match one, or if
                the result exceeds the limit.
        """
        now = milliseconds(at)
        context = EvalContext(now, history, now)
        if isinstance(self.node, ScalarNode):
            return self.node.scalar(context)
        vector = self.node.vector(context)
        if 0 < self.limit < len(vector):
            raise EvaluationError(f"exceeded limit of {self.limit} with {len(vector)} results")
        return vector


def compile_expression(text: str) -> Expression:
    """Compile an expression.

    Raises:
        UnsupportedError: it is wrong, or outside the subset.
    """
    check_length(text)
    prepared, patterns = for_parser(text)
    try:
        tree = promql_parser.parse(prepared)
    except ValueError as error:
        raise UnsupportedError(" ".join(str(error).split())) from None
    compiler = Compiler(patterns)
    try:
        node = compiler.node(tree)
    except RecursionError:
        raise UnsupportedError("too deeply nested") from None
    check_version(text)
    ranges = tuple(compiler.ranges.items())
    metrics = frozenset(compiler.metrics)
    return Expression(text, metrics, ranges, compiler.depends_on_time, node, compiler.reach)


class ResultCache:
    """The last results of expressions on one history.

    The result of an expression is reused while the samples of every metric that it reads are the
    same objects, unless it depends on time.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._results: dict[Expression, tuple[list[Samples], Vector | float]] = {}

    def prune(self, at: float) -> None:
        """Delete results of samples that are not current."""
        current = self._history.current
        self._results = {
            expression: (inputs, result)
            for expression, (inputs, result) in self._results.items()
            if all(
                current(name, at) is samples
                for name, samples in zip(expression.metrics, inputs, strict=True)
            )
        }

    def evaluate(self, expression: Expression, at: float) -> Vector | float:
        """Return the result of an expression, which is not to be changed.

        Args:
            expression: to evaluate; its identity is that of the object.
            at: epoch seconds.

        Raises:
            EvaluationError: as in Prometheus.
        """
        if expression.depends_on_time:
            return expression.evaluate(at, self._history)
        current = [self._history.current(name, at) for name in expression.metrics]
        known = self._results.get(expression)
        if known is not None and all(a is b for a, b in zip(known[0], current, strict=True)):
            return known[1]
        result = expression.evaluate(at, self._history)
        self._results[expression] = current, result
        return result
