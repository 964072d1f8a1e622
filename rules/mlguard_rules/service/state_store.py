"""State of alerting in SQLite: changes are collected in memory and saved together."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from mlguard_common.metrics import Families
from mlguard_rules.service import metrics as m

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from prometheus_client.metrics_core import Metric
    from sqlite_utils import Database

    Transact = Callable[[Callable[[Database], None]], Awaitable[None]]
    """Runs a job on the database, in one transaction."""

T = TypeVar("T")

RETRY_SECONDS = 5.0

log = logging.getLogger(__name__)


class StateStore:
    """Objects by kind and key, and their changes since they were last saved (a Collector).

    Args:
        db: read once, here.
        transact: runs later writes.
    """

    def __init__(self, db: Database, transact: Transact) -> None:
        self._transact = transact
        self._unsaved: dict[tuple[str, str], bytes | None] = {}
        self._lock = asyncio.Lock()
        self._save_soon = asyncio.Event()
        self._errors = 0
        self._loaded = {
            (kind, key): body
            for kind, key, body in db.execute("SELECT kind, key, body FROM alerting_state")
        }

    def load(self, kind: str, of: type[T], key: Any = Any) -> list[tuple[Any, T]]:
        """Return the stored keys and objects of a kind, once.

        Objects that cannot be read, perhaps written by another version, are logged and deleted.

        Args:
            kind: of the objects.
            of: type of the objects.
            key: type of the keys.
        """
        loaded = []
        for place in [place for place in self._loaded if place[0] == kind]:
            body = self._loaded.pop(place)
            try:
                name = msgspec.json.decode(place[1], type=key)
                loaded.append((name, msgspec.json.decode(body, type=of)))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                log.error("stored %s %s cannot be read and is deleted: %s", *place, error)  # noqa: TRY400
                self._unsaved[place] = None
        return loaded

    def put(self, kind: str, key: object, value: object | None) -> None:
        """Store an object with the next save; None deletes it."""
        body = None if value is None else msgspec.json.encode(value)
        self._unsaved[kind, msgspec.json.encode(key).decode()] = body

    @property
    def unsaved(self) -> int:
        """The number of changes that are not saved yet."""
        return len(self._unsaved)

    def save_soon(self) -> None:
        """Have `run` save the changes."""
        self._save_soon.set()

    async def run(self) -> None:
        """Save when asked to, until cancelled; retry what the database refuses."""
        while True:
            await self._save_soon.wait()
            self._save_soon.clear()
            await self.save()
            if self._unsaved:
                await asyncio.sleep(RETRY_SECONDS)
                self._save_soon.set()

    async def save(self, *, strict: bool = False) -> None:
        """Save all changes or none; what the database refuses is counted and retried.

        Args:
            strict: whether to raise as well.

        Raises:
            sqlite3.Error: the database refused, if strict.
        """
        try:
            await self._save()
        except (sqlite3.Error, OSError) as error:
            if not self._errors:
                log.error("alerts cannot be stored, retrying: %s", error)  # noqa: TRY400
            self._errors += 1
            self._save_soon.set()
            if strict:
                raise

    async def _save(self) -> None:
        async with self._lock:
            if not self._unsaved:
                return
            changes, self._unsaved = self._unsaved, {}
            try:
                await self._transact(lambda db: _write(db, changes))
            except BaseException:  # a cancelled write may have been done; it is repeated
                self._unsaved = changes | self._unsaved
                raise

    def collect(self) -> Iterator[Metric]:
        """Yield the number of errors."""
        families = Families((m.STORE_ERRORS,))
        families.add(m.STORE_ERRORS, (), self._errors)
        yield from families


def _write(db: Database, changes: dict[tuple[str, str], bytes | None]) -> None:
    for place, body in changes.items():
        if body is None:
            db.execute("DELETE FROM alerting_state WHERE kind = ? AND key = ?", place)
        else:
            db.execute("INSERT OR REPLACE INTO alerting_state VALUES (?, ?, ?)", (*place, body))
