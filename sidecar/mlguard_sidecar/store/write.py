"""The commit: everything taken in since the last one, in one transaction."""

from __future__ import annotations

import logging
import sqlite3
from functools import reduce
from typing import TYPE_CHECKING

import msgspec

from mlguard_sidecar.engine.levels import EVER
from mlguard_sidecar.engine.schema import LEARNING, dump_schema
from mlguard_sidecar.histogram import Pane, decode, encode
from mlguard_sidecar.store.read import TALLY_SEPARATOR, TRAFFIC, Lesson
from mlguard_sidecar.wire import Reason

if TYPE_CHECKING:
    from sqlite_utils import Database

    from mlguard_sidecar.engine.delta import Delta, ModelDelta, PaneKey
    from mlguard_sidecar.wire import ModelKey


_FULL = 2**53

log = logging.getLogger(__name__)


def commit(db: Database, delta: Delta) -> None:
    """Add a delta to the database: all of it, or, where this raises, nothing.

    The events of a model for which this fails for a reason of its own become rejected ones.

    Raises:
        sqlite3.Error: the database refused.
    """
    with db.atomic():
        for key, gained in list(delta.models.items()):
            try:
                with db.atomic():
                    _commit_model(db, _model_id(db, key, gained, delta.now), gained)
            except (sqlite3.Error, OSError, MemoryError):
                raise
            except Exception:  # an unreadable pane, say, must cost that model alone
                log.exception("events of %s cannot be stored", "/".join(key))
                delta.reject_model(key, Reason.INTERNAL)
        for client, last_seq in delta.sequences.items():
            db.execute(
                "INSERT INTO client VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
                " SET last_seq = excluded.last_seq, seen = excluded.seen",
                (client, last_seq, delta.now),
            )
        for name, n in delta.tally.counts.items():
            db.execute(
                "INSERT INTO tally VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
                " SET value = min(value + excluded.value, ?)",
                (TALLY_SEPARATOR.join(name), min(n, _FULL), _FULL),
            )


def _model_id(db: Database, key: ModelKey, gained: ModelDelta, now: float) -> int:
    (number,) = db.execute(
        "INSERT INTO model (project, model, endpoint, first_seen, schema) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET schema = excluded.schema,"
        " first_seen = min(first_seen, excluded.first_seen) RETURNING id",
        (*key, gained.first_seen(now), dump_schema(gained.schema)),
    ).fetchone()
    return int(number)


def _commit_model(db: Database, model: int, gained: ModelDelta) -> None:
    baseline = gained.schema.baseline
    if baseline is not None:
        db.execute(
            "INSERT OR IGNORE INTO baseline VALUES (?, ?, ?)", (model, baseline.id, baseline.body)
        )
    if gained.learnt:
        db.execute("DELETE FROM lesson WHERE model = ?", (model,))
        db.execute("DELETE FROM pane WHERE model = ? AND series = ?", (model, LEARNING))
    for rows in gained.lesson:
        db.execute(
            "INSERT INTO lesson (model, body) VALUES (?, ?)",
            (model, msgspec.json.encode(Lesson.of(rows))),
        )
    _add_panes(db, model, TRAFFIC, {k: t.pane for k, t in gained.traffic.items()})
    for series, panes in gained.features.items():
        _add_panes(db, model, series, panes)


def _add_panes(db: Database, model: int, series: str, panes: dict[PaneKey, Pane]) -> None:
    if not panes:
        return
    for (level, start), pane in panes.items():
        add_pane(db, model, series, level, start, pane)
    add_pane(db, model, series, EVER, 0, reduce(Pane.merged, panes.values()))


def add_pane(db: Database, model: int, series: str, level: int, start: int, pane: Pane) -> None:
    """Merge a pane into what is stored."""
    where = (model, series, level, start)
    known = db.execute(
        "SELECT body FROM pane WHERE model = ? AND series = ? AND level = ? AND start = ?", where
    ).fetchone()
    merged = pane if known is None else decode(known[0]).merged(pane)
    db.execute("INSERT OR REPLACE INTO pane VALUES (?, ?, ?, ?, ?)", (*where, encode(merged)))
