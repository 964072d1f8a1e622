"""Samples as kept by a Prometheus that scrapes others."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ClassVar

from mlguard_rules.promql import LOOKBACK, HasRanges, History, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlguard_rules.promql import Labels, Samples, Snapshot


class Storage(History):
    """A history in which the last sample of a series is visible for five minutes.

    A process that reads its own metrics knows that a series which is not among them has ended.
    Promtool's series have gaps, and end only at `stale`. Ranges contain real samples in both.
    """

    _ends_missing: ClassVar[bool] = False

    def __init__(self, expressions: Iterable[HasRanges]) -> None:
        super().__init__(expressions, max_samples=sys.maxsize)
        self._last: dict[str, dict[Labels, tuple[int, float]]] = {}

    def end(self, metric: str, labels: Labels, at: int) -> None:
        """End a series at a time, epoch milliseconds, until its next sample."""
        self._last.get(metric, {}).pop(labels, None)
        for buffer in self._by_metric.get(metric, ()):
            if labels in buffer.series:
                buffer.series[labels].end(at)

    def append(self, at: float, snapshot: Snapshot) -> None:
        """Add the new samples of a time.

        Args:
            at: epoch seconds, not before the latest.
            snapshot: new samples only.
        """
        super().append(at, snapshot)
        now = milliseconds(at)
        for metric, samples in snapshot.items():
            self._last.setdefault(metric, {}).update((k, (now, value)) for k, value in samples)

    def samples(self, metric: str, at: int) -> Samples:
        """Return the current samples of a metric, none older than five minutes.

        Args:
            metric: its name.
            at: epoch milliseconds.
        """
        latest = milliseconds(self.latest_at or 0.0)
        older = [
            (labels, value)
            for labels, (then, value) in self._last.get(metric, {}).items()
            if then < latest and at - then <= LOOKBACK
        ]
        return [*older, *super().samples(metric, at)]
