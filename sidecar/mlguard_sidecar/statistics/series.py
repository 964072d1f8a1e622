"""Points of time of a model: traffic, latency and predictions in one step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlguard_sidecar.statistics.traffic import class_counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlguard_sidecar.histogram import Traffic
    from mlguard_sidecar.models import Day, Schema


@dataclass(frozen=True)
class Point:
    """What a model showed in one step of time.

    Attributes:
        start: start of the step, epoch seconds.
        inferences: number of inferences.
        latency_quantiles: latency at p50, p95 and p99, in seconds; None without latencies.
        prediction_ratios: class -> its share of the predictions.
        score: mean and population standard deviation of the scores; None without scores.
    """

    start: int
    inferences: int = 0
    latency_quantiles: tuple[float, float, float] | None = None
    prediction_ratios: Mapping[str, float] = field(default_factory=dict)
    score: tuple[float, float] | None = None


def point_of_traffic(start: int, traffic: Traffic, schema: Schema, *, pooled: bool) -> Point:
    """Return the point of the traffic of a step.

    Args:
        start: start of the step, epoch seconds.
        traffic: its traffic.
        schema: columns and classes of the model.
        pooled: whether any class of the model was ever counted as `__other__`.
    """
    quantiles = traffic.latency_quantiles_seconds(0.5, 0.95, 0.99)
    classes = class_counts(schema, traffic, pooled=pooled)
    total = sum(n for _, n in classes)
    return Point(
        start,
        traffic.rows,
        (quantiles[0], quantiles[1], quantiles[2]) if quantiles else None,
        {name: n / total for name, n in classes if n},
        traffic.score(),
    )


def point_of_day(day: Day) -> Point:
    """Return the point of a recorded day."""
    return Point(day.start, day.inferences, day.latency_quantiles, day.prediction_ratios, day.score)
