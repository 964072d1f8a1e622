"""Nodes that read samples: selectors, ranges, subqueries and their functions."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from mlguard_rules.promql.nodes import EvalContext, ScalarNode, VectorNode
from mlguard_rules.promql.ranges import RangeWindow
from mlguard_rules.promql.values import Labels, Vector, vector_of, with_name, without_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlguard_rules.promql.ranges import RangeFunction
    from mlguard_rules.promql.selector import Selector


@dataclass(frozen=True)
class VectorSelector(VectorNode):
    """The samples of a selector.

    Attributes:
        selector: of the series.
        offset: how long ago, milliseconds.
    """

    selector: Selector
    offset: int = 0

    def vector(self, context: EvalContext) -> Vector:
        """Return the samples, with the name of the metric."""
        at = context.at - self.offset
        if at < context.now:
            return context.history.select_before(self.selector, at, context.now)
        return context.history.select(self.selector, at)


@dataclass(frozen=True)
class RangeSelector:
    """The samples of a selector in a range.

    Attributes:
        selector: of the series.
        length: of the range, milliseconds.
        offset: how long ago the range ends, milliseconds.
    """

    selector: Selector
    length: int
    offset: int = 0

    def windows(
        self, context: EvalContext, *, named: bool = False
    ) -> Iterator[tuple[Labels, RangeWindow]]:
        """Yield the samples of each series that has any, with its labels.

        Args:
            context: of the evaluation.
            named: whether the name of the metric is among the labels.
        """
        end = context.at - self.offset
        name, history = self.selector.metric, context.history
        times = (end - self.length, end, context.at, context.now)
        for labels, window in history.range_windows(self.selector, *times):
            yield with_name(name, labels) if named else labels, window


@dataclass(frozen=True)
class Subquery:
    """The results of a vector at regular times in a range.

    Attributes:
        argument: the vector.
        length: of the range, milliseconds.
        step: between two times, which are multiples of it, milliseconds.
        offset: how long ago the range ends, milliseconds.
    """

    argument: VectorNode
    length: int
    step: int
    offset: int = 0

    def windows(
        self, context: EvalContext, *, named: bool = False
    ) -> Iterator[tuple[Labels, RangeWindow]]:
        """Yield the results by labels; see `RangeSelector.windows`."""
        end = context.at - self.offset
        start = end - self.length
        series: dict[Labels, tuple[list[int], list[float]]] = {}
        first = -(-start // self.step) * self.step
        for at in range(first, end + 1, self.step):
            inner = EvalContext(at, context.history, context.now)
            for labels, value in self.argument.vector(inner).items():
                times, values = series.setdefault(labels, ([], []))
                times.append(at)
                values.append(value)
        for labels, (times, values) in sorted(series.items(), key=itemgetter(0)):
            window = RangeWindow(start, end, times, values, context.at)
            yield labels if named else without_name(labels), window


@dataclass(frozen=True)
class RangeFunctionCall(VectorNode):
    """A function of the samples in a range.

    Attributes:
        function: of the samples of one series, and of the arguments.
        samples: in the range.
        keeps_name: whether the result keeps the name of the metric.
        arguments: the scalars beside the range.
    """

    function: RangeFunction
    samples: RangeSelector | Subquery
    keeps_name: bool
    arguments: tuple[ScalarNode, ...] = ()

    def vector(self, context: EvalContext) -> Vector:
        """Return the results of the series that have one."""
        found: list[tuple[Labels, float]] = []
        arguments = [argument.scalar(context) for argument in self.arguments]
        for labels, window in self.samples.windows(context, named=self.keeps_name):
            value = self.function(window, *arguments)
            if value is not None:
                found.append((labels, value))
        return vector_of(found)


@dataclass(frozen=True)
class AbsentOverTime(VectorNode):
    """absent_over_time(samples).

    Attributes:
        samples: in the range.
        labels: of the result.
    """

    samples: RangeSelector | Subquery
    labels: Labels

    def vector(self, context: EvalContext) -> Vector:
        """Return 1 if there is no sample in the range, else nothing."""
        is_present = any(True for _ in self.samples.windows(context))
        return {} if is_present else {self.labels: 1.0}


@dataclass(frozen=True)
class TimestampFunction(VectorNode):
    """timestamp(argument)."""

    argument: VectorNode

    def vector(self, context: EvalContext) -> Vector:
        """Return the time of each sample; of what is computed, the time of the evaluation."""
        node, history = self.argument, context.history
        if isinstance(node, VectorSelector):
            times = history.sample_times(node.selector, context.at - node.offset, context.now)
        else:
            times = dict.fromkeys(node.vector(context), context.at / 1000)
        return vector_of((without_name(labels), time) for labels, time in times.items())
