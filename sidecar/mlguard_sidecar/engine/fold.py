"""From rows to panes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.engine.delta import PaneKey
from mlguard_sidecar.engine.levels import DAY, DAY_SECONDS, HOUR, HOUR_SECONDS, MINUTE
from mlguard_sidecar.engine.schema import Prediction, Schema
from mlguard_sidecar.histogram import (
    CLASS_LIMIT,
    Column,
    Pane,
    Role,
    Traffic,
)
from mlguard_sidecar.histogram.column import as_numbers, category, mapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.wire import Rows

_NO_CLASS = -1


Parts = list[tuple[PaneKey, slice]]
"""Panes, and where their rows lie."""


@dataclass(frozen=True)
class Widths:
    """Which pane an event belongs to.

    Attributes:
        pane: width of the finest panes, in seconds.
        minutes: age in seconds from which events are put into whole hours.
        hours: age in seconds from which events are put into whole days.
    """

    pane: int
    minutes: int
    hours: int


def by_pane(rows: Rows, widths: Widths, now: float) -> tuple[Rows, Parts]:
    """Put rows in the order of their panes.

    Args:
        rows: at least one.
        widths: of panes.
        now: epoch seconds.
    """
    starts = np.floor(rows.times / widths.pane).astype(np.int64) * widths.pane
    levels = np.full(len(rows), MINUTE)
    for level, width, age in (
        (HOUR, HOUR_SECONDS, widths.minutes),
        (DAY, DAY_SECONDS, widths.hours),
    ):
        old = rows.times < now - age
        if old.any():  # such panes are folded anyway: a fine one each would only cost memory
            starts[old] = starts[old] // width * width
            levels[old] = level
    if (starts == starts[0]).all() and (levels == levels[0]).all():
        return rows, [(PaneKey(int(levels[0]), int(starts[0])), slice(0, len(rows)))]
    order = np.lexsort((starts, levels))
    changes = np.diff(starts[order]) | np.diff(levels[order])
    cuts = [0, *(np.flatnonzero(changes) + 1).tolist(), len(rows)]
    parts = [
        (PaneKey(int(levels[order[a]]), int(starts[order[a]])), slice(a, b))
        for a, b in pairwise(cuts)
    ]
    return rows.taken(order), parts


def fold_traffic(rows: Rows, panes: Parts, schema: Schema) -> dict[PaneKey, Traffic]:
    """Count traffic, latency, classes and scores."""
    classes = _class_numbers(rows.y_pred, schema)
    scores = rows.scores
    if schema.prediction is Prediction.VALUE and np.isnan(scores).all():
        scores, _ = as_numbers(rows.y_pred)
    return {
        key: Traffic.of(
            part.stop - part.start,
            _present(rows.latency_ms[part]),
            classes[part][classes[part] != _NO_CLASS],
            _present(scores[part]),
        )
        for key, part in panes
    }


def fold_features(rows: Rows, panes: Parts, schema: Schema) -> dict[PaneKey, Pane]:
    """Count every column of the schema's layout."""
    layout = schema.layout
    folded = {key: Pane.zeros(layout.width, len(layout.columns)) for key, _ in panes}
    for i, column in enumerate(layout.columns):
        values = _values(rows, column)
        if values is None:
            continue
        slots = layout.slots(i)
        parts = column.fold(values, [part for _, part in panes])
        for pane, part in zip(folded.values(), parts, strict=True):
            pane.counts[slots] = part.counts
            pane.moments[i] = part.moments
    return folded


def _values(rows: Rows, column: Column) -> Sequence[object] | None:
    """The values of a column, None where the rows were not sampled for it."""
    if column.role is Role.PREDICTION:
        return rows.y_pred if column.name == "y_pred" else rows.scores  # type: ignore[return-value]
    if rows.features is None:
        return None
    return rows.features.get(column.name) or [None] * len(rows)


def _present(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    present = np.isfinite(numbers)
    return numbers if present.all() else numbers[present]


def _class_numbers(y_pred: Sequence[object], schema: Schema) -> NDArray[np.intp]:
    if schema.prediction is not Prediction.CLASS:
        return np.full(len(y_pred), _NO_CLASS, dtype=np.intp)
    index = schema.class_index
    return mapped(y_pred, lambda v: _NO_CLASS if v is None else index.get(category(v), CLASS_LIMIT))
