"""What expressions read: the latest samples, and those of some time for their ranges."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol

from mlguard_rules.promql.ranges import Window
from mlguard_rules.promql.values import (
    EvaluationError,
    Labels,
    Snapshot,
    Vector,
    milliseconds,
    unique,
    without_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mlguard_rules.promql.selector import Selector

LOOKBACK = 5 * 60 * 1000
"""Milliseconds for which the latest samples count (Prometheus --query.lookback-delta)."""


class Reader(Protocol):
    """An expression, as far as it asks for history."""

    @property
    def ranges(self) -> tuple[tuple[Selector, int], ...]:
        """The longest range of each selector, in milliseconds."""


class Series:
    """Samples of one series in ascending time."""

    __slots__ = ("times", "values")

    def __init__(self) -> None:
        self.times: array[int] = array("q")
        self.values: array[float] = array("d")

    def add(self, at: int, value: float) -> None:
        """Add a sample, unless there is one of this time or a later one."""
        if not self.times or self.times[-1] < at:
            self.times.append(at)
            self.values.append(value)

    def drop_before(self, at: int) -> None:
        """Forget what is older."""
        if self.times[0] < at:
            count = bisect_left(self.times, at)
            del self.times[:count], self.values[:count]

    def drop_from(self, at: int) -> None:
        """Forget what is not older."""
        if self.times and self.times[-1] >= at:
            count = bisect_left(self.times, at)
            del self.times[count:], self.values[count:]

    def window(self, start: int, end: int) -> Window | None:
        """The samples from start to end, both included; None if there is none."""
        first, behind = bisect_left(self.times, start), bisect_right(self.times, end)
        if first >= behind:
            return None
        times, values = self.times[first:behind], self.values[first:behind]
        return Window(start, end, times.tolist(), values.tolist())


class Tape:
    """The samples of one selector over its longest range."""

    def __init__(self, selector: Selector, length: int) -> None:
        self.selector = selector
        self.length = length
        self.series: dict[Labels, Series] = {}

    def add(self, at: int, samples: Iterable[tuple[Labels, float]]) -> None:
        """Add the samples of the metric that match."""
        series, matches = self.series, self.selector.matches
        for labels, value in samples:
            known = series.get(labels)
            if known is None:
                if not matches(labels):
                    continue
                known = series[labels] = Series()
            known.add(at, value)

    def trim(self, at: int) -> None:
        """Forget what lies before the range that ends at this time."""
        horizon = at - self.length
        gone = [labels for labels, one in self.series.items() if one.times[-1] < horizon]
        for labels in gone:
            del self.series[labels]
        for one in self.series.values():
            one.drop_before(horizon)

    def drop_from(self, at: int) -> None:
        """Forget what is at this time or later."""
        for one in self.series.values():
            one.drop_from(at)
        self.series = {labels: one for labels, one in self.series.items() if one.times}

    def take(self, other: Tape) -> None:
        """Take over the series of another selector on the same metric, where they match."""
        for labels, theirs in other.series.items():
            ours = self.series.get(labels)
            longer = ours is None or theirs.times[0] < ours.times[0]
            if longer and self.selector.matches(labels):
                copy = self.series[labels] = Series()
                copy.times, copy.values = theirs.times[:], theirs.values[:]


class History:
    """The latest samples of all metrics, and older ones for the ranges of some expressions.

    The memory is bounded by the number of series times the samples within the longest range of
    each selector.
    """

    def __init__(self, expressions: Iterable[Reader]) -> None:
        lengths: dict[Selector, int] = {}
        for expression in expressions:
            for selector, length in expression.ranges:
                lengths[selector] = max(length, lengths.get(selector, 0))
        self._tapes = {key: Tape(key, length) for key, length in lengths.items()}
        self._by_metric: dict[str, list[Tape]] = {}
        for tape in self._tapes.values():
            self._by_metric.setdefault(tape.selector.metric, []).append(tape)
        self._latest: Snapshot = {}
        self._latest_at: float | None = None
        self._latest_ms = 0
        self._recorded: dict[str, tuple[int, list[tuple[Labels, float]]]] = {}

    @property
    def latest_at(self) -> float | None:
        """When the latest snapshot was taken, epoch seconds; None before the first."""
        return self._latest_at

    def append(self, at: float, snapshot: Snapshot) -> None:
        """Take in all samples of a moment; a series that is not among them is stale at once.

        Args:
            at: epoch seconds. Where the clock has jumped back, samples from then on are dropped.
            snapshot: kept, not copied; not to be changed later.
        """
        now = milliseconds(at)
        for tape in self._tapes.values():
            tape.drop_from(now)
            tape.add(now, snapshot.get(tape.selector.metric, ()))
            tape.trim(now)
        self._recorded = {
            name: (recorded, samples)
            for name, (recorded, samples) in self._recorded.items()
            if now - LOOKBACK <= recorded < now
        }
        self._latest, self._latest_at, self._latest_ms = snapshot, at, now

    def record(self, at: float, name: str, vector: Vector) -> None:
        """Add the result of a recording rule, so that what is evaluated later sees it.

        It replaces what was recorded under this name at an earlier time, and stays visible until
        it is replaced or five minutes old. Results of the same time add up, as several rules may
        record under one name.

        Args:
            at: epoch seconds, of the latest snapshot or later.
            name: of the metric that it becomes.
            vector: the result, with the labels of the rule.

        Raises:
            EvaluationError: two samples have the same labels but for the name.
        """
        now = milliseconds(at)
        samples = list(unique((without_name(k), value) for k, value in vector.items()).items())
        before, others = self._recorded.get(name, (now, []))
        self._recorded[name] = (now, [*others, *samples] if before == now else samples)
        for tape in self._by_metric.get(name, ()):
            tape.add(now, samples)

    def with_expressions(self, expressions: Iterable[Reader]) -> History:
        """A history for other expressions, with all that this one knows of their series."""
        other = History(expressions)
        for tape in other._tapes.values():
            for known in self._by_metric.get(tape.selector.metric, ()):
                tape.take(known)
            if tape.series and self._latest_at is not None:
                tape.trim(self._latest_ms)
        other._latest, other._latest_at = self._latest, self._latest_at
        other._latest_ms, other._recorded = self._latest_ms, dict(self._recorded)
        return other

    def samples(self, metric: str, at: int) -> Sequence[tuple[Labels, float]]:
        """The current samples of a metric, none if they are older than five minutes.

        Args:
            metric: its name.
            at: epoch milliseconds.
        """
        scraped: Sequence[tuple[Labels, float]] = ()
        if self._latest_ms <= at <= self._latest_ms + LOOKBACK:
            scraped = self._latest.get(metric, ())
        if metric in self._recorded:
            recorded, samples = self._recorded[metric]
            if recorded <= at <= recorded + LOOKBACK:
                return [*scraped, *samples]
        return scraped

    def windows(self, selector: Selector, start: int, end: int) -> Iterator[tuple[Labels, Window]]:
        """The samples of each series from start to end, epoch milliseconds, where it has any.

        They come sorted by labels, as in Prometheus: the last digits of a sum depend on the order.

        Raises:
            EvaluationError: the history was made without an expression that asks for this.
        """
        tape = self._tapes.get(selector)
        if tape is None or tape.length < end - start:
            raise EvaluationError(f"no history is kept for {selector.metric} over this range")
        for labels, series in sorted(tape.series.items(), key=itemgetter(0)):
            window = series.window(start, end)
            if window is not None:
                yield labels, window
