"""Recorded days in the database: which are missing, writing and reading."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

import msgspec

from mlguard_sidecar.histogram import Kind, Role, Traffic
from mlguard_sidecar.models import Day, DayColumn, StoredDay, merge_reference
from mlguard_sidecar.models.resolutions import DAY, DAY_SECONDS
from mlguard_sidecar.store.read import TRAFFIC, read_day
from mlguard_sidecar.wire import ModelKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from sqlite_utils import Database

    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.drift import SlidingReference


@dataclass(frozen=True)
class SlidingSettings:
    """Settings of a model's sliding references.

    Attributes:
        reference: which days belong to one.
        limit: limit of the index; a day on which a column exceeds it, beyond chance, is left out.
    """

    reference: SlidingReference
    limit: float


_FIELDS = tuple(field.name for field in fields(DayColumn))
_COLUMNS = ", ".join(_FIELDS)
_MARKS = ", ".join("?" * len(_FIELDS))


def unrecorded_days(
    db: Database, before: int, key: ModelKey | None = None
) -> list[tuple[ModelKey, int]]:
    """Return the models and starts of the past days that have panes and are not recorded.

    Args:
        db: the database.
        before: start of the first day that is not past, epoch seconds.
        key: the model; all without one.
    """
    of_key = " AND (project, model.model, endpoint) = (?, ?, ?)" if key else ""
    found = db.execute(
        "SELECT DISTINCT project, model.model, endpoint, pane.start / ? * ? AS begin"  # noqa: S608 - fixed
        " FROM pane JOIN model ON model.id = pane.model"
        f" WHERE binning = ? AND resolution <= ? AND pane.start < ?{of_key} AND NOT EXISTS"
        " (SELECT 1 FROM day WHERE day.model = pane.model AND day.start = pane.start / ? * ?)"
        " ORDER BY pane.model, begin",
        (DAY_SECONDS, DAY_SECONDS, TRAFFIC, DAY, before, *(key or ()), DAY_SECONDS, DAY_SECONDS),
    ).fetchall()
    return [(ModelKey(*names), start) for *names, start in found]


def read_stored_day(
    db: Database,
    key: ModelKey,
    start: int,
    baselines: Mapping[str, Baseline],
    settings: SlidingSettings,
) -> StoredDay | None:
    """Return the merged panes of a model and a UTC day; None without events.

    Args:
        db: the database.
        key: key of the model.
        start: start of the day, epoch seconds.
        baselines: ID -> baseline, of those that are stored.
        settings: settings of its sliding references.
    """
    traffic = read_day(db, key, TRAFFIC, start)
    if traffic is None:
        return None
    panes = {name: read_day(db, key, name, start) for name in baselines}
    features = {name: pane for name, pane in panes.items() if pane is not None}
    references = {
        name: read_reference(db, key, baselines[name], start, settings) for name in features
    }
    return StoredDay(start, Traffic.zeros().merged(Traffic(traffic)), features, references)


def write_day(db: Database, key: ModelKey, day: Day) -> None:
    """Record a day, in place of a former record."""
    p50, p95, p99 = day.latency_quantiles or (None, None, None)
    with db.atomic():
        model = _model_id(db, key)
        if model is None:
            return
        delete_days(db, model, [day.start])
        db.execute(
            "INSERT INTO day VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                model,
                day.start,
                day.inferences,
                p50,
                p95,
                p99,
                *(day.score or (None, None)),
                msgspec.json.encode(day.prediction_ratios).decode(),
                day.baseline,
            ),
        )
        for position, column in enumerate(day.columns):
            db.execute(
                f"INSERT INTO day_column (model, start, position, {_COLUMNS})"  # noqa: S608 - fixed
                f" VALUES (?, ?, ?, {_MARKS})",
                (model, day.start, position, *astuple(column)),
            )


def _model_id(db: Database, key: ModelKey) -> int | None:
    row = db.execute(
        "SELECT id FROM model WHERE (project, model, endpoint) = (?, ?, ?)", key
    ).fetchone()
    return row[0] if row else None


def delete_days(db: Database, model: int, starts: Iterable[int]) -> None:
    """Delete the records of days, as their panes have changed."""
    for start in starts:
        for table in ("day", "day_column"):
            db.execute(f"DELETE FROM {table} WHERE model = ? AND start = ?", (model, start))  # noqa: S608 - fixed


def read_recorded_days(
    db: Database, key: ModelKey, start: int, end: int, column: tuple[str, str] | None = None
) -> list[Day] | None:
    """Return the recorded days of a model between two times, in order; None without such a model.

    Args:
        db: the database.
        key: key of the model.
        start: start of the first day, epoch seconds.
        end: end of the last day, epoch seconds.
        column: role and name of the only column to return; all by default.
    """
    model = _model_id(db, key)
    if model is None:
        return None
    where = (model, start, end)
    columns: dict[int, list[DayColumn]] = {}
    for begin, role, name, kind, *values in db.execute(
        f"SELECT start, {_COLUMNS} FROM day_column"  # noqa: S608 - fixed
        " WHERE model = ? AND start >= ? AND start < ?"
        f"{' AND (role, name) = (?, ?)' if column else ''} ORDER BY start, position",
        (*where, *(column or ())),
    ).fetchall():
        columns.setdefault(begin, []).append(DayColumn(Role(role), name, Kind(kind), *values))
    days = []
    for begin, inferences, p50, p95, p99, mean, stddev, ratios, baseline in db.execute(
        "SELECT start, inferences, latency_p50, latency_p95, latency_p99, score_mean, score_stddev,"
        " prediction_ratios, baseline FROM day"
        " WHERE model = ? AND start >= ? AND start < ? ORDER BY start",
        where,
    ).fetchall():
        days.append(
            Day(
                begin,
                inferences,
                None if p50 is None else (p50, p95, p99),
                msgspec.json.decode(ratios, type=dict[str, float]),
                None if mean is None else (mean, stddev),
                baseline,
                tuple(columns.get(begin, ())),
            )
        )
    return days


def read_fired_columns(
    db: Database, key: ModelKey, baseline: str, starts: Sequence[int], limit: float
) -> dict[int, frozenset[tuple[Role, str]]]:
    """Return the columns whose drift from their sliding reference was beyond chance and a limit.

    Args:
        db: the database.
        key: key of the model.
        baseline: ID of the baseline in whose bins they were compared.
        starts: starts of the days, epoch seconds.
        limit: limit of the population stability index.
    """
    fired: dict[int, set[tuple[Role, str]]] = {}
    marks = ", ".join("?" * len(starts))
    for start, role, name in db.execute(
        "SELECT start, role, name FROM day JOIN day_column USING (model, start)"  # noqa: S608 - fixed
        f" WHERE model = ? AND start IN ({marks}) AND baseline = ?"
        " AND reference_psi > reference_psi_critical AND reference_psi > ?",
        (_model_id(db, key), *starts, baseline, limit),
    ).fetchall():
        fired.setdefault(start, set()).add((Role(role), name))
    return {start: frozenset(names) for start, names in fired.items()}


def read_reference(
    db: Database, key: ModelKey, baseline: Baseline, day: int, settings: SlidingSettings
) -> NDArray[np.int64]:
    """Return the sliding reference of a day: counts of the slots of a baseline.

    Args:
        db: the database.
        key: key of the model.
        baseline: the baseline in whose bins the days are counted.
        day: start of the day, epoch seconds.
        settings: which days belong to it.
    """
    starts = settings.reference.candidates(day)
    return merge_reference(
        ((start, read_day(db, key, baseline.id, start)) for start in starts),
        read_fired_columns(db, key, baseline.id, starts, settings.limit),
        baseline.layout,
        settings.reference.days,
    )
