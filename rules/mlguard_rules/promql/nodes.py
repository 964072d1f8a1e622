"""Nodes of compiled expressions: selectors, functions and operators with scalars."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.promql.values import Labels, Vector, vector_of, without_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_rules.promql.arithmetic import Binary, Comparison, Unary
    from mlguard_rules.promql.history import History


@dataclass(frozen=True)
class EvalContext:
    """The time of an evaluation, and the samples.

    Attributes:
        at: epoch milliseconds; in a subquery, the time of one of its steps.
        history: the samples.
        now: the time of the whole evaluation, epoch milliseconds.
    """

    at: int
    history: History
    now: int


class ScalarNode(ABC):
    """A node with one value."""

    @abstractmethod
    def scalar(self, context: EvalContext) -> float:
        """Return the value."""


class VectorNode(ABC):
    """A node with values by labels."""

    @abstractmethod
    def vector(self, context: EvalContext) -> Vector:
        """Return the values, which are not to be changed.

        Raises:
            EvaluationError: as in Prometheus.
        """


@dataclass(frozen=True)
class NumberLiteral(ScalarNode):
    """A number."""

    value: float

    def scalar(self, context: EvalContext) -> float:  # noqa: ARG002 - the signature is given
        """Return the number."""
        return self.value


@dataclass(frozen=True)
class TimeFunction(ScalarNode):
    """time()."""

    def scalar(self, context: EvalContext) -> float:
        """Return the time in epoch seconds."""
        return context.at / 1000


@dataclass(frozen=True)
class ScalarFunction(ScalarNode):
    """scalar(argument)."""

    argument: VectorNode

    def scalar(self, context: EvalContext) -> float:
        """Return the value of the only element, NaN unless there is exactly one."""
        values = list(self.argument.vector(context).values())
        return values[0] if len(values) == 1 else math.nan


@dataclass(frozen=True)
class ScalarOperation(ScalarNode):
    """An operator between two scalars; a comparison returns 0 or 1."""

    operator: Binary | Comparison
    left: ScalarNode
    right: ScalarNode

    def scalar(self, context: EvalContext) -> float:
        """Return the result."""
        return float(self.operator(self.left.scalar(context), self.right.scalar(context)))


@dataclass(frozen=True)
class NegativeScalar(ScalarNode):
    """A scalar after a minus."""

    operand: ScalarNode

    def scalar(self, context: EvalContext) -> float:
        """Return the result."""
        return -self.operand.scalar(context)


@dataclass(frozen=True)
class VectorFunction(VectorNode):
    """vector(argument)."""

    argument: ScalarNode

    def vector(self, context: EvalContext) -> Vector:
        """Return one element without labels."""
        return {(): self.argument.scalar(context)}


@dataclass(frozen=True)
class AbsentFunction(VectorNode):
    """absent(argument).

    Attributes:
        argument: the vector that may be empty.
        labels: of the result.
    """

    argument: VectorNode
    labels: Labels

    def vector(self, context: EvalContext) -> Vector:
        """Return 1 if the vector is empty, else nothing."""
        return {} if self.argument.vector(context) else {self.labels: 1.0}


@dataclass(frozen=True)
class ElementFunction(VectorNode):
    """A function of each element of a vector.

    Attributes:
        function: returns the function of one value, given the arguments; None leaves no element.
        vector_argument: the vector.
        arguments: the scalars after it.
    """

    function: Callable[..., Unary | None]
    vector_argument: VectorNode
    arguments: tuple[ScalarNode, ...] = ()

    def vector(self, context: EvalContext) -> Vector:
        """Return the results, without the name of the metric."""
        elements = self.vector_argument.vector(context)
        function = self.function(*(argument.scalar(context) for argument in self.arguments))
        if function is None:
            return {}
        return vector_of((without_name(labels), function(v)) for labels, v in elements.items())


@dataclass(frozen=True)
class VectorScalarOperation(VectorNode):
    """An operator between each element of a vector and a scalar.

    Attributes:
        operator: of left and right.
        elements: the vector.
        number: the scalar.
        filters: whether the operator is a condition that filters the elements.
        swapped: whether the scalar is on the left.
    """

    operator: Binary | Comparison
    elements: VectorNode
    number: ScalarNode
    filters: bool
    swapped: bool

    def vector(self, context: EvalContext) -> Vector:
        """Return filtered elements unchanged, other results without the name of the metric."""
        elements, operator = self.elements.vector(context), self.operator
        number = self.number.scalar(context)
        if self.swapped:
            results = [(labels, v, operator(number, v)) for labels, v in elements.items()]
        else:
            results = [(labels, v, operator(v, number)) for labels, v in elements.items()]
        if self.filters:
            return {labels: v for labels, v, holds in results if holds}
        return vector_of((without_name(labels), float(result)) for labels, _, result in results)
