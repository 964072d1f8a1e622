"""The samples that expressions read: the latest ones, and older ones for ranges."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, ClassVar, Protocol

from mlguard_rules.errors import EvaluationError
from mlguard_rules.promql.budget import Budget
from mlguard_rules.promql.selector import Selector
from mlguard_rules.promql.series import LOOKBACK, SeriesBuffer
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

    from mlguard_rules.promql.ranges import RangeWindow
    from mlguard_rules.promql.values import Samples

MAX_SAMPLES = 1_000_000
"""Samples that are kept for ranges and offsets, of 16 bytes each."""

MAX_SAMPLES_PER_SERIES = 12_000
"""Samples of one series that a range or an offset may need: two days of every 15 seconds."""

_NO_SAMPLES: Samples = ()


class HasRanges(Protocol):
    """An expression, with the time back to which it reads."""

    @property
    def ranges(self) -> tuple[tuple[Selector, int], ...]:
        """For each selector of a range or with an offset, the milliseconds that it reads back."""


class History:
    """The latest samples of all metrics, and older ones that some expressions read.

    The older samples are those of the longest range of each selector. If they become more than
    `max_samples`, those of one selector are deleted, and its expressions cannot be evaluated until
    its series fit again. Then they are evaluated on fewer samples, as after a restart.

    Args:
        expressions: that are evaluated on it.
        max_samples: to keep.
    """

    _ends_missing: ClassVar[bool] = True
    """Whether a series that is not in a snapshot has ended, rather than having a gap."""

    def __init__(self, expressions: Iterable[HasRanges], max_samples: int = MAX_SAMPLES) -> None:
        self._budget = Budget(max_samples)
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
        buffers = self._buffers.values()
        self._budget.begin(buffers, None if self._latest_at is None else self._latest_ms, now)
        for buffer in buffers:
            buffer.drop_from(now)
            buffer.add(now, snapshot.get(buffer.selector.metric, ()), recorded=False)
        counts = self._trim(now)
        self._budget.learn(counts)
        self._recorded = {
            name: (recorded, samples)
            for name, (recorded, samples) in self._recorded.items()
            if now - LOOKBACK <= recorded < now
        }
        self._latest, self._latest_at, self._latest_ms = snapshot, at, now
        self._restart(counts)
        self._selected = {
            selector: selected
            for selector, selected in self._selected.items()
            if not selector.matchers or selected[0] is snapshot.get(selector.metric)
        }

    def _trim(self, now: int) -> dict[SeriesBuffer, int]:
        """Delete samples that are too old or too many; return the numbers of those that stay."""
        counts = {
            buffer: buffer.trim(now, ends=self._ends_missing)
            for buffer in self._buffers.values()
            if not buffer.overflowed
        }
        self._budget.enforce(counts, now)
        return counts

    def _restart(self, counts: dict[SeriesBuffer, int]) -> None:
        """Start buffers again that were emptied, if their series fit beside those of others."""
        now = self._latest_ms
        emptied = [
            (buffer, self.samples(buffer.selector.metric, now))
            for buffer in self._buffers.values()
            if buffer.overflowed
        ]
        for buffer in self._budget.restart(counts, emptied):
            buffer.restart(now)
            buffer.add(now, self._latest.get(buffer.selector.metric, ()), recorded=False)

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
            buffer.add(now, samples, recorded=True)
            buffer.end_recorded(now)

    def with_expressions(self, expressions: Iterable[HasRanges]) -> History:
        """Return a history for other expressions, with the known samples of their series."""
        other = History(expressions, self._budget.max_samples)
        other._budget = self._budget.copy()
        for buffer in other._buffers.values():
            if buffer.selector in self._buffers:
                buffer.take_over(self._buffers[buffer.selector])
            if buffer.overflowed:
                continue
            for known in self._by_metric.get(buffer.selector.metric, ()):
                buffer.copy_from(known)
        if self._latest_at is not None:
            other._trim(self._latest_ms)
        other._latest, other._latest_at = self._latest, self._latest_at
        other._latest_ms, other._recorded = self._latest_ms, dict(self._recorded)
        return other

    def restarted_at(self, expression: HasRanges) -> float | None:
        """Return when samples were kept again that an expression reads, epoch seconds.

        None if they were always kept.
        """
        known = [self._buffers[key] for key, _ in expression.ranges if key in self._buffers]
        times = [buffer.since for buffer in known if buffer.since is not None]
        return max(times) / 1000 if times else None

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
        self, selector: Selector, start: int, end: int, at: int, now: int
    ) -> Iterator[tuple[Labels, RangeWindow]]:
        """Yield the samples of each series from start to end, if it has any.

        They are sorted by labels, as in Prometheus: the last digits of a sum depend on the order.

        Args:
            selector: of the series.
            start: epoch milliseconds.
            end: epoch milliseconds.
            at: time of the function's evaluation, epoch milliseconds.
            now: time of the whole evaluation, not before the latest snapshot, epoch milliseconds.

        Raises:
            EvaluationError: the history was made without an expression that reads back so far, or
                the samples were too many.
        """
        buffer = self._buffer(selector, now - start)
        for labels, series in sorted(buffer.series.items(), key=itemgetter(0)):
            window = series.window(start, end, at)
            if window is not None:
                yield labels, window

    def select_before(self, selector: Selector, then: int, now: int) -> Vector:
        """Return the samples that were current at an earlier time, with the name of the metric.

        Args:
            selector: of the series.
            then: epoch milliseconds.
            now: time of the evaluation, epoch milliseconds.

        Raises:
            EvaluationError: as of `range_windows`.
        """
        return {labels: value for labels, (_, value) in self._visible(selector, then, now)}

    def sample_times(self, selector: Selector, then: int, now: int) -> Vector:
        """Return the times of the samples that are current at a time, in epoch seconds.

        Args:
            selector: of the series.
            then: epoch milliseconds.
            now: time of the evaluation, epoch milliseconds.

        Raises:
            EvaluationError: as of `range_windows`.
        """
        return {labels: at / 1000 for labels, (at, _) in self._visible(selector, then, now)}

    def _visible(
        self, selector: Selector, then: int, now: int
    ) -> Iterator[tuple[Labels, tuple[int, float]]]:
        """Yield the labels of each series, and the sample that was current at a time."""
        buffer = self._buffer(selector, now - then + LOOKBACK)
        for labels, series in sorted(buffer.series.items(), key=itemgetter(0)):
            sample = series.visible(then)
            if sample is not None:
                yield with_name(selector.metric, labels), sample

    def _buffer(self, selector: Selector, length: int) -> SeriesBuffer:
        buffer = self._buffers.get(selector)
        if buffer is None or buffer.length < length:
            raise EvaluationError(f"no history is kept for {selector.metric} over this range")
        if buffer.overflowed:
            raise EvaluationError(
                f"{selector.metric} has too many samples for this range:"
                f" at most {self._budget.max_samples:,} are kept for ranges and offsets"
            )
        return buffer
