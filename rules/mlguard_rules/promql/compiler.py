"""Compiles the syntax tree of promql-parser to nodes."""

from __future__ import annotations

import operator
from datetime import timedelta
from typing import TypeAlias

import promql_parser as ast

from mlguard_rules.errors import UnsupportedError
from mlguard_rules.matchers import Matcher
from mlguard_rules.promql.aggregation import AGGREGATIONS, Aggregate, Grouping
from mlguard_rules.promql.arithmetic import ARITHMETIC, COMPARISONS, FUNCTIONS, Binary, Comparison
from mlguard_rules.promql.matching import (
    BinaryOperation,
    Cardinality,
    Mode,
    SetOperation,
    Signature,
)
from mlguard_rules.promql.nodes import (
    AbsentFunction,
    ElementFunction,
    NegativeScalar,
    NumberLiteral,
    RangeFunctionCall,
    ScalarFunction,
    ScalarNode,
    ScalarOperation,
    TimeFunction,
    VectorFunction,
    VectorNode,
    VectorScalarOperation,
    VectorSelector,
)
from mlguard_rules.promql.ranges import KEEPS_NAME, RANGE_FUNCTIONS
from mlguard_rules.promql.selector import Selector
from mlguard_rules.promql.values import NAME

MAX_RANGE = 60 * 60 * 1000
"""Milliseconds of samples that are kept."""

Node: TypeAlias = ScalarNode | VectorNode

_Modifier: TypeAlias = ast.BinModifier | None

_MATCH_OPERATORS = (
    (ast.MatchOp.Equal, "="),
    (ast.MatchOp.NotEqual, "!="),
    (ast.MatchOp.Re, "=~"),
    (ast.MatchOp.NotRe, "!~"),
)

_REFUSED: dict[type[ast.Expr], str] = {
    ast.MatrixSelector: "a range such as [5m] stands only inside a range function",
    ast.StringLiteral: "strings are outside the supported subset of PromQL",
    ast.SubqueryExpr: "subqueries are outside the supported subset of PromQL",
}

SET_OPERATORS = ("and", "or", "unless")


class Compiler:
    """Compiles one expression, and collects what it reads.

    Attributes:
        metrics: names of the metrics.
        ranges: the longest range of each selector that has one, in milliseconds.
        uses_time: whether it calls time().
    """

    def __init__(self) -> None:
        self.metrics: set[str] = set()
        self.ranges: dict[Selector, int] = {}
        self.uses_time = False

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
                return VectorSelector(self._selector(expr))
            case ast.AggregateExpr():
                return self._aggregate(expr)
            case ast.BinaryExpr():
                return self._binary(expr)
            case ast.Call():
                return self._call(expr)
        reason = _REFUSED.get(type(expr), "a part is outside the supported subset of PromQL")
        raise UnsupportedError(reason)

    def _vector(self, expr: ast.Expr) -> VectorNode:
        node = self.node(expr)
        if isinstance(node, VectorNode):
            return node
        raise UnsupportedError("a vector is needed where there is a scalar")

    def _scalar(self, expr: ast.Expr) -> ScalarNode:
        node = self.node(expr)
        if isinstance(node, ScalarNode):
            return node
        raise UnsupportedError("a scalar is needed where there is a vector")

    def _selector(self, expr: ast.VectorSelector) -> Selector:
        if expr.offset is not None:
            raise UnsupportedError("offset is outside the supported subset of PromQL")
        if expr.at is not None:
            raise UnsupportedError("the @ modifier is outside the supported subset of PromQL")
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
        return Selector(names[0], tuple(_matcher(m) for m in matchers if m.name != NAME))

    def _negative(self, expr: ast.UnaryExpr) -> Node:
        node = self.node(expr.expr)
        if isinstance(node, ScalarNode):
            return NegativeScalar(node)
        return ElementFunction(lambda: operator.neg, node)

    def _aggregate(self, expr: ast.AggregateExpr) -> VectorNode:
        name = str(expr.op)
        if name not in AGGREGATIONS:
            raise UnsupportedError(f"{name}() is outside the supported subset of PromQL")
        modifier = expr.modifier
        grouping = Grouping()
        if modifier is not None:
            without = modifier.type == ast.AggModifierType.Without
            grouping = Grouping(frozenset(modifier.labels), without)
        return Aggregate(AGGREGATIONS[name], self._vector(expr.expr), grouping)

    def _call(self, expr: ast.Call) -> Node:
        name, arguments = expr.func.name, expr.args
        match name:
            case "time":
                self.uses_time = True
                return TimeFunction()
            case "vector":
                return VectorFunction(self._scalar(arguments[0]))
            case "scalar":
                return ScalarFunction(self._vector(arguments[0]))
            case "absent":
                return self._absent(arguments[0])
        if name in RANGE_FUNCTIONS:
            return self._range_function(name, arguments[0])
        return self._element_function(name, arguments)

    def _absent(self, argument: ast.Expr) -> VectorNode:
        node = self._vector(argument)
        labels = node.selector.labels_when_absent() if isinstance(node, VectorSelector) else ()
        return AbsentFunction(node, labels)

    def _element_function(self, name: str, arguments: list[ast.Expr]) -> VectorNode:
        if name not in FUNCTIONS:
            raise UnsupportedError(f"{name}() is outside the supported subset of PromQL")
        scalars = tuple(self._scalar(argument) for argument in arguments[1:])
        return ElementFunction(FUNCTIONS[name], self._vector(arguments[0]), scalars)

    def _range_function(self, name: str, argument: ast.Expr) -> VectorNode:
        while isinstance(argument, ast.ParenExpr):
            argument = argument.expr
        if not isinstance(argument, ast.MatrixSelector):
            raise UnsupportedError(_REFUSED[ast.SubqueryExpr])
        selector = self._selector(argument.vector_selector)
        length = argument.range // timedelta(milliseconds=1)
        if length > MAX_RANGE:
            raise UnsupportedError(
                f"range {ast.display_duration(argument.range)} is longer than the 1h of samples "
                "that are kept"
            )
        self.ranges[selector] = max(length, self.ranges.get(selector, 0))
        return RangeFunctionCall(RANGE_FUNCTIONS[name], selector, length, name == KEEPS_NAME)

    def _binary(self, expr: ast.BinaryExpr) -> Node:
        name, modifier = str(expr.op), expr.modifier
        if modifier is not None and (
            modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None
        ):
            raise UnsupportedError("fill modifiers are not known to Prometheus 2.42")
        if name in SET_OPERATORS:
            left, right = self._vector(expr.lhs), self._vector(expr.rhs)
            return SetOperation(name, left, right, _signature(modifier))
        sides = self.node(expr.lhs), self.node(expr.rhs)
        if name in ARITHMETIC:
            return _pair(ARITHMETIC[name], Mode.ARITHMETIC, *sides, modifier)
        if name not in COMPARISONS:
            raise UnsupportedError(f"{name} is outside the supported subset of PromQL")
        mode = Mode.BOOL if modifier is not None and modifier.return_bool else Mode.FILTER
        return _pair(COMPARISONS[name], mode, *sides, modifier)


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


def _matcher(matcher: ast.Matcher) -> Matcher:
    for op, sign in _MATCH_OPERATORS:
        if matcher.op == op:
            return Matcher(matcher.name, sign, matcher.value)
    raise UnsupportedError(f"the matcher {matcher} is outside the supported subset of PromQL")
