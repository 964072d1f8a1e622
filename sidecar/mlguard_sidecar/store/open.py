"""The database file: opened by one process at a time, migrated, in WAL mode."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlite_utils import Database, Migrations

if TYPE_CHECKING:
    from pathlib import Path

migrations = Migrations("mlguard")


class StoreError(Exception):
    """The database cannot be used; the text says why and what to do."""


# pane.series: `traffic`, or the baseline that the bins come from, empty while there is none.
# lesson: rows that are kept until the baseline is built from them.
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
    """Make the tables."""
    for statement in _TABLES.split(";"):
        db.execute(statement)


def open_store(folder: Path) -> Database:
    """Open the database in a folder, which is made if need be.

    The connection may be used from any thread, by one at a time.

    Raises:
        StoreError: another process has it, or it cannot be read or written.
    """
    path = folder / "mlguard.db"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=1.0, check_same_thread=False, isolation_level=None
        )
        db = Database(connection)
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # a second sidecar would count its own
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded only while the file is new
        db.execute("PRAGMA journal_mode = WAL")
        # in WAL mode a commit is safe from a crash of the process; FULL makes it safe from a
        # loss of power too, at the price of one fsync each
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -2048")
        db.execute("PRAGMA journal_size_limit = 4194304")
        migrations.apply(db)
    except (OSError, sqlite3.Error) as error:
        if "locked" in str(error):
            raise StoreError(
                f"{folder} is in use by another mlguard-sidecar; give this one its own --data-dir"
            ) from error
        raise StoreError(f"{path} cannot be used: {error}") from error
    return db
