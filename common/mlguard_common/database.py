"""A SQLite file: opened by one process at a time, migrated, in WAL mode."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlite_utils import Database

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Migrations


class StoreError(Exception):
    """The database cannot be used; the text says why and what to do."""


def open_database(path: Path, *migrations: Migrations) -> Database:
    """Open a database, in a folder that is made if need be.

    The connection may be used from any thread, by one at a time.

    Args:
        path: of the file.
        migrations: what makes its tables.

    Raises:
        StoreError: another process has it, or it cannot be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=1.0, check_same_thread=False, isolation_level=None
        )
        db = Database(connection)
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # a second process would count its own
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded only while the file is new
        db.execute("PRAGMA journal_mode = WAL")
        # in WAL mode a commit is safe from a crash of the process; FULL makes it safe from a
        # loss of power too, at the price of one fsync each
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -2048")
        db.execute("PRAGMA journal_size_limit = 4194304")
        for part in migrations:
            part.apply(db)
    except (OSError, sqlite3.Error) as error:
        if "locked" in str(error):
            raise StoreError(
                f"{path.parent} is in use by another process of ML Guard;"
                " give this one its own --data-dir"
            ) from error
        raise StoreError(f"{path} cannot be used: {error}") from error
    return db
