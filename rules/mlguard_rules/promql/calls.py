"""Compiles calls of functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, TypeAlias

import promql_parser as ast

from mlguard_rules.errors import UnsupportedError
from mlguard_rules.promql.arithmetic import FUNCTIONS
from mlguard_rules.promql.dates import DATE_FUNCTIONS
from mlguard_rules.promql.histogram import HistogramQuantile
from mlguard_rules.promql.nodes import (
    AbsentFunction,
    ElementFunction,
    ScalarFunction,
    ScalarNode,
    TimeFunction,
    VectorFunction,
    VectorNode,
)
from mlguard_rules.promql.range_nodes import (
    AbsentOverTime,
    RangeFunctionCall,
    RangeSelector,
    Subquery,
    TimestampFunction,
    VectorSelector,
)
from mlguard_rules.promql.ranges import KEEPS_NAME, RANGE_FUNCTIONS, RATIO_FIRST
from mlguard_rules.promql.relabel import LabelFunction
from mlguard_rules.promql.series import LOOKBACK
from mlguard_rules.regex import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_rules.promql.selector import Selector

Node: TypeAlias = ScalarNode | VectorNode

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Compiler(Protocol):
    """Compiles the arguments of a function, and notes what the function reads."""

    depends_on_time: bool

    def vector(self, expr: ast.Expr, /) -> VectorNode:
        """Return the node of a part that is a vector."""

    def scalar(self, expr: ast.Expr, /) -> ScalarNode:
        """Return the node of a part that is a scalar."""

    def range(self, expr: ast.Expr, /) -> RangeSelector | Subquery:
        """Return a range."""

    def read_back(self, selector: Selector, length: int, lookback: int = 0) -> None:
        """Note how far back samples of a selector are read, in milliseconds."""


def compile_call(compiler: Compiler, expr: ast.Call) -> Node:
    """Return the node of a call.

    Raises:
        UnsupportedError: the function or an argument is outside the subset.
    """
    name, arguments = expr.func.name, expr.args
    if name in RANGE_FUNCTIONS:
        return _range_function(compiler, name, arguments)
    if name in FUNCTIONS:
        scalars = tuple(compiler.scalar(argument) for argument in arguments[1:])
        return ElementFunction(FUNCTIONS[name], compiler.vector(arguments[0]), scalars)
    if name in DATE_FUNCTIONS:
        times = compiler.vector(arguments[0]) if arguments else VectorFunction(_time(compiler, []))
        return ElementFunction(DATE_FUNCTIONS[name], times)
    known = _OTHERS.get(name)
    if known is None:
        raise UnsupportedError(f"{name}() is outside the supported subset of PromQL")
    return known(compiler, arguments)


def _range_function(compiler: Compiler, name: str, arguments: list[ast.Expr]) -> VectorNode:
    at = 1 if name == RATIO_FIRST else 0
    samples = compiler.range(arguments[at])
    scalars = tuple(compiler.scalar(arg) for i, arg in enumerate(arguments) if i != at)
    return RangeFunctionCall(RANGE_FUNCTIONS[name], samples, name == KEEPS_NAME, scalars)


def _time(compiler: Compiler, _: list[ast.Expr]) -> ScalarNode:
    compiler.depends_on_time = True
    return TimeFunction()


def _vector(compiler: Compiler, arguments: list[ast.Expr]) -> VectorNode:
    return VectorFunction(compiler.scalar(arguments[0]))


def _scalar(compiler: Compiler, arguments: list[ast.Expr]) -> ScalarNode:
    return ScalarFunction(compiler.vector(arguments[0]))


def _sort(compiler: Compiler, arguments: list[ast.Expr]) -> VectorNode:
    return compiler.vector(arguments[0])  # the results of a rule have no order


def _timestamp(compiler: Compiler, arguments: list[ast.Expr]) -> VectorNode:
    compiler.depends_on_time = True
    node = compiler.vector(arguments[0])
    if isinstance(node, VectorSelector):
        compiler.read_back(node.selector, node.offset, LOOKBACK)
    return TimestampFunction(node)


def _absent(compiler: Compiler, arguments: list[ast.Expr]) -> VectorNode:
    node = compiler.vector(arguments[0])
    labels = node.selector.labels_when_absent() if isinstance(node, VectorSelector) else ()
    return AbsentFunction(node, labels)


def _absent_over_time(compiler: Compiler, arguments: list[ast.Expr]) -> VectorNode:
    samples = compiler.range(arguments[0])
    if isinstance(samples, Subquery):
        return AbsentOverTime(samples, ())
    return AbsentOverTime(samples, samples.selector.labels_when_absent())


def _histogram_quantile(compiler: Compiler, arguments: list[ast.Expr]) -> VectorNode:
    return HistogramQuantile(compiler.scalar(arguments[0]), compiler.vector(arguments[1]))


def _label_replace(compiler: Compiler, arguments: list[ast.Expr]) -> VectorNode:
    vector = compiler.vector(arguments[0])
    label, replacement, source, pattern = (text(argument) for argument in arguments[1:])
    expand = compile_pattern(pattern).expand
    return LabelFunction(
        vector, label_name(label), lambda labels: expand(replacement, labels.get(source, ""))
    )


def _label_join(compiler: Compiler, arguments: list[ast.Expr]) -> VectorNode:
    vector = compiler.vector(arguments[0])
    label, separator, *sources = (text(argument) for argument in arguments[1:])
    for source in sources:
        label_name(source)
    return LabelFunction(
        vector,
        label_name(label),
        lambda labels: separator.join(labels.get(source, "") for source in sources),
    )


_OTHERS: dict[str, Callable[[Compiler, list[ast.Expr]], Node]] = {
    "time": _time,
    "vector": _vector,
    "scalar": _scalar,
    "sort": _sort,
    "sort_desc": _sort,
    "timestamp": _timestamp,
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "histogram_quantile": _histogram_quantile,
    "label_replace": _label_replace,
    "label_join": _label_join,
}


def text(expr: ast.Expr) -> str:
    """Return the text of an argument that is a string.

    Raises:
        UnsupportedError: it is none.
    """
    while isinstance(expr, ast.ParenExpr):
        expr = expr.expr
    if isinstance(expr, ast.StringLiteral):
        return expr.val
    raise UnsupportedError("a string is needed where there is another expression")


def label_name(name: str) -> str:
    """Return a name that can be that of a label.

    Raises:
        UnsupportedError: it cannot.
    """
    if not _LABEL.fullmatch(name):
        raise UnsupportedError(f"{name!r} cannot be the name of a label")
    return name
