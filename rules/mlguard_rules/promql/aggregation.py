"""Aggregations over the elements of a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.promql.arithmetic import largest, mean, smallest, total
from mlguard_rules.promql.nodes import Moment, VectorNode
from mlguard_rules.promql.values import NAME, Labels, Vector, dropped, kept

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
    """Which labels make a group.

    Attributes:
        labels: names given with by or without.
        without: all labels but these, and but the name of the metric.
    """

    labels: frozenset[str] = frozenset()
    without: bool = False

    def key(self) -> Callable[[Labels], Labels]:
        """Gives the labels of an element's group."""
        if self.without:
            names = self.labels | {NAME}
            return lambda labels: dropped(labels, names)
        if not self.labels:
            return lambda _: ()
        return lambda labels: kept(labels, self.labels)


@dataclass(frozen=True)
class Aggregate(VectorNode):
    """An aggregation.

    Attributes:
        function: of the values of a group, of which there is at least one.
        of: the vector.
        grouping: its groups.
    """

    function: Callable[[list[float]], float]
    of: VectorNode
    grouping: Grouping

    def vector(self, moment: Moment) -> Vector:
        """One element for each group."""
        groups: dict[Labels, list[float]] = {}
        key = self.grouping.key()
        for labels, value in self.of.vector(moment).items():
            groups.setdefault(key(labels), []).append(value)
        return {labels: self.function(values) for labels, values in groups.items()}
