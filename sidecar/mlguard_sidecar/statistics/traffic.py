"""What one window says of a model's traffic, latency and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mlguard_sidecar.histogram import OTHER, Traffic

if TYPE_CHECKING:
    from mlguard_sidecar.models import ModelView, Schema, Window


@dataclass(frozen=True)
class TrafficStatistics:
    """Traffic, latency, classes and scores of one window.

    Attributes:
        window: its label, such as `5m`.
        seconds: its length.
        begin: since when it holds events, epoch seconds: its start, or the model's first event.
        traffic: its counts.
        schema: the model's columns.
        pooled: whether any class of the model was ever counted as `__other__`.
    """

    window: str
    seconds: int
    begin: float
    start: float
    traffic: Traffic
    schema: Schema
    pooled: bool

    @staticmethod
    def of(view: ModelView, window: Window) -> TrafficStatistics:
        """Return the statistics of a window of a model."""
        return TrafficStatistics(
            window.span.label,
            window.span.seconds,
            max(window.start, view.first_seen),
            window.start,
            Traffic.zeros().merged(Traffic(window.pane)),
            view.schema,
            bool(view.traffic.classes[-1]),
        )

    @cached_property
    def inferences(self) -> int:
        """Return how many there were."""
        return self.traffic.rows

    @cached_property
    def latencies(self) -> int:
        """Return how many inferences had a latency."""
        return self.traffic.latency_buckets()[-1]

    @cached_property
    def latency_quantiles(self) -> tuple[float, float, float] | None:
        """Return p50, p95 and p99 in seconds, None without any latency."""
        found = self.traffic.latency_quantiles_seconds(0.5, 0.95, 0.99)
        return (found[0], found[1], found[2]) if found else None

    @cached_property
    def class_ratios(self) -> list[tuple[str, float]]:
        """Return each class with its share of the predictions; none without predictions."""
        counts = class_counts(self.schema, self.traffic, pooled=self.pooled)
        total = sum(n for _, n in counts)
        return [(name, n / total) for name, n in counts] if total else []

    @cached_property
    def score(self) -> tuple[float, float] | None:
        """Return mean and standard deviation (of the population) of the scores, None without."""
        return self.traffic.score()

    def rate(self, now: float) -> float:
        """Return inferences per second; a young model fills only a part of a window."""
        # a first event that lies ahead of the clock says nothing
        begin = self.begin if self.begin < now else self.start
        return self.inferences / max(now - begin, 1.0)


def class_counts(schema: Schema, traffic: Traffic, *, pooled: bool) -> list[tuple[str, int]]:
    """Return counts by class; of `__other__` only where there ever was any."""
    counts = traffic.classes
    named = list(zip(schema.classes, counts, strict=False))
    return [*named, (OTHER, counts[-1])] if pooled else named
