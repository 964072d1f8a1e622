"""Expressions that are compiled once and evaluated many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import promql_parser

from mlguard_rules.promql.compiler import Compiler, Node
from mlguard_rules.promql.dialect import refuse_endless, refuse_newer
from mlguard_rules.promql.nodes import Moment, ScalarNode
from mlguard_rules.promql.values import UnsupportedError, Vector, milliseconds

if TYPE_CHECKING:
    from mlguard_rules.promql.history import History
    from mlguard_rules.promql.selector import Selector


@dataclass(frozen=True)
class Expression:
    """An expression of the subset.

    Attributes:
        text: as it was written.
        metrics: the names of the metrics that it reads.
        ranges: the longest range of each selector that has one, in milliseconds.
    """

    text: str
    metrics: frozenset[str]
    ranges: tuple[tuple[Selector, int], ...]
    node: Node

    @property
    def type(self) -> Literal["scalar", "vector"]:
        """What it evaluates to."""
        return "scalar" if isinstance(self.node, ScalarNode) else "vector"

    @property
    def range_seconds(self) -> float:
        """Its longest range, 0 if it has none."""
        return max((length for _, length in self.ranges), default=0) / 1000

    def evaluate(self, at: float, history: History) -> Vector | float:
        """The result at a time that is not before the latest samples.

        Args:
            at: epoch seconds.
            history: made for this expression, among others.

        Raises:
            EvaluationError: as Prometheus would, for example where several elements match one.
        """
        moment = Moment(milliseconds(at), history)
        if isinstance(self.node, ScalarNode):
            return self.node.scalar(moment)
        return self.node.vector(moment)


def compile_expression(text: str) -> Expression:
    """Compile an expression.

    Raises:
        UnsupportedError: it is wrong, or outside the subset.
    """
    refuse_endless(text)
    try:
        tree = promql_parser.parse(text)
    except ValueError as error:
        raise UnsupportedError(" ".join(str(error).split())) from None
    compiler = Compiler()
    try:
        node = compiler.node(tree)
    except RecursionError:
        raise UnsupportedError("too deeply nested") from None
    refuse_newer(text)
    ranges = tuple(compiler.ranges.items())
    return Expression(text, frozenset(compiler.metrics), ranges, node)
