"""The samples that expressions read: the latest ones, and older ones for ranges."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol

from mlguard_rules.errors import EvaluationError
from mlguard_rules.promql.ranges import RangeWindow
from mlguard_rules.promql.selector import Selector
from mlguard_rules.promql.values import (
    Labels,
    Snapshot,
    Vector,
    milliseconds,
    vector_of,
    with_name,
    without_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlguard_rules.promql.values import Samples

LOOKBACK = 5 * 60 * 1000
"""Milliseconds for which the latest samples are visible (Prometheus --query.lookback-delta)."""


_NO_SAMPLES: Samples = ()


class HasRanges(Protocol):
    """An expression, with the ranges that it reads."""

    @property
    def ranges(self) -> tuple[tuple[Selector, int], ...]:
        """The longest range of each selector, in milliseconds."""


class Series:
    """The samples of one series, in ascending order of time."""

    __slots__ = ("times", "values")

    def __init__(self) -> None:
        self.times: array[int] = array("q")
        self.values: array[float] = array("d")

    def add(self, at: int, value: float) -> None:
        """Add a sample, unless there is one at this time or later."""
        if not self.times or self.times[-1] < at:
            self.times.append(at)
            self.values.append(value)

    def drop_before(self, at: int) -> None:
        """Delete older samples."""
        if self.times[0] < at:
            count = bisect_left(self.times, at)
            del self.times[:count], self.values[:count]

    def drop_from(self, at: int) -> None:
        """Delete samples that are not older."""
        if self.times and self.times[-1] >= at:
            count = bisect_left(self.times, at)
            del self.times[count:], self.values[count:]

    def window(self, start: int, end: int) -> RangeWindow | None:
        """Return the samples from start to end, both included; None if there is none."""
        first, behind = bisect_left(self.times, start), bisect_right(self.times, end)
        if first >= behind:
            return None
        times, values = self.times[first:behind], self.values[first:behind]
        return RangeWindow(start, end, times.tolist(), values.tolist())


class SeriesBuffer:
    """The samples of one selector over its longest range, in milliseconds."""

    def __init__(self, selector: Selector, length: int) -> None:
        self.selector = selector
        self.length = length
        self.series: dict[Labels, Series] = {}

    def add(self, at: int, samples: Iterable[tuple[Labels, float]]) -> None:
        """Add the samples of the metric that the selector matches."""
        series, matches = self.series, self.selector.matches
        for labels, value in samples:
            known = series.get(labels)
            if known is None:
                if not matches(labels):
                    continue
                known = series[labels] = Series()
            known.add(at, value)

    def trim(self, at: int) -> None:
        """Delete samples before the range that ends at this time."""
        horizon = at - self.length
        gone = [labels for labels, one in self.series.items() if one.times[-1] < horizon]
        for labels in gone:
            del self.series[labels]
        for one in self.series.values():
            one.drop_before(horizon)

    def drop_from(self, at: int) -> None:
        """Delete samples at this time or later."""
        for one in self.series.values():
            one.drop_from(at)
        self.series = {labels: one for labels, one in self.series.items() if one.times}

    def copy_from(self, other: SeriesBuffer) -> None:
        """Copy series of another selector on the same metric, if they match and are longer."""
        for labels, theirs in other.series.items():
            ours = self.series.get(labels)
            longer = ours is None or theirs.times[0] < ours.times[0]
            if longer and self.selector.matches(labels):
                copy = self.series[labels] = Series()
                copy.times, copy.values = theirs.times[:], theirs.values[:]


class History:
    """The latest samples of all metrics, and older ones for the ranges of some expressions.

    Its size is bounded by the number of series, times the samples in the longest range of each
    selector.
    """

    def __init__(self, expressions: Iterable[HasRanges]) -> None:
        lengths: dict[Selector, int] = {}
        for expression in expressions:
            for selector, length in expression.ranges:
                lengths[selector] = max(length, lengths.get(selector, 0))
        self._buffers = {key: SeriesBuffer(key, length) for key, length in lengths.items()}
        self._by_metric: dict[str, list[SeriesBuffer]] = {}
        for buffer in self._buffers.values():
            self._by_metric.setdefault(buffer.selector.metric, []).append(buffer)
        self._latest: Snapshot = {}
        self._latest_at: float | None = None
        self._latest_ms = 0
        self._recorded: dict[str, tuple[int, list[tuple[Labels, float]]]] = {}
        # vectors by selector, with the list of samples that each was made of
        self._selected: dict[Selector, tuple[Samples, Vector]] = {}

    @property
    def latest_at(self) -> float | None:
        """The time of the latest snapshot, epoch seconds; None before the first."""
        return self._latest_at

    def append(self, at: float, snapshot: Snapshot) -> None:
        """Add a snapshot; a series that is not in it is stale at once.

        Args:
            at: epoch seconds. If the clock has jumped back, samples from then on are deleted.
            snapshot: kept, not copied; not to be changed later.
        """
        now = milliseconds(at)
        for buffer in self._buffers.values():
            buffer.drop_from(now)
            buffer.add(now, snapshot.get(buffer.selector.metric, ()))
            buffer.trim(now)
        self._recorded = {
            name: (recorded, samples)
            for name, (recorded, samples) in self._recorded.items()
            if now - LOOKBACK <= recorded < now
        }
        self._latest, self._latest_at, self._latest_ms = snapshot, at, now
        self._selected = {
            selector: selected
            for selector, selected in self._selected.items()
            if not selector.matchers or selected[0] is snapshot.get(selector.metric)
        }

    def extend(self, snapshot: Snapshot) -> None:
        """Add further metrics to the latest snapshot."""
        self._latest = {**self._latest, **snapshot}

    def record(self, at: float, name: str, vector: Vector) -> None:
        """Add the result of a recording rule, which later expressions see.

        It replaces what was recorded under this name at an earlier time, and is visible until it
        is replaced or five minutes old. Results of the same time are joined, as several rules may
        record under one name.

        Args:
            at: epoch seconds, of the latest snapshot or later.
            name: of the metric that it becomes.
            vector: the result, with the labels of the rule.

        Raises:
            EvaluationError: two samples have the same labels but for the name.
        """
        now = milliseconds(at)
        samples = list(vector_of((without_name(k), value) for k, value in vector.items()).items())
        before, others = self._recorded.get(name, (now, []))
        self._recorded[name] = (now, [*others, *samples] if before == now else samples)
        for buffer in self._by_metric.get(name, ()):
            buffer.add(now, samples)

    def with_expressions(self, expressions: Iterable[HasRanges]) -> History:
        """Return a history for other expressions, with the known samples of their series."""
        other = History(expressions)
        for buffer in other._buffers.values():
            for known in self._by_metric.get(buffer.selector.metric, ()):
                buffer.copy_from(known)
            if buffer.series and self._latest_at is not None:
                buffer.trim(self._latest_ms)
        other._latest, other._latest_at = self._latest, self._latest_at
        other._latest_ms, other._recorded = self._latest_ms, dict(self._recorded)
        return other

    def current(self, metric: str, at: float) -> Samples:
        """Return the current samples of a metric; the same object while they have not changed.

        Args:
            metric: its name.
            at: epoch seconds.
        """
        return self.samples(metric, milliseconds(at))

    def samples(self, metric: str, at: int) -> Samples:
        """Return the current samples of a metric, none if they are older than five minutes.

        Args:
            metric: its name.
            at: epoch milliseconds.
        """
        scraped: Samples = _NO_SAMPLES
        if self._latest_ms <= at <= self._latest_ms + LOOKBACK:
            scraped = self._latest.get(metric, _NO_SAMPLES)
        if metric in self._recorded:
            recorded, samples = self._recorded[metric]
            if recorded <= at <= recorded + LOOKBACK:
                return [*scraped, *samples]
        return scraped

    def select(self, selector: Selector, at: int) -> Vector:
        """Return the current samples that a selector matches, with the name of the metric.

        The vector is not to be changed; it is shared by all expressions.

        Args:
            selector: of the series.
            at: epoch milliseconds.
        """
        samples = self.samples(selector.metric, at)
        known = self._selected.get(selector)
        if known is not None and known[0] is samples:
            return known[1]
        if selector.matchers:
            matches = selector.matches
            named = self.select(Selector(selector.metric), at)
            vector = {labels: value for labels, value in named.items() if matches(labels)}
        else:
            vector = self._named(selector.metric, samples, known)
        self._selected[selector] = samples, vector
        return vector

    def _named(self, metric: str, samples: Samples, known: tuple[Samples, Vector] | None) -> Vector:
        """Return samples with the name of the metric; labels that are known are not made again."""
        if known is None or not len(known[0]) == len(known[1]) == len(samples):
            return {with_name(metric, labels): value for labels, value in samples}
        return {
            named if labels is before[0] else with_name(metric, labels): value
            for (labels, value), before, named in zip(samples, *known, strict=True)
        }

    def range_windows(
        self, selector: Selector, start: int, end: int
    ) -> Iterator[tuple[Labels, RangeWindow]]:
        """Yield the samples of each series from start to end, epoch milliseconds, if it has any.

        They are sorted by labels, as in Prometheus: the last digits of a sum depend on the order.

        Raises:
            EvaluationError: the history was made without an expression that has this range.
        """
        buffer = self._buffers.get(selector)
        if buffer is None or buffer.length < end - start:
            raise EvaluationError(f"no history is kept for {selector.metric} over this range")
        for labels, series in sorted(buffer.series.items(), key=itemgetter(0)):
            window = series.window(start, end)
            if window is not None:
                yield labels, window
