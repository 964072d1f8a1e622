"""From rows to panes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.engine.schema import Prediction, Schema
from mlguard_sidecar.histogram import (
    CLASS_LIMIT,
    Column,
    Pane,
    Role,
    Traffic,
)
from mlguard_sidecar.histogram.column import category

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.wire import Rows

_NO_CLASS = -1


def by_pane(rows: Rows, width: int) -> tuple[Rows, list[tuple[int, slice]]]:
    """Put rows in the order of their panes.

    Args:
        rows: at least one.
        width: of a pane, in seconds.

    Returns:
        The rows, and for each pane its start in epoch seconds and where its rows lie.
    """
    index = np.floor(rows.times / width).astype(np.int64)
    first = int(index[0])
    if (index == first).all():
        return rows, [(first * width, slice(0, len(rows)))]
    order = np.argsort(index, kind="stable")
    index = index[order]
    cuts = [0, *(np.flatnonzero(np.diff(index)) + 1).tolist(), len(index)]
    slices = [(int(index[a]) * width, slice(a, b)) for a, b in pairwise(cuts)]
    return rows.taken(order), slices


def fold_traffic(rows: Rows, panes: list[tuple[int, slice]], schema: Schema) -> dict[int, Traffic]:
    """Count traffic, latency, classes and scores."""
    classes = _class_numbers(rows.y_pred, schema)
    scores = rows.scores
    if schema.prediction is Prediction.VALUE and np.isnan(scores).all():
        scores = np.array([v if isinstance(v, int | float) else np.nan for v in rows.y_pred])
    return {
        start: Traffic.of(
            part.stop - part.start,
            _present(rows.latency_ms[part]),
            classes[part][classes[part] != _NO_CLASS],
            _present(scores[part]),
        )
        for start, part in panes
    }


def fold_features(rows: Rows, panes: list[tuple[int, slice]], schema: Schema) -> dict[int, Pane]:
    """Count every column of the schema's layout."""
    layout = schema.layout
    folded = {start: Pane.zeros(layout.width, len(layout.columns)) for start, _ in panes}
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
    numbers = {
        value: _NO_CLASS if value is None else schema.class_index.get(category(value), CLASS_LIMIT)
        for value in set(y_pred)
    }
    return np.fromiter(map(numbers.__getitem__, y_pred), dtype=np.intp, count=len(y_pred))
