"""Compiles the syntax tree of promql-parser to nodes."""

from __future__ import annotations

import operator
from datetime import timedelta
from typing import TypeAlias

import promql_parser as ast

from mlguard_rules.errors import UnsupportedError
from mlguard_rules.matchers import Matcher
from mlguard_rules.promql.aggregation import (
    AGGREGATIONS,
    Aggregate,
    CountValues,
    Grouping,
    Quantile,
)
from mlguard_rules.promql.arithmetic import ARITHMETIC, COMPARISONS, Binary, Comparison
from mlguard_rules.promql.calls import Node, compile_call, label_name, text
from mlguard_rules.promql.matching import (
    BinaryOperation,
    Cardinality,
    Mode,
    SetOperation,
    Signature,
)
from mlguard_rules.promql.nodes import (
    ElementFunction,
    NegativeScalar,
    NumberLiteral,
    ScalarNode,
    ScalarOperation,
    VectorNode,
    VectorScalarOperation,
)
from mlguard_rules.promql.range_nodes import RangeSelector, Subquery, VectorSelector
from mlguard_rules.promql.ranking import Ranking
from mlguard_rules.promql.selector import Selector
from mlguard_rules.promql.series import LOOKBACK
from mlguard_rules.promql.values import NAME

MAX_RANGE = 24 * 60 * 60 * 1000
"""The longest range and the longest offset, milliseconds."""

_Modifier: TypeAlias = ast.BinModifier | None

_MATCH_OPERATORS = (
    (ast.MatchOp.Equal, "="),
    (ast.MatchOp.NotEqual, "!="),
    (ast.MatchOp.Re, "=~"),
    (ast.MatchOp.NotRe, "!~"),
)

DEFAULT_STEP = timedelta(minutes=1)
"""Of a subquery that has none, the default of Prometheus' evaluation_interval."""

MAX_STEPS = 1500
"""Evaluations of a vector in a subquery; a day has 1,440 minutes."""

_AT = "the @ modifier is outside the supported subset of PromQL"

_REFUSED: dict[type[ast.Expr], str] = {
    ast.MatrixSelector: "a range such as [5m] stands only inside a range function",
    ast.StringLiteral: "a string stands only where a function takes one",
    ast.SubqueryExpr: "a subquery stands only inside a range function",
}

SET_OPERATORS = ("and", "or", "unless")


class Compiler:
    """Compiles one expression, and collects what it reads.

    Args:
        patterns: that the values of its matchers `=~` and `!~` are the numbers of.

    Attributes:
        metrics: names of the metrics.
        ranges: for each selector of a range or with an offset, the milliseconds that it reads back.
        reach: the longest of them without the lookback, on whose samples the result depends.
        depends_on_time: whether its result changes with time while the current samples do not.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._patterns = patterns
        self.metrics: set[str] = set()
        self.ranges: dict[Selector, int] = {}
        self.reach = 0
        self._outer = 0  # length of the subqueries around a part
        self._steps = 1  # evaluations of a part in them
        self.depends_on_time = False

    def node(self, expr: ast.Expr) -> Node:
        """Return the node of a part of the tree.

        Raises:
            UnsupportedError: it is outside the subset.
        """
        while isinstance(expr, ast.ParenExpr):
            expr = expr.expr
        match expr:
            case ast.NumberLiteral():
                return NumberLiteral(expr.val)
            case ast.UnaryExpr():
                return self._negative(expr)
            case ast.VectorSelector():
                return self._instant(expr)
            case ast.AggregateExpr():
                return self._aggregate(expr)
            case ast.BinaryExpr():
                return self._binary(expr)
            case ast.Call():
                return compile_call(self, expr)
        reason = _REFUSED.get(type(expr), "a part is outside the supported subset of PromQL")
        raise UnsupportedError(reason)

    def vector(self, expr: ast.Expr) -> VectorNode:
        """Return the node of a part that is a vector.

        Raises:
            UnsupportedError: it is none, or outside the subset.
        """
        node = self.node(expr)
        if isinstance(node, VectorNode):
            return node
        raise UnsupportedError("a vector is needed where there is a scalar")

    def scalar(self, expr: ast.Expr) -> ScalarNode:
        """Return the node of a part that is a scalar.

        Raises:
            UnsupportedError: it is none, or outside the subset.
        """
        node = self.node(expr)
        if isinstance(node, ScalarNode):
            return node
        raise UnsupportedError("a scalar is needed where there is a vector")

    def _instant(self, expr: ast.VectorSelector) -> VectorSelector:
        selector, offset = self._selector(expr)
        if offset or self._outer:
            self.read_back(selector, offset, LOOKBACK)
        return VectorSelector(selector, offset)

    def _selector(self, expr: ast.VectorSelector) -> tuple[Selector, int]:
        """Return a selector and its offset in milliseconds."""
        offset = _kept(expr.offset, "offset")
        if expr.at is not None:
            raise UnsupportedError(_AT)
        if expr.matchers.or_matchers:
            raise UnsupportedError("or between matchers is not known to Prometheus 2.42")
        matchers = expr.matchers.matchers
        named = [m for m in matchers if m.name == NAME]
        names = [m.value for m in named if m.op == ast.MatchOp.Equal]
        if expr.name is not None:
            names.append(expr.name)
        if len(names) != 1 or len(named) > 1:
            raise UnsupportedError("a selector must name exactly one metric, by equality")
        self.metrics.add(names[0])
        others = tuple(self._matcher(m) for m in matchers if m.name != NAME)
        return Selector(names[0], others), offset

    def _matcher(self, matcher: ast.Matcher) -> Matcher:
        sign = next(sign for op, sign in _MATCH_OPERATORS if matcher.op == op)
        value = self._patterns[int(matcher.value)] if "~" in sign else matcher.value
        return Matcher(matcher.name, sign, value)

    def _negative(self, expr: ast.UnaryExpr) -> Node:
        node = self.node(expr.expr)
        if isinstance(node, ScalarNode):
            return NegativeScalar(node)
        return ElementFunction(lambda: operator.neg, node)

    def _aggregate(self, expr: ast.AggregateExpr) -> VectorNode:
        name = str(expr.op)
        modifier = expr.modifier
        grouping = Grouping()
        if modifier is not None:
            without = modifier.type == ast.AggModifierType.Without
            grouping = Grouping(frozenset(modifier.labels), without)
        vector = self.vector(expr.expr)
        if name in AGGREGATIONS:
            return Aggregate(AGGREGATIONS[name], vector, grouping)
        if expr.param is not None:
            match name:
                case "topk" | "bottomk":
                    return Ranking(self.scalar(expr.param), vector, grouping, name == "topk")
                case "quantile":
                    return Quantile(self.scalar(expr.param), vector, grouping)
                case "count_values":
                    return CountValues(label_name(text(expr.param)), vector, grouping)
        raise UnsupportedError(f"{name}() is outside the supported subset of PromQL")

    def range(self, expr: ast.Expr) -> RangeSelector | Subquery:
        """Return the range that is the argument of a function.

        Raises:
            UnsupportedError: it is outside the subset.
        """
        while isinstance(expr, ast.ParenExpr):
            expr = expr.expr
        if isinstance(expr, ast.SubqueryExpr):
            return self._subquery(expr)
        if not isinstance(expr, ast.MatrixSelector):
            raise UnsupportedError("a range is needed where there is another expression")
        selector, offset = self._selector(expr.vector_selector)
        length = _kept(expr.range, "range")
        self.read_back(selector, length + offset)
        return RangeSelector(selector, length, offset)

    def _subquery(self, expr: ast.SubqueryExpr) -> Subquery:
        if expr.at is not None:
            raise UnsupportedError(_AT)
        length, offset = _kept(expr.range, "range"), _kept(expr.offset, "offset")
        step = (expr.step or DEFAULT_STEP) // timedelta(milliseconds=1)
        before = self._outer, self._steps
        self._outer += length + offset
        self._steps *= length // step + 1
        if self._steps > MAX_STEPS:
            raise UnsupportedError(f"a subquery of more than {MAX_STEPS:,} steps")
        argument = self.vector(expr.expr)
        self._outer, self._steps = before
        self.depends_on_time = True
        return Subquery(argument, length, step, offset)

    def read_back(self, selector: Selector, length: int, lookback: int = 0) -> None:
        """Note how far back samples of a selector are read, in milliseconds.

        Args:
            selector: of the series.
            length: back to which the result depends on samples.
            lookback: further back, where only a series without later samples is read.
        """
        self.depends_on_time = True
        length += self._outer
        self.reach = max(self.reach, length)
        self.ranges[selector] = max(length + lookback, self.ranges.get(selector, 0))

    def _binary(self, expr: ast.BinaryExpr) -> Node:
        name, modifier = str(expr.op), expr.modifier
        if modifier is not None and (
            modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None
        ):
            raise UnsupportedError("fill modifiers are not known to Prometheus 2.42")
        if name in SET_OPERATORS:
            left, right = self.vector(expr.lhs), self.vector(expr.rhs)
            return SetOperation(name, left, right, _signature(modifier))
        sides = self.node(expr.lhs), self.node(expr.rhs)
        if name in ARITHMETIC:
            return _pair(ARITHMETIC[name], Mode.ARITHMETIC, *sides, modifier)
        if name not in COMPARISONS:
            raise UnsupportedError(f"{name} is outside the supported subset of PromQL")
        mode = Mode.BOOL if modifier is not None and modifier.return_bool else Mode.FILTER
        return _pair(COMPARISONS[name], mode, *sides, modifier)


def _kept(time: timedelta | None, what: str) -> int:
    """Return a range or an offset in milliseconds; samples are kept for it."""
    length = (time or timedelta()) // timedelta(milliseconds=1)
    if length < 0:
        raise UnsupportedError("a negative offset reads samples of the future")
    if length > MAX_RANGE:
        shown = ast.display_duration(timedelta(milliseconds=length))
        raise UnsupportedError(f"{what} {shown} is longer than the 24h of samples that are kept")
    return length


def _pair(
    function: Binary | Comparison, mode: Mode, left: Node, right: Node, modifier: _Modifier
) -> Node:
    if isinstance(left, VectorNode):
        if isinstance(right, VectorNode):
            included = () if modifier is None else tuple(modifier.group_labels or ())
            signature, cardinality = _signature(modifier), _cardinality(modifier)
            return BinaryOperation(function, mode, left, right, signature, cardinality, included)
        return VectorScalarOperation(
            function, left, right, filters=mode is Mode.FILTER, swapped=False
        )
    if isinstance(right, VectorNode):
        return VectorScalarOperation(
            function, right, left, filters=mode is Mode.FILTER, swapped=True
        )
    return ScalarOperation(function, left, right)


def _cardinality(modifier: _Modifier) -> Cardinality:
    if modifier is None or modifier.card == ast.VectorMatchCardinality.OneToOne:
        return Cardinality.ONE_TO_ONE
    many_to_one = modifier.card == ast.VectorMatchCardinality.ManyToOne
    return Cardinality.MANY_TO_ONE if many_to_one else Cardinality.ONE_TO_MANY


def _signature(modifier: _Modifier) -> Signature:
    if modifier is None or modifier.matching is None:
        return Signature()
    on = modifier.matching.type == ast.LabelModifierType.Include
    return Signature(frozenset(modifier.matching.labels), on)
