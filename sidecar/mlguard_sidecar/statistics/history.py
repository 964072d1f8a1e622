"""Statistics of whole days, from the panes that are stored."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a field of a dataclass
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_sidecar.models import Schema, Span, Window
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.statistics.columns import ColumnStatistics, column_statistics
from mlguard_sidecar.statistics.traffic import class_counts

if TYPE_CHECKING:
    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.drift import DriftSettings
    from mlguard_sidecar.models import StoredDay

DAY_SPAN = Span("1d", DAY_SECONDS)


@dataclass(frozen=True)
class DayStatistics:
    """Statistics of one model on one UTC day.

    Attributes:
        start: start of the day, epoch seconds.
        inferences: number of inferences.
        latency_quantiles: latency at p50, p95 and p99, in seconds; None without latencies.
        class_ratios: class -> its share of the predictions.
        score: mean and population standard deviation of the scores; None without scores.
        baseline: ID of the baseline with which the day is compared; None if there was none.
        columns: statistics of each column of it.
    """

    start: int
    inferences: int
    latency_quantiles: tuple[float, float, float] | None
    class_ratios: Mapping[str, float]
    score: tuple[float, float] | None
    baseline: str | None
    columns: tuple[ColumnStatistics, ...]


def day_statistics(
    day: StoredDay, schema: Schema, baselines: Mapping[str, Baseline], settings: DriftSettings
) -> DayStatistics:
    """Return the statistics of a day.

    A day with panes in the bins of several baselines is compared with the one that has the most
    values.

    Args:
        day: its panes.
        schema: current schema of the model.
        baselines: ID -> baseline, of those that are stored.
        settings: settings of the measurement of drift.
    """
    traffic = day.traffic
    classes = class_counts(schema, traffic, pooled=bool(traffic.classes[-1]))
    predicted = sum(n for _, n in classes)
    quantiles = traffic.latency_quantiles_seconds(0.5, 0.95, 0.99)
    known = {name: pane for name, pane in day.features.items() if name in baselines}
    name = max(known, key=lambda name: int(known[name].counts.sum()), default=None)
    columns: list[ColumnStatistics] = []
    if name is not None:
        window = Window(DAY_SPAN, day.start, day.start + DAY_SECONDS, known[name])
        then = Schema(baselines[name], schema.extras)
        columns = column_statistics(then, window, settings)
    return DayStatistics(
        day.start,
        traffic.rows,
        (quantiles[0], quantiles[1], quantiles[2]) if quantiles else None,
        {text: n / predicted for text, n in classes if n},
        traffic.score(),
        name,
        tuple(columns),
    )
