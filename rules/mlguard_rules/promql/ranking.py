"""topk and bottomk: the elements of each group with the largest or smallest values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mlguard_rules.errors import EvaluationError
from mlguard_rules.promql.nodes import EvalContext, ScalarNode, VectorNode

if TYPE_CHECKING:
    from mlguard_rules.promql.aggregation import Grouping
    from mlguard_rules.promql.values import Labels, Vector

_MAX_COUNT = 2.0**63

_Element: TypeAlias = "tuple[Labels, float]"


@dataclass(frozen=True)
class Ranking(VectorNode):
    """topk(count, argument) or bottomk(count, argument).

    Attributes:
        count: of elements of each group.
        argument: the vector.
        grouping: how it is grouped.
        largest: whether the largest values are taken.
    """

    count: ScalarNode
    argument: VectorNode
    grouping: Grouping
    largest: bool

    def vector(self, context: EvalContext) -> Vector:
        """Return the elements unchanged.

        Raises:
            EvaluationError: the count is no integer of 64 bits.
        """
        elements = self.argument.vector(context)
        count = self.count.scalar(context)
        if not -_MAX_COUNT <= count <= _MAX_COUNT:
            raise EvaluationError(f"scalar value {count} overflows int64")
        if count < 1:
            return {}
        key = self.grouping.key()
        heaps: dict[Labels, _Heap] = {}
        for labels, value in elements.items():
            heap = heaps.setdefault(key(labels), _Heap(largest=self.largest))
            heap.offer((labels, value), int(count))
        return dict(element for heap in heaps.values() for element in heap.ordered())


class _Heap:
    """A heap whose first element is the next to be replaced; NaN is replaced by any value.

    Which of several equal values stay depends on every step, so that it is Go's container/heap.
    """

    def __init__(self, *, largest: bool) -> None:
        self._sign = 1.0 if largest else -1.0
        self.elements: list[_Element] = []

    def ordered(self) -> list[_Element]:
        """Return the elements, the one that is replaced last comes first."""
        sign = self._sign
        return sorted(self.elements, key=lambda one: (math.isnan(one[1]), -sign * one[1]))

    def offer(self, element: _Element, count: int) -> None:
        """Add an element if there are fewer than `count`, or it replaces one (engine.go)."""
        elements = self.elements
        if len(elements) >= count:
            first, value = elements[0][1], element[1]
            if not (math.isnan(first) or self._sign * first < self._sign * value):
                return
            if count == 1:
                elements[0] = element
                return
            self._pop()
        elements.append(element)
        self._up(len(elements) - 1)

    def _less(self, i: int, j: int) -> bool:
        one, other = self.elements[i][1], self.elements[j][1]
        return math.isnan(one) or self._sign * one < self._sign * other

    def _swap(self, i: int, j: int) -> None:
        self.elements[i], self.elements[j] = self.elements[j], self.elements[i]

    def _pop(self) -> None:
        last = len(self.elements) - 1
        self._swap(0, last)
        self._down(last)
        self.elements.pop()

    def _up(self, j: int) -> None:
        while j > 0:
            parent = (j - 1) // 2
            if not self._less(j, parent):
                return
            self._swap(parent, j)
            j = parent

    def _down(self, count: int) -> None:
        i = 0
        while (child := 2 * i + 1) < count:
            if child + 1 < count and self._less(child + 1, child):
                child += 1
            if not self._less(child, i):
                return
            self._swap(i, child)
            i = child
