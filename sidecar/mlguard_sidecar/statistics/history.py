"""Statistics of whole days, from the panes that are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_sidecar.models import Day, DayColumn, Schema, Span, Window
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.statistics.columns import ColumnStatistics, column_statistics
from mlguard_sidecar.statistics.series import point_of_traffic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.drift import DriftSettings
    from mlguard_sidecar.models import StoredDay

DAY_SPAN = Span("1d", DAY_SECONDS)


def compute_day(
    day: StoredDay, schema: Schema, baselines: Mapping[str, Baseline], settings: DriftSettings
) -> Day:
    """Return what a model showed on a day.

    A day with panes in the bins of several baselines is compared with the one that has the most
    values, of equal ones the current one.

    Args:
        day: its panes.
        schema: current schema of the model.
        baselines: ID -> baseline, of those that are stored.
        settings: settings of the measurement of drift.
    """
    pooled = bool(day.traffic.classes[-1])
    point = point_of_traffic(day.start, day.traffic, schema, pooled=pooled)
    known = {name: pane for name, pane in day.features.items() if name in baselines}
    name = max(
        known,
        key=lambda name: (int(known[name].counts.sum()), name == schema.binning),
        default=None,
    )
    columns: list[ColumnStatistics] = []
    if name is not None:
        window = Window(DAY_SPAN, day.start, day.start + DAY_SECONDS, known[name])
        then = Schema(baselines[name], schema.extras)
        columns = column_statistics(then, window, settings, day.references.get(name))
    return Day(
        point.start,
        point.inferences,
        point.latency_quantiles,
        point.prediction_ratios,
        point.score,
        name,
        tuple(map(_day_column, columns)),
    )


def _day_column(column: ColumnStatistics) -> DayColumn:
    drift, sliding = column.drift, column.reference_drift
    return DayColumn(
        column.column.role,
        column.column.name,
        column.column.kind,
        column.rows,
        column.count,
        column.missing,
        column.invalid,
        column.mean,
        column.stddev,
        column.minimum,
        column.maximum,
        column.out_of_range,
        column.unseen,
        drift.psi if drift else None,
        drift.critical if drift else None,
        drift.js if drift else None,
        sliding.psi if sliding else None,
        sliding.critical if sliding else None,
    )
