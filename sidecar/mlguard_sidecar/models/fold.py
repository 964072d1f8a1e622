"""Folding of rows into panes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline import values_outside
from mlguard_sidecar.histogram import (
    CLASS_LIMIT,
    NO_CLASS,
    Column,
    Kind,
    Pane,
    Partition,
    Role,
    Traffic,
    fold_traffic,
    no_moments,
)
from mlguard_sidecar.histogram.encoded_column import mapped
from mlguard_sidecar.histogram.values import INVALID, as_numbers, category, is_missing
from mlguard_sidecar.models.delta import PaneKey
from mlguard_sidecar.models.prediction import Prediction
from mlguard_sidecar.models.resolutions import DAY, DAY_SECONDS, HOUR, HOUR_SECONDS, MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.histogram import OutsideCounts
    from mlguard_sidecar.histogram.encoded_column import Values
    from mlguard_sidecar.models.schema import Schema
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


def values_as_scores(rows: Rows, panes: PaneParts) -> dict[PaneKey, Traffic]:
    """Return traffic panes with nothing but `y_pred` as scores, of rows that have no scores.

    The rows themselves must have been counted.
    """
    scores = np.full(len(rows), np.nan)
    if np.isnan(rows.scores).all():
        scores, _ = as_numbers(rows.y_pred)
    nothing = np.full(len(rows), np.nan)
    folded = fold_traffic(nothing, np.full(len(rows), NO_CLASS), scores, panes.parts)
    return dict(zip(panes.keys, (part.without_rows() for part in folded), strict=True))


def count_features(rows: Rows, panes: PaneParts, schema: Schema) -> dict[PaneKey, Pane]:
    """Return the feature pane of each part, with all columns of the schema's layout."""
    layout, parts = schema.layout, panes.parts
    baselines = schema.baseline.columns if schema.baseline else ()
    # many panes have few rows each: half the memory suffices
    kind = np.int64 if len(parts) == 1 else np.int32
    counts = np.zeros((len(parts), layout.width), dtype=kind)
    moments = no_moments(len(parts), len(layout.columns))
    outside: list[dict[int, OutsideCounts]] = [{} for _ in panes.keys]
    for i, column in enumerate(layout.columns):
        values = _values(rows, column)
        if values is None:
            continue
        counted, numbers = column.fold(values, parts)
        counts[:, layout.slots(i)] = counted
        if numbers is not None:
            moments[:, i] = numbers
        if i < len(baselines):
            for part, found in values_outside(baselines[i], values, parts, counted).items():
                outside[part][i] = found
    return {
        key: Pane(*pane) for key, *pane in zip(panes.keys, counts, moments, outside, strict=True)
    }


def _values(rows: Rows, column: Column) -> Values | None:
    """Return the values of a column; None for a feature if the rows have no features."""
    if column.role is Role.PREDICTION:
        if column.name == "y_pred":
            return rows.y_pred
        return rows.raw_scores() if np.isinf(rows.scores).any() else rows.scores
    if rows.features is None:
        return None
    values = rows.features.get(column.name) or [None] * len(rows)
    if column.kind is Kind.NUMERIC:  # converted once for all who read them
        numbers, wrong = as_numbers(values, column.missing_words)
        return values if wrong.any() else numbers
    return values


def _class_numbers(y_pred: Sequence[object], schema: Schema) -> NDArray[np.intp]:
    if schema.prediction is not Prediction.CLASS:
        return np.full(len(y_pred), NO_CLASS, dtype=np.intp)
    index = schema.class_index

    def number(value: object) -> int:
        if is_missing(value) or value is INVALID:
            return NO_CLASS
        return index.get(category(value), CLASS_LIMIT)

    return mapped(y_pred, number)
