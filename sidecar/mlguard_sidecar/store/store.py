"""The database and the thread that uses it, as the rest of the sidecar sees them."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mlguard_common.database import DatabaseThread
from mlguard_sidecar.store.compaction import Compacted, Retention, compact, store_bytes
from mlguard_sidecar.store.read import TRAFFIC, UnreadablePaneError, read_total
from mlguard_sidecar.store.windows import HourlyCache
from mlguard_sidecar.store.write import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlite_utils import Database

    from mlguard_sidecar.histogram import Pane
    from mlguard_sidecar.models import Delta, Window
    from mlguard_sidecar.wire import ModelKey


T = TypeVar("T")
log = logging.getLogger(__name__)


class Store:
    """Commits, reads and compacts, in a thread of its own.

    Attributes:
        thread: that thread, and the database.
        lock: held by who changes the database until the views say the same, so that these always
            say what the database says.
        panes_dropped: how many stored panes could not be read.
    """

    def __init__(self, db: Database) -> None:
        self.thread = DatabaseThread(db)
        self.lock = asyncio.Lock()
        self.panes_dropped = 0
        self._db = db
        self._writer = Writer(db)
        self._hourly = HourlyCache(db)

    async def commit(self, delta: Delta) -> None:
        """Add a delta: all of it, or, where this raises, nothing.

        Raises:
            sqlite3.Error: the database refused.
        """

        def job() -> None:
            self._writer.commit(delta)
            for key, gained in delta.models.items():
                self._hourly.changed(key, TRAFFIC, (pane.start for pane in gained.traffic))
                for binning, panes in gained.features.items():
                    self._hourly.changed(key, binning, (pane.start for pane in panes))

        await self.thread.run(job)

    async def read_windows(
        self, key: ModelKey, binning: str, windows: Sequence[Window]
    ) -> list[Window]:
        """Return windows with everything that lies in them.

        Raises:
            sqlite3.Error: the database refused.
        """
        return await self._read(lambda: self._hourly.read(key, binning, windows))

    async def move_windows(
        self, key: ModelKey, binning: str, windows: Sequence[Window], moved: Sequence[Window]
    ) -> list[Window]:
        """Return windows where they are now, given what they held before.

        Raises:
            sqlite3.Error: the database refused.
        """
        dropped = self.panes_dropped
        found = await self._read(lambda: self._hourly.move(key, binning, windows, moved))
        if self.panes_dropped > dropped:  # the windows may have held what could not be read
            return await self.read_windows(key, binning, moved)
        return found

    async def read_total(self, key: ModelKey, binning: str) -> Pane:
        """Return all that was ever counted in a binning.

        Raises:
            sqlite3.Error: the database refused.
        """
        return await self._read(lambda: read_total(self._db, key, binning))

    async def compact(
        self, now: float, retention: Retention, connected: Collection[str]
    ) -> Compacted:
        """Fold and drop old panes.

        Raises:
            sqlite3.Error: the database refused.
        """

        def job() -> Compacted:
            before = self._db.conn.total_changes
            try:
                return compact(self._db, now, retention, connected)
            finally:
                if self._db.conn.total_changes > before:
                    self._hourly.forget()
                    self._writer.forget()

        dropped = self.panes_dropped
        done = await self._read(job)
        return done._replace(folded=done.folded or self.panes_dropped > dropped)

    async def _read(self, job: Callable[[], T]) -> T:
        """Run a job that reads panes; one that cannot be read is dropped, logged and counted."""
        while True:
            try:
                return await self.thread.run(job)
            except UnreadablePaneError as error:
                log.error("a pane is dropped: %s", error)  # noqa: TRY400
                await self.thread.run(partial(self._drop, error.place))
                self.panes_dropped += 1

    def _drop(self, place: tuple[int, str, int, int]) -> None:
        self._db.execute(
            "DELETE FROM pane WHERE (model, binning, resolution, start) = (?, ?, ?, ?)", place
        )
        self._hourly.forget()
        self._writer.forget()

    async def size(self) -> int | None:
        """Return the bytes in use, None where the database does not say."""

        def job() -> int | None:
            try:
                return store_bytes(self._db)
            except sqlite3.Error:
                return None

        return await self.thread.run(job)

    def close(self) -> None:
        """Close the database once its thread is done."""
        self.thread.close()
