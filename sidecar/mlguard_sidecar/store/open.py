"""The database file and its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils import Migrations

from mlguard_common.database import open_database
from mlguard_rules.service import migrations as alerting_migrations

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

migrations = Migrations("mlguard")


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

    Raises:
        StoreError: another process has it, or it cannot be read or written.
    """
    return open_database(folder / "mlguard.db", migrations, alerting_migrations)
