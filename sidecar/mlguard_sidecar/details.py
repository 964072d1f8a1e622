"""One column of a model: its windows, its days, and what explains its drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_sidecar.statistics import Explanation, explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlguard_sidecar.history import DayRecorder
    from mlguard_sidecar.models import DayColumn
    from mlguard_sidecar.statistics import ColumnStatistics, ModelStatistics
    from mlguard_sidecar.wire import ModelKey


@dataclass(frozen=True)
class ColumnDetail:
    """A column.

    Attributes:
        model: the model.
        windows: statistics in each window, the shortest first.
        days: start of each of the last days, epoch seconds, and the column on it.
        explanation: what explains its drift; None if it has not drifted.
    """

    model: ModelStatistics
    windows: Sequence[ColumnStatistics]
    days: Sequence[tuple[int, DayColumn]]
    explanation: Explanation | None


async def column_detail(
    models: Iterable[ModelStatistics],
    history: DayRecorder,
    key: ModelKey,
    role: str,
    name: str,
    count: int,
) -> ColumnDetail | None:
    """Return a column; None without such a model or column.

    Args:
        models: statistics of all models.
        history: has the days.
        key: key of the model.
        role: `feature` or `prediction`.
        name: name of the column.
        count: number of days.

    Raises:
        sqlite3.Error: the database cannot be read.
    """
    model = next((each for each in models if each.key == key), None)
    if model is None:
        return None
    windows = [c for c in model.columns if (c.column.role, c.column.name) == (role, name)]
    past = await history.days(key, count, column=(role, name)) if windows else None
    if past is None:
        return None
    baseline = model.schema.baseline
    explanations = explain(windows, past, baseline.id if baseline else None)
    return ColumnDetail(
        model,
        windows,
        [(day.start, column) for day in past for column in day.columns],
        explanations[0] if explanations else None,
    )
