"""The commit: everything taken in since the last one, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mlguard_sidecar.engine.schema import LEARNING, dump_schema
from mlguard_sidecar.histogram import decode, encode
from mlguard_sidecar.store.open import EVER, MINUTE
from mlguard_sidecar.store.read import TALLY_SEPARATOR, TRAFFIC, Lesson

if TYPE_CHECKING:
    from sqlite_utils import Database

    from mlguard_sidecar.engine.delta import Delta, ModelDelta
    from mlguard_sidecar.histogram import Pane
    from mlguard_sidecar.wire import ModelKey


def commit(db: Database, delta: Delta) -> None:
    """Add a delta to the database: all of it, or, where this raises, nothing.

    Raises:
        sqlite3.Error: the database refused.
    """
    with db.atomic():
        for key, gained in delta.models.items():
            _commit_model(db, _model_id(db, key, gained, delta.now), gained)
        for client, last_seq in delta.sequences.items():
            db.execute(
                "INSERT INTO client VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
                " SET last_seq = excluded.last_seq, seen = excluded.seen",
                (client, last_seq, delta.now),
            )
        for name, n in delta.tally.counts.items():
            db.execute(
                "INSERT INTO tally VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
                " SET value = value + excluded.value",
                (TALLY_SEPARATOR.join(name), n),
            )


def _model_id(db: Database, key: ModelKey, gained: ModelDelta, now: float) -> int:
    (number,) = db.execute(
        "INSERT INTO model (project, model, endpoint, first_seen, schema) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET schema = excluded.schema RETURNING id",
        (*key, now, dump_schema(gained.schema)),
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
            (model, msgspec.msgpack.encode(Lesson.of(rows))),
        )
    for start, traffic in gained.traffic.items():
        add_pane(db, model, TRAFFIC, MINUTE, start, traffic.pane)
        add_pane(db, model, TRAFFIC, EVER, 0, traffic.pane)
    for (series, start), pane in gained.features.items():
        add_pane(db, model, series, MINUTE, start, pane)
        add_pane(db, model, series, EVER, 0, pane)


def add_pane(db: Database, model: int, series: str, level: int, start: int, pane: Pane) -> None:
    """Merge a pane into what is stored."""
    where = (model, series, level, start)
    known = db.execute(
        "SELECT body FROM pane WHERE model = ? AND series = ? AND level = ? AND start = ?", where
    ).fetchone()
    merged = pane if known is None else decode(known[0]).merged(pane)
    db.execute("INSERT OR REPLACE INTO pane VALUES (?, ?, ?, ?, ?)", (*where, encode(merged)))
