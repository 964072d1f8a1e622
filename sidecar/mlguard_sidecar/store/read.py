"""What is read back: everything at the start, panes of a window later."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from mlguard_sidecar.baseline import load as load_baseline
from mlguard_sidecar.engine.delta import Tally
from mlguard_sidecar.engine.levels import DAY, EVER
from mlguard_sidecar.engine.schema import load_schema
from mlguard_sidecar.engine.view import ModelView
from mlguard_sidecar.histogram import Pane, Traffic, decode
from mlguard_sidecar.wire import ModelKey, Rows

if TYPE_CHECKING:
    from sqlite_utils import Database


TRAFFIC = "traffic"
"""The series of traffic panes."""

TALLY_SEPARATOR = "\x1f"

_SELECT = (
    "SELECT body FROM pane JOIN model ON model.id = pane.model"
    " WHERE (project, model.model, endpoint) = (?, ?, ?) AND series = ?"
)


class Lesson(msgspec.Struct, array_like=True):
    """Rows in the form in which they wait for the baseline; NaN is kept as None."""

    times: list[float]
    y_pred: list[int | float | bool | str | None]
    scores: list[float | None]
    features: dict[str, list[int | float | bool | str | None]] | None

    @staticmethod
    def of(rows: Rows) -> Lesson:
        """Only what a baseline and its panes need: no latency."""
        scores = rows.optional_scores()
        return Lesson(rows.times.tolist(), list(rows.y_pred), scores, rows.features)

    def rows(self, key: ModelKey) -> Rows:
        """The rows again."""
        return Rows(
            key,
            np.array(self.times),
            np.full(len(self.times), np.nan),
            self.y_pred,
            np.array(self.scores, dtype=np.float64),
            self.features,
        )


@dataclass(frozen=True)
class Saved:
    """What the last process left.

    Attributes:
        views: committed figures, without their windows.
        lessons: rows kept for the baseline.
        sequences: client -> its last committed batch.
        tally: the sidecar's own counts.
    """

    views: dict[ModelKey, ModelView]
    lessons: dict[ModelKey, list[Rows]]
    sequences: dict[str, int]
    tally: Tally


def load(db: Database) -> Saved:
    """Read what the last process left."""
    views, lessons = {}, {}
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
        lessons[key] = [
            msgspec.json.decode(body, type=Lesson).rows(key)
            for (body,) in db.execute(
                "SELECT body FROM lesson WHERE model = ? ORDER BY id", (number,)
            ).fetchall()
        ]
        views[key] = ModelView(
            key,
            first_seen,
            schema,
            Traffic.zeros().merged(Traffic(read_total(db, key, TRAFFIC))),
            read_total(db, key, schema.series),
        )
    sequences = dict(db.execute("SELECT id, last_seq FROM client").fetchall())
    tally = Tally(
        Counter(
            {
                tuple(name.split(TALLY_SEPARATOR)): value
                for name, value in db.execute("SELECT name, value FROM tally").fetchall()
            }
        )
    )
    return Saved(views, lessons, sequences, tally)


def read_total(db: Database, key: ModelKey, series: str) -> Pane:
    """Everything that was ever counted in a series."""
    row = db.execute(f"{_SELECT} AND level = ?", (*key, series, EVER)).fetchone()
    return decode(row[0]) if row else Pane.zeros(0, 0)


def read_panes(db: Database, key: ModelKey, series: str, start: int, end: int) -> Pane:
    """The panes of any width that begin between two times, merged.

    Args:
        db: the database.
        key: the model.
        series: TRAFFIC, or a baseline.
        start: epoch seconds, included.
        end: epoch seconds, left out.
    """
    total = Pane.zeros(0, 0)
    for (body,) in db.execute(
        f"{_SELECT} AND level <= ? AND start >= ? AND start < ?",
        (*key, series, DAY, start, end),
    ):
        total = total.merged(decode(body))
    return total
