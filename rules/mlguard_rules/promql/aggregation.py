"""Aggregation of the elements of a vector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from mlguard_rules.promql.nodes import EvalContext, ScalarNode, VectorNode
from mlguard_rules.promql.statistics import (
    count,
    deviation,
    largest,
    mean,
    quantile,
    smallest,
    total,
    variance,
)
from mlguard_rules.promql.values import NAME, Labels, Vector

if TYPE_CHECKING:
    from collections.abc import Callable

AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": total,
    "avg": mean,
    "min": smallest,
    "max": largest,
    "count": count,
    "stddev": deviation,
    "stdvar": variance,
    "group": lambda _: 1.0,
}
"""From the values of a group, which is not empty, to that of its element."""


@dataclass(frozen=True)
class Grouping:
    """The labels that form a group.

    Attributes:
        labels: names after by or without.
        without: group by all labels but these and the name of the metric.
    """

    labels: frozenset[str] = frozenset()
    without: bool = False

    def key(self) -> Callable[[Labels], Labels]:
        """Return a function from the labels of an element to those of its group."""
        if self.without:
            names = self.labels | {NAME}
            return lambda labels: tuple([pair for pair in labels if pair[0] not in names])
        if not self.labels:
            return lambda _: ()
        names = self.labels
        return lambda labels: tuple([pair for pair in labels if pair[0] in names])

    def groups(self, vector: Vector) -> dict[Labels, list[float]]:
        """Return the values of each group."""
        groups: dict[Labels, list[float]] = {}
        key = self.key()
        for labels, value in vector.items():
            groups.setdefault(key(labels), []).append(value)
        return groups


@dataclass(frozen=True)
class Aggregate(VectorNode):
    """An aggregation, such as sum by (model) (x).

    Attributes:
        function: of the values of a group, which is not empty.
        argument: the vector.
        grouping: how it is grouped.
    """

    function: Callable[[list[float]], float]
    argument: VectorNode
    grouping: Grouping

    def vector(self, context: EvalContext) -> Vector:
        """Return one element for each group."""
        groups = self.grouping.groups(self.argument.vector(context))
        return {labels: self.function(values) for labels, values in groups.items()}


@dataclass(frozen=True)
class Quantile(VectorNode):
    """quantile(ratio, argument).

    Attributes:
        ratio: 0 to 1.
        argument: the vector.
        grouping: how it is grouped.
    """

    ratio: ScalarNode
    argument: VectorNode
    grouping: Grouping

    def vector(self, context: EvalContext) -> Vector:
        """Return the quantile of each group."""
        ratio = self.ratio.scalar(context)
        groups = self.grouping.groups(self.argument.vector(context))
        return {labels: quantile(ratio, values) for labels, values in groups.items()}


@dataclass(frozen=True)
class CountValues(VectorNode):
    """count_values("label", argument).

    Attributes:
        label: whose value is the counted value.
        argument: the vector.
        grouping: how it is grouped.
    """

    label: str
    argument: VectorNode
    grouping: Grouping

    def vector(self, context: EvalContext) -> Vector:
        """Return the number of elements of each value, in each group."""
        grouping = self.grouping
        if not grouping.without:
            grouping = Grouping(grouping.labels | {self.label})
        key = grouping.key()
        found: Vector = {}
        for labels, value in self.argument.vector(context).items():
            others = [pair for pair in labels if pair[0] != self.label]
            group = key(tuple(sorted([*others, (self.label, _text(value))])))
            found[group] = found.get(group, 0.0) + 1.0
        return found


def _text(value: float) -> str:
    """Return a number without an exponent (Go's FormatFloat with 'f')."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = f"{Decimal(repr(value)):f}"
    return text.removesuffix(".0")
