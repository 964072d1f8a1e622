"""The database file: its tables, their migrations, and the replacement of a damaged file."""

from __future__ import annotations

import logging
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec
from sqlite_utils import Migrations

from mlguard_common.database import DamagedError, StoreError, is_damage, open_database
from mlguard_rules.service import migrations as alerting_migrations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlite_utils import Database

migrations = Migrations("mlguard")

T = TypeVar("T")
log = logging.getLogger(__name__)

_TABLES = """
CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL, model TEXT NOT NULL, endpoint TEXT NOT NULL,
    first_seen REAL NOT NULL,
    schema BLOB NOT NULL,
    UNIQUE (project, model, endpoint)
) STRICT;
CREATE TABLE baseline (
    model INTEGER NOT NULL REFERENCES model (id),
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (model, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE pane (
    model INTEGER NOT NULL REFERENCES model (id),
    series TEXT NOT NULL,
    level INTEGER NOT NULL,
    start INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (model, series, level, start)
) STRICT;
CREATE TABLE lesson (
    id INTEGER PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES model (id),
    body BLOB NOT NULL
) STRICT;
CREATE TABLE client (
    id TEXT PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    seen REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tally (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""


@migrations()
def initial(db: Database) -> None:
    """Create the tables."""
    for statement in _TABLES.split(";"):
        db.execute(statement)


# pane.binning: `traffic`, the ID of the baseline whose bins are counted, or empty without one.
# training_rows: rows that are kept until the baseline is built.
_RENAMES = """
ALTER TABLE pane RENAME COLUMN series TO binning;
ALTER TABLE pane RENAME COLUMN level TO resolution;
ALTER TABLE lesson RENAME TO training_rows;
ALTER TABLE tally RENAME TO counter;
UPDATE pane SET body = CAST(x'01' || body AS BLOB)
"""


@migrations()
def rename_tables_and_columns(db: Database) -> None:
    """Rename tables and columns, and add the version of the encoding to stored panes."""
    for statement in _RENAMES.split(";"):
        db.execute(statement)


@migrations()
def mark_retired_models(db: Database) -> None:
    """Add a mark for models that gave their place to others, and when events came last."""
    db.execute("ALTER TABLE model ADD COLUMN retired INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE model ADD COLUMN last_event REAL NOT NULL DEFAULT 0")


_DAYS = """
CREATE TABLE day (
    model INTEGER NOT NULL REFERENCES model (id),
    start INTEGER NOT NULL,
    inferences INTEGER NOT NULL,
    latency_p50 REAL, latency_p95 REAL, latency_p99 REAL,
    score_mean REAL, score_stddev REAL,
    prediction_ratios TEXT NOT NULL,
    baseline TEXT,
    PRIMARY KEY (model, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE day_column (
    model INTEGER NOT NULL REFERENCES model (id),
    start INTEGER NOT NULL,
    position INTEGER NOT NULL,
    role TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    rows INTEGER NOT NULL, count INTEGER NOT NULL,
    missing INTEGER NOT NULL, invalid INTEGER NOT NULL,
    mean REAL, stddev REAL, minimum REAL, maximum REAL,
    out_of_range INTEGER, unseen INTEGER,
    psi REAL, psi_critical REAL, js_distance REAL,
    reference_psi REAL, reference_psi_critical REAL,
    PRIMARY KEY (model, start, position)
) STRICT, WITHOUT ROWID
"""


@migrations()
def record_days(db: Database) -> None:
    """Add the tables of recorded days: latencies in seconds, starts in epoch seconds."""
    for statement in _DAYS.split(";"):
        db.execute(statement)


# prediction: waits for its outcome; its body is null once that is counted. Numbers follow the order
# in which the predictions of a model came. outcome_class: numbers of the classes of outcomes.
_OUTCOMES = """
CREATE TABLE prediction (
    model INTEGER NOT NULL REFERENCES model (id),
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    time REAL NOT NULL,
    body BLOB,
    PRIMARY KEY (model, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX prediction_id ON prediction (model, id);
CREATE TABLE outcome_class (
    model INTEGER NOT NULL REFERENCES model (id),
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (model, number)
) STRICT, WITHOUT ROWID
"""


@migrations()
def keep_predictions_for_outcomes(db: Database) -> None:
    """Create the tables of outcomes."""
    for statement in _OUTCOMES.split(";"):
        db.execute(statement)


@migrations()
def keep_answers(db: Database) -> None:
    """Create the table of answers to requests with an `Idempotency-Key`."""
    db.execute(
        "CREATE TABLE kept_answer (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
        " digest BLOB NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL, seen REAL NOT NULL)"
        " STRICT"
    )


def open_store(folder: Path, begin: Callable[[Database], T]) -> tuple[T, bool]:
    """Open the database in a folder, which is created if necessary, and read its content.

    A damaged database is renamed to `mlguard.db.damaged-TIME` and replaced by an empty one.
    Otherwise the sidecar of a healthy model would be restarted for ever.

    Args:
        folder: folder of the database.
        begin: reads the stored state.

    Returns:
        What `begin` returned, and whether a damaged database was moved aside.

    Raises:
        StoreError: another process uses it, or it cannot be read or written.
    """
    path = folder / "mlguard.db"
    try:
        return _begun(path, begin), False
    except DamagedError as error:
        aside = _move_aside(path)
        log.error("%s; it is moved to %s, and replaced by an empty one", error, aside)  # noqa: TRY400
        return _begun(path, begin), True


def _begun(path: Path, begin: Callable[[Database], T]) -> T:
    db = open_database(path, migrations, alerting_migrations)
    try:
        _check(db)
        return begin(db)
    except (sqlite3.Error, ValueError, LookupError, TypeError, msgspec.MsgspecError) as error:
        db.conn.close()
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            raise StoreError(f"{path} cannot be used: {error}") from error
        raise DamagedError(f"{path} is damaged: {error}") from error
    except BaseException:
        db.conn.close()
        raise


def _check(db: Database) -> None:
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise ValueError(found)


def _move_aside(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
