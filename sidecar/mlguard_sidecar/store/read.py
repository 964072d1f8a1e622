"""Reading of stored state and panes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np

from mlguard_sidecar.baseline import load as load_baseline
from mlguard_sidecar.histogram import Pane, Traffic, decode
from mlguard_sidecar.models import Counters, ModelView, load_schema
from mlguard_sidecar.models.resolutions import DAY, TOTAL
from mlguard_sidecar.wire import ModelKey, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlite_utils import Database

    from mlguard_sidecar.wire.messages import Value


TRAFFIC = "traffic"
"""Binning of traffic panes, which never changes."""

LABEL_SEPARATOR = "\x1f"

_SELECT = (
    "SELECT pane.model, binning, resolution, start, body"
    " FROM pane JOIN model ON model.id = pane.model"
    " WHERE (project, model.model, endpoint) = (?, ?, ?) AND binning = ?"
)


class UnreadablePaneError(ValueError):
    """A stored pane cannot be decoded.

    Attributes:
        place: its primary key: model, binning, resolution and start.
    """

    def __init__(self, place: tuple[int, str, int, int], why: str) -> None:
        super().__init__(why)
        self.place = place


class TrainingRows(msgspec.Struct, array_like=True):
    """Stored form of training rows; NaN is stored as None."""

    times: list[float]
    y_pred: list[int | float | bool | str | None]
    scores: list[float | None]
    features: dict[str, list[int | float | bool | str | None]] | None

    @staticmethod
    def of(rows: Rows) -> TrainingRows:
        """Return the stored form of rows: what a baseline and its panes need, without latency."""
        features = None
        if rows.features is not None:
            features = {name: _plain(column) for name, column in rows.features.items()}
        return TrainingRows(
            rows.times.tolist(), _plain(rows.y_pred), rows.optional_scores(), features
        )

    def rows(self, key: ModelKey) -> Rows:
        """Return the rows."""
        return Rows(
            key,
            np.array(self.times),
            np.full(len(self.times), np.nan),
            self.y_pred,
            np.array(self.scores, dtype=np.float64),
            None if self.features is None else dict(self.features),
        )


def _plain(column: Sequence[object]) -> list[Value]:
    return cast("list[Value]", list(column))


@dataclass(frozen=True)
class Snapshot:
    """Stored state of the last process.

    Attributes:
        views: views of all models, without their windows.
        training_rows: rows that are kept until the baseline is built.
        sequences: client -> number of its last committed batch.
        counters: counters of the sidecar.
    """

    views: dict[ModelKey, ModelView]
    training_rows: dict[ModelKey, list[Rows]]
    sequences: dict[str, int]
    counters: Counters


def load(db: Database) -> Snapshot:
    """Return the stored state.

    Raises:
        sqlite3.Error: the database cannot be read.
        ValueError: a stored value is invalid.
    """
    views, training_rows = {}, {}
    for number, project, model, endpoint, first_seen, stored in db.execute(
        "SELECT id, project, model, endpoint, first_seen, schema FROM model"
    ).fetchall():
        key = ModelKey(project, model, endpoint)
        baselines = {
            name: load_baseline(body)
            for name, body in db.execute(
                "SELECT id, body FROM baseline WHERE model = ?", (number,)
            ).fetchall()
        }
        schema = load_schema(stored, baselines)
        training_rows[key] = [
            msgspec.json.decode(body, type=TrainingRows).rows(key)
            for (body,) in db.execute(
                "SELECT body FROM training_rows WHERE model = ? ORDER BY id", (number,)
            ).fetchall()
        ]
        views[key] = ModelView(
            key,
            first_seen,
            schema,
            Traffic.zeros().merged(Traffic(read_total(db, key, TRAFFIC))),
            read_total(db, key, schema.binning),
        )
    sequences = dict(db.execute("SELECT id, last_seq FROM client").fetchall())
    counters = Counters(
        Counter(
            {
                tuple(name.split(LABEL_SEPARATOR)): value
                for name, value in db.execute("SELECT name, value FROM counter").fetchall()
            }
        )
    )
    return Snapshot(views, training_rows, sequences, counters)


def read_total(db: Database, key: ModelKey, binning: str) -> Pane:
    """Return the running totals of a binning."""
    return read_pane(db, key, binning, TOTAL, 0) or Pane.zeros(0, 0)


def read_pane(
    db: Database, key: ModelKey, binning: str, resolution: int, start: int
) -> Pane | None:
    """Return a stored pane, None if there is none."""
    row = db.execute(
        f"{_SELECT} AND resolution = ? AND start = ?", (*key, binning, resolution, start)
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
        f"{_SELECT} AND resolution <= ? AND start >= ? AND start < ?",
        (*key, binning, DAY, start, end),
    ):
        yield row[3], decode_row(row)


def decode_row(row: tuple[int, str, int, int, bytes]) -> Pane:
    """Return the pane of a row of the table.

    Raises:
        UnreadablePaneError: it cannot be decoded.
    """
    try:
        return decode(row[4])
    except ValueError as error:
        raise UnreadablePaneError(row[:4], str(error)) from error
