"""Reading of stored state and panes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np

from mlguard_sidecar.baseline import Baseline
from mlguard_sidecar.baseline import load as load_baseline
from mlguard_sidecar.histogram import Pane, Traffic, decode, merge_panes
from mlguard_sidecar.histogram.values import INVALID
from mlguard_sidecar.models import Counters, ModelView, OutcomeView, StoredModel, load_schema
from mlguard_sidecar.models.resolutions import DAY, DAY_SECONDS, HOUR_CACHE, HOUR_SECONDS, TOTAL
from mlguard_sidecar.wire import ModelKey, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlite_utils import Database

    from mlguard_sidecar.models import Schema


TRAFFIC = "traffic"
"""Binning of traffic panes, which never changes."""

OUTCOMES = "outcomes"
"""Binning of the sums of outcomes, by when they arrived."""

OUTCOMES_BY_DAY = "outcomes_by_day"
"""Binning of the sums of outcomes, by the day of their predictions."""

LABEL_SEPARATOR = "\x1f"

SELECT_PANES = (
    "SELECT pane.model, binning, resolution, start, body"
    " FROM pane JOIN model ON model.id = pane.model"
    " WHERE (project, model.model, endpoint) = (?, ?, ?) AND binning = ?"
)
"""Panes of a model and a binning, as `decode_row` reads them; more conditions may follow."""


class UnreadablePaneError(ValueError):
    """A stored pane cannot be decoded.

    Attributes:
        place: its primary key: model, binning, resolution and start.
    """

    def __init__(self, place: tuple[int, str, int, int], why: str) -> None:
        super().__init__(why)
        self.place = place


_Stored = int | float | bool | str | list[None] | None
"""Stored form of a raw value; INVALID is stored as an empty list."""


class TrainingRows(msgspec.Struct, array_like=True):
    """Stored form of training rows; NaN is stored as None."""

    times: list[float]
    y_pred: list[_Stored]
    scores: list[_Stored]
    features: dict[str, list[_Stored]] | None

    @staticmethod
    def of(rows: Rows) -> TrainingRows:
        """Return the stored form of rows: what a baseline and its panes need, without latency."""
        features = None
        if rows.features is not None:
            features = {name: _stored(column) for name, column in rows.features.items()}
        return TrainingRows(
            rows.times.tolist(), _stored(rows.y_pred), _stored(rows.raw_scores()), features
        )

    def rows(self, key: ModelKey) -> Rows:
        """Return the rows."""
        features = None
        if self.features is not None:
            features = {name: _raw(column) for name, column in self.features.items()}
        scores = [math.inf if isinstance(score, list) else score for score in self.scores]
        return Rows(
            key,
            np.array(self.times),
            np.full(len(self.times), np.nan),
            _raw(self.y_pred),
            np.array(scores, dtype=np.float64),
            features,
        )


def _stored(column: Sequence[object]) -> list[_Stored]:
    return [[] if value is INVALID else cast("_Stored", value) for value in column]


def _raw(column: list[_Stored]) -> list[object]:
    return [INVALID if isinstance(value, list) else value for value in column]


@dataclass(frozen=True)
class Snapshot:
    """Stored state of the last process.

    Attributes:
        models: state of each model that has not retired.
        retired: the models that have.
        sequences: client -> number of its last committed batch.
        counters: counters of the sidecar.
    """

    models: dict[ModelKey, StoredModel]
    retired: set[ModelKey]
    sequences: dict[str, int]
    counters: Counters


def load(db: Database) -> Snapshot:
    """Return the stored state.

    Raises:
        sqlite3.Error: the database cannot be read.
        ValueError: a stored value is invalid.
    """
    models, retired_models = {}, set()
    for project, model, endpoint, retired in db.execute(
        "SELECT project, model, endpoint, retired FROM model ORDER BY id"
    ).fetchall():
        key = ModelKey(project, model, endpoint)
        if retired:
            retired_models.add(key)
            continue
        stored = load_model(db, key)
        assert stored is not None  # noqa: S101 - it is in the table
        models[key] = stored
    sequences = dict(db.execute("SELECT id, last_seq FROM client").fetchall())
    counters = Counters(
        Counter(
            {
                tuple(name.split(LABEL_SEPARATOR)): value
                for name, value in db.execute("SELECT name, value FROM counter").fetchall()
            }
        )
    )
    return Snapshot(models, retired_models, sequences, counters)


def read_schema(db: Database, key: ModelKey, baselines: Mapping[str, Baseline]) -> Schema | None:
    """Return the schema of a model, retired or not, given its baselines; None without one."""
    row = db.execute(
        "SELECT schema FROM model WHERE (project, model, endpoint) = (?, ?, ?)", key
    ).fetchone()
    return None if row is None else load_schema(row[0], baselines)


def load_model(db: Database, key: ModelKey) -> StoredModel | None:
    """Return the stored state of a model, retired or not; None if there is none.

    Raises:
        sqlite3.Error: the database cannot be read.
        ValueError: a stored value is invalid.
    """
    row = db.execute(
        "SELECT id, first_seen, last_event, schema FROM model"
        " WHERE (project, model, endpoint) = (?, ?, ?)",
        key,
    ).fetchone()
    if row is None:
        return None
    number, first_seen, last_event, stored = row
    schema = load_schema(stored, StoredBaselines(db, key))
    training_rows = [
        msgspec.json.decode(body, type=TrainingRows).rows(key)
        for (body,) in db.execute(
            "SELECT body FROM training_rows WHERE model = ? ORDER BY id", (number,)
        ).fetchall()
    ]
    (last_pane,) = db.execute(
        "SELECT max(start) FROM pane WHERE model = ? AND binning = ? AND resolution <= ?",
        (number, TRAFFIC, DAY),
    ).fetchone()
    view = ModelView(
        key,
        first_seen,
        schema,
        Traffic.zeros().merged(Traffic(read_total(db, key, TRAFFIC))),
        read_total(db, key, schema.binning),
        outcomes=OutcomeView(read_total(db, key, OUTCOMES), classes=read_classes(db, key)),
    )
    return StoredModel(view, training_rows, max(last_event, last_pane or 0.0, first_seen))


def read_classes(db: Database, key: ModelKey) -> tuple[str, ...]:
    """Return the classes of a model's outcomes, in the order of their numbers."""
    found = db.execute(
        "SELECT name FROM outcome_class JOIN model ON model.id = outcome_class.model"
        " WHERE (project, model.model, endpoint) = (?, ?, ?) ORDER BY number",
        key,
    )
    return tuple(name for (name,) in found.fetchall())


def read_total(db: Database, key: ModelKey, binning: str) -> Pane:
    """Return the running totals of a binning."""
    return read_pane(db, key, binning, TOTAL, 0) or Pane.zeros(0, 0)


def read_pane(
    db: Database, key: ModelKey, binning: str, resolution: int, start: int
) -> Pane | None:
    """Return a stored pane, None if there is none."""
    row = db.execute(
        f"{SELECT_PANES} AND resolution = ? AND start = ?", (*key, binning, resolution, start)
    ).fetchone()
    return decode_row(row) if row else None


def read_panes(
    db: Database, key: ModelKey, binning: str, start: int, end: int
) -> Iterator[tuple[int, Pane]]:
    """Yield the panes of any width that start between two times, each with its start.

    Args:
        db: the database.
        key: key of the model.
        binning: TRAFFIC, or the ID of a baseline.
        start: epoch seconds, inclusive.
        end: epoch seconds, exclusive.
    """
    for row in db.execute(
        f"{SELECT_PANES} AND resolution <= ? AND start >= ? AND start < ?",
        (*key, binning, DAY, start, end),
    ):
        yield row[3], decode_row(row)


class StoredBaselines(Mapping[str, Baseline]):
    """Stored baselines of a model by ID; each is read when it is asked for.

    Args:
        db: the database; only its thread may use this.
        key: key of the model.
    """

    def __init__(self, db: Database, key: ModelKey) -> None:
        self._db = db
        self._key = key
        found = db.execute(
            "SELECT baseline.id FROM baseline JOIN model ON model.id = baseline.model"
            " WHERE (project, model.model, endpoint) = (?, ?, ?)",
            key,
        )
        self._known: dict[str, Baseline | None] = {name: None for (name,) in found.fetchall()}

    def __getitem__(self, name: str) -> Baseline:
        known = self._known[name]
        if known is None:
            (body,) = self._db.execute(
                "SELECT body FROM baseline JOIN model ON model.id = baseline.model"
                " WHERE (project, model.model, endpoint) = (?, ?, ?) AND baseline.id = ?",
                (*self._key, name),
            ).fetchone()
            known = self._known[name] = load_baseline(body)
        return known

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def read_day(db: Database, key: ModelKey, binning: str, start: int) -> Pane | None:
    """Return the merged panes of a UTC day, None if there are none.

    Args:
        db: the database.
        key: key of the model.
        binning: TRAFFIC, or the ID of a baseline.
        start: start of the day, epoch seconds.
    """
    where = (*key, binning, HOUR_CACHE, start, start + DAY_SECONDS)
    rows = db.execute(
        f"{SELECT_PANES} AND resolution = ? AND start >= ? AND start < ?", where
    ).fetchall()
    merged = {row[3] for row in rows}
    finer = db.execute(f"{SELECT_PANES} AND resolution < ? AND start >= ? AND start < ?", where)
    rows += [
        row
        for row in finer.fetchall()
        if row[2] <= DAY and row[3] // HOUR_SECONDS * HOUR_SECONDS not in merged
    ]
    return merge_panes([decode_row(row) for row in rows]) if rows else None


def decode_row(row: tuple[int, str, int, int, bytes]) -> Pane:
    """Return the pane of a row of the table.

    Raises:
        UnreadablePaneError: it cannot be decoded.
    """
    try:
        return decode(row[4])
    except ValueError as error:
        raise UnreadablePaneError(row[:4], str(error)) from error
