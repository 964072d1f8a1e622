"""What alerting keeps in SQLite: changes gather in memory and are saved together."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlite_utils import Migrations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlite_utils import Database

    Transact = Callable[[Callable[[Database], None]], Awaitable[None]]
    """Runs a job on the database, in one transaction."""

T = TypeVar("T")

log = logging.getLogger(__name__)

migrations = Migrations("mlguard-rules")


@migrations()
def initial(db: Database) -> None:
    """Make the table: things of a few kinds, each with a key and a body in JSON."""
    db.execute(
        "CREATE TABLE alerting (kind TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,"
        " PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID"
    )


class Ledger:
    """Things by kind and key, with their changes since they were last saved.

    Args:
        db: read from once, here.
        transact: for what is saved later.
    """

    def __init__(self, db: Database, transact: Transact) -> None:
        self._transact = transact
        self._unsaved: dict[tuple[str, str], bytes | None] = {}
        self._lock = asyncio.Lock()
        self._saved = {
            (kind, key): body
            for kind, key, body in db.execute("SELECT kind, key, body FROM alerting").fetchall()
        }

    def take(self, kind: str, of: type[T], key: Any = Any) -> list[tuple[Any, T]]:
        """Keys and things of a kind, as the last process left them; they are handed out once.

        What cannot be read, perhaps written by another version, is told and forgotten.
        """
        taken = []
        for place in [place for place in self._saved if place[0] == kind]:
            body = self._saved.pop(place)
            try:
                name = msgspec.json.decode(place[1], type=key)
                taken.append((name, msgspec.json.decode(body, type=of)))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                log.error("a stored %s cannot be read and is forgotten: %s", kind, error)  # noqa: TRY400
                self._unsaved[place] = None
        return taken

    def put(self, kind: str, key: object, thing: object | None) -> None:
        """Keep a thing; None forgets it."""
        body = None if thing is None else msgspec.json.encode(thing)
        self._unsaved[kind, msgspec.json.encode(key).decode()] = body

    @property
    def unsaved(self) -> int:
        """Changes that are not saved yet."""
        return len(self._unsaved)

    async def save(self) -> None:
        """Save every change, all or none.

        Raises:
            sqlite3.Error: the database refused; the changes are kept, for the next time.
        """
        async with self._lock:
            if not self._unsaved:
                return
            changes, self._unsaved = self._unsaved, {}
            try:
                await self._transact(lambda db: _write(db, changes))
            except BaseException:  # also where it is cancelled: what was saved is saved again
                self._unsaved = changes | self._unsaved
                raise


def _write(db: Database, changes: dict[tuple[str, str], bytes | None]) -> None:
    for place, body in changes.items():
        if body is None:
            db.execute("DELETE FROM alerting WHERE kind = ? AND key = ?", place)
        else:
            db.execute("INSERT OR REPLACE INTO alerting VALUES (?, ?, ?)", (*place, body))
