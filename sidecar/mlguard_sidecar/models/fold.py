"""Folding of rows into panes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import (
    CLASS_LIMIT,
    NO_CLASS,
    Column,
    Pane,
    Partition,
    Role,
    Traffic,
    fold_traffic,
    no_moments,
)
from mlguard_sidecar.histogram.values import as_numbers, category, mapped
from mlguard_sidecar.models.delta import PaneKey
from mlguard_sidecar.models.resolutions import DAY, DAY_SECONDS, HOUR, HOUR_SECONDS, MINUTE
from mlguard_sidecar.models.schema import Prediction, Schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.wire import Rows


@dataclass(frozen=True)
class Widths:
    """Widths of panes, by the age of events; all in seconds.

    Attributes:
        pane: width of the finest panes.
        minutes: age from which events are counted in panes of an hour.
        hours: age from which events are counted in panes of a day.
    """

    pane: int
    minutes: int
    hours: int


@dataclass(frozen=True)
class PaneParts:
    """Partition of rows by pane.

    Attributes:
        keys: key of each pane, in the order of the parts.
        parts: the rows of each pane.
    """

    keys: list[PaneKey]
    parts: Partition


def by_pane(rows: Rows, widths: Widths, now: float) -> tuple[Rows, PaneParts]:
    """Return rows in the order of their panes, and their partition.

    Args:
        rows: at least one row.
        widths: widths of panes.
        now: epoch seconds.
    """
    starts = np.floor(rows.times / widths.pane).astype(np.int64) * widths.pane
    resolutions = np.full(len(rows), MINUTE)
    for resolution, width, age in (
        (HOUR, HOUR_SECONDS, widths.minutes),
        (DAY, DAY_SECONDS, widths.hours),
    ):
        old = rows.times < now - age
        if old.any():  # compaction folds such panes anyway: fine ones would only cost memory
            starts[old] = starts[old] // width * width
            resolutions[old] = resolution
    if (starts == starts[0]).all() and (resolutions == resolutions[0]).all():
        key = PaneKey(int(resolutions[0]), int(starts[0]))
        return rows, PaneParts([key], Partition.whole(len(rows)))
    order = np.lexsort((starts, resolutions))
    starts, resolutions = starts[order], resolutions[order]
    first = np.flatnonzero(np.diff(starts) | np.diff(resolutions)) + 1
    first = np.concatenate(([0], first))
    keys = [
        PaneKey(r, s)
        for r, s in zip(resolutions[first].tolist(), starts[first].tolist(), strict=True)
    ]
    if (order[1:] > order[:-1]).all():  # the rows were in this order already
        return rows, PaneParts(keys, Partition(first, len(rows)))
    return rows.taken(order), PaneParts(keys, Partition(first, len(rows)))


def count_traffic(rows: Rows, panes: PaneParts, schema: Schema) -> dict[PaneKey, Traffic]:
    """Return the traffic pane of each part: number of events, latency, classes and scores."""
    scores = rows.scores
    if schema.prediction is Prediction.VALUE and np.isnan(scores).all():
        scores, _ = as_numbers(rows.y_pred)
    folded = fold_traffic(rows.latency_ms, _class_numbers(rows.y_pred, schema), scores, panes.parts)
    return dict(zip(panes.keys, folded, strict=True))


def count_features(rows: Rows, panes: PaneParts, schema: Schema) -> dict[PaneKey, Pane]:
    """Return the feature pane of each part, with all columns of the schema's layout."""
    layout, parts = schema.layout, panes.parts
    # many panes have few rows each: half the memory suffices
    kind = np.int64 if len(parts) == 1 else np.int32
    counts = np.zeros((len(parts), layout.width), dtype=kind)
    moments = no_moments(len(parts), len(layout.columns))
    for i, column in enumerate(layout.columns):
        values = _values(rows, column)
        if values is not None:
            counted, numbers = column.fold(values, parts)
            counts[:, layout.slots(i)] = counted
            if numbers is not None:
                moments[:, i] = numbers
    return {key: Pane(*pane) for key, *pane in zip(panes.keys, counts, moments, strict=True)}


def _values(rows: Rows, column: Column) -> Sequence[object] | NDArray[np.float64] | None:
    """Return the values of a column; None for a feature if the rows have no features."""
    if column.role is Role.PREDICTION:
        return rows.y_pred if column.name == "y_pred" else rows.scores
    if rows.features is None:
        return None
    return rows.features.get(column.name) or [None] * len(rows)


def _class_numbers(y_pred: Sequence[object], schema: Schema) -> NDArray[np.intp]:
    if schema.prediction is not Prediction.CLASS:
        return np.full(len(y_pred), NO_CLASS, dtype=np.intp)
    index = schema.class_index
    return mapped(y_pred, lambda v: NO_CLASS if v is None else index.get(category(v), CLASS_LIMIT))
