"""Space that the database uses, in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def store_bytes(db: Database) -> int:
    """Return the size of the used part of the database."""
    (pages,), (free,), (size,) = (
        db.execute(f"PRAGMA {name}").fetchone()
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def table_bytes(db: Database, table: str) -> int:
    """Return the size of a table with its indexes and the gaps in its pages.

    The table is emptied and restored, as SQLite can tell the size of one table only with an
    option that few builds have. That reads its pages and writes none of them.
    """
    with db.atomic():
        before = store_bytes(db)
        db.execute("SAVEPOINT size")
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - fixed
        size = before - store_bytes(db)
        db.execute("ROLLBACK TO size")
        db.execute("RELEASE size")
    return size
