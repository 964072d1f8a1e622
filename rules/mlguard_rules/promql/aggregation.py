"""Aggregation of the elements of a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.promql.arithmetic import largest, mean, smallest, total
from mlguard_rules.promql.nodes import EvalContext, VectorNode
from mlguard_rules.promql.values import NAME, Labels, Vector

if TYPE_CHECKING:
    from collections.abc import Callable


def _count(values: list[float]) -> float:
    return float(len(values))


AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": total,
    "avg": mean,
    "min": smallest,
    "max": largest,
    "count": _count,
}


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
        groups: dict[Labels, list[float]] = {}
        key = self.grouping.key()
        for labels, value in self.argument.vector(context).items():
            groups.setdefault(key(labels), []).append(value)
        return {labels: self.function(values) for labels, values in groups.items()}
