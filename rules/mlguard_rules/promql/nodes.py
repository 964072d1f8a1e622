"""The parts of a compiled expression: selectors, functions and operators on scalars."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.promql.values import Labels, Vector, unique, with_name, without_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_rules.promql.arithmetic import Binary, Comparison, Unary
    from mlguard_rules.promql.history import History
    from mlguard_rules.promql.ranges import RangeFunction
    from mlguard_rules.promql.selector import Selector


@dataclass(frozen=True)
class Moment:
    """When and on what an expression is evaluated.

    Attributes:
        at: epoch milliseconds.
        history: the samples.
    """

    at: int
    history: History


class ScalarNode(ABC):
    """A part that has one value."""

    @abstractmethod
    def scalar(self, moment: Moment) -> float:
        """Its value."""


class VectorNode(ABC):
    """A part that has values by labels."""

    @abstractmethod
    def vector(self, moment: Moment) -> Vector:
        """Its values.

        Raises:
            EvaluationError: as Prometheus would.
        """


@dataclass(frozen=True)
class Number(ScalarNode):
    """A literal."""

    value: float

    def scalar(self, moment: Moment) -> float:  # noqa: ARG002 - the signature is given
        """The literal."""
        return self.value


@dataclass(frozen=True)
class Time(ScalarNode):
    """time()."""

    def scalar(self, moment: Moment) -> float:
        """Epoch seconds."""
        return moment.at / 1000


@dataclass(frozen=True)
class ScalarOf(ScalarNode):
    """scalar(vector)."""

    of: VectorNode

    def scalar(self, moment: Moment) -> float:
        """The value of the only element, NaN unless there is exactly one."""
        values = list(self.of.vector(moment).values())
        return values[0] if len(values) == 1 else math.nan


@dataclass(frozen=True)
class ScalarPair(ScalarNode):
    """An operator between two scalars; a comparison gives 0 or 1."""

    operator: Binary | Comparison
    left: ScalarNode
    right: ScalarNode

    def scalar(self, moment: Moment) -> float:
        """The result."""
        return float(self.operator(self.left.scalar(moment), self.right.scalar(moment)))


@dataclass(frozen=True)
class NegativeScalar(ScalarNode):
    """A scalar behind a minus."""

    of: ScalarNode

    def scalar(self, moment: Moment) -> float:
        """The result."""
        return -self.of.scalar(moment)


@dataclass(frozen=True)
class Latest(VectorNode):
    """The current samples of a selector."""

    selector: Selector

    def vector(self, moment: Moment) -> Vector:
        """The samples, named."""
        metric, matches = self.selector.metric, self.selector.matches
        samples = moment.history.samples(metric, moment.at)
        if not self.selector.matchers:
            return {with_name(metric, labels): value for labels, value in samples}
        return {with_name(metric, labels): value for labels, value in samples if matches(labels)}


@dataclass(frozen=True)
class OverRange(VectorNode):
    """A function of the samples of a range.

    Attributes:
        function: of the samples of one series.
        selector: which series.
        length: of the range, milliseconds.
        keeps_name: whether the result still is the metric.
    """

    function: RangeFunction
    selector: Selector
    length: int
    keeps_name: bool

    def vector(self, moment: Moment) -> Vector:
        """The results of the series that have one."""
        found: Vector = {}
        windows = moment.history.windows(self.selector, moment.at - self.length, moment.at)
        for labels, window in windows:
            value = self.function(window)
            if value is not None:
                name = self.selector.metric
                found[with_name(name, labels) if self.keeps_name else labels] = value
        return found


@dataclass(frozen=True)
class VectorOf(VectorNode):
    """vector(scalar)."""

    of: ScalarNode

    def vector(self, moment: Moment) -> Vector:
        """One element without labels."""
        return {(): self.of.scalar(moment)}


@dataclass(frozen=True)
class Absent(VectorNode):
    """absent(vector).

    Attributes:
        of: what may be absent.
        labels: of the result.
    """

    of: VectorNode
    labels: Labels

    def vector(self, moment: Moment) -> Vector:
        """1 if there is no element, else nothing."""
        return {} if self.of.vector(moment) else {self.labels: 1.0}


@dataclass(frozen=True)
class Each(VectorNode):
    """A function of each element.

    Attributes:
        function: makes the function of one value from the arguments; None leaves no elements.
        of: the vector.
        arguments: the scalars behind it.
    """

    function: Callable[..., Unary | None]
    of: VectorNode
    arguments: tuple[ScalarNode, ...] = ()

    def vector(self, moment: Moment) -> Vector:
        """The results, without the name of the metric."""
        elements = self.of.vector(moment)
        function = self.function(*(one.scalar(moment) for one in self.arguments))
        if function is None:
            return {}
        return unique((without_name(labels), function(v)) for labels, v in elements.items())


@dataclass(frozen=True)
class WithScalar(VectorNode):
    """An operator between each element of a vector and a scalar.

    Attributes:
        operator: of left and right.
        of: the vector.
        by: the scalar.
        filters: the operator is a condition, and the elements are kept for which it holds.
        swapped: the scalar stands on the left.
    """

    operator: Binary | Comparison
    of: VectorNode
    by: ScalarNode
    filters: bool
    swapped: bool

    def vector(self, moment: Moment) -> Vector:
        """The elements, unchanged where they are filtered, else without the metric's name."""
        elements, by, operator = self.of.vector(moment), self.by.scalar(moment), self.operator
        if self.swapped:
            results = [(labels, v, operator(by, v)) for labels, v in elements.items()]
        else:
            results = [(labels, v, operator(v, by)) for labels, v in elements.items()]
        if self.filters:
            return {labels: v for labels, v, holds in results if holds}
        return unique((without_name(labels), float(result)) for labels, _, result in results)
