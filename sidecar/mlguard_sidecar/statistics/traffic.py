"""Statistics of traffic, latency and predictions in one window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mlguard_sidecar.histogram import OTHER, Traffic
from mlguard_sidecar.models import Prediction

if TYPE_CHECKING:
    from mlguard_sidecar.models import ModelView, Schema, Window


@dataclass(frozen=True)
class TrafficStatistics:
    """Statistics of traffic, latency, classes and scores in one window.

    Attributes:
        window: label of the window, such as `5m`.
        seconds: length of the window.
        begin: start of the window, or the model's first event if that is later; epoch seconds.
        start: start of the window, epoch seconds.
        traffic: counts of the window.
        schema: columns and classes of the model.
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
        """Return the statistics of a window of a view."""
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
        """Number of inferences."""
        return self.traffic.rows

    @cached_property
    def latencies(self) -> int:
        """Number of inferences with a latency."""
        return self.traffic.latency_buckets()[-1]

    @cached_property
    def latency_quantiles(self) -> tuple[float, float, float] | None:
        """Latency at p50, p95 and p99, in seconds; None without latencies."""
        found = self.traffic.latency_quantiles_seconds(0.5, 0.95, 0.99)
        return (found[0], found[1], found[2]) if found else None

    @cached_property
    def class_ratios(self) -> list[tuple[str, float]]:
        """Each class, and its share of the predictions; empty without predictions."""
        counts = class_counts(self.schema, self.traffic, pooled=self.pooled)
        total = sum(n for _, n in counts)
        return [(name, n / total) for name, n in counts] if total else []

    @cached_property
    def score(self) -> tuple[float, float] | None:
        """Mean and population standard deviation of the scores; None without scores."""
        return self.traffic.score()

    def rate(self, now: float) -> float:
        """Return inferences per second since `begin`, given the current time."""
        # ignore a first event that is ahead of the clock
        begin = self.begin if self.begin < now else self.start
        return self.inferences / max(now - begin, 1.0)


def class_counts(schema: Schema, traffic: Traffic, *, pooled: bool) -> list[tuple[str, int]]:
    """Return each class and its count; `__other__` only if `pooled`."""
    if schema.prediction is Prediction.VALUE:  # they may have been taken for classes at first
        return []
    counts = traffic.classes
    named = list(zip(schema.classes, counts, strict=False))
    return [*named, (OTHER, counts[-1])] if pooled else named
