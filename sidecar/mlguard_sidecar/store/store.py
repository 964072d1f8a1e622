"""The database and the thread that uses it, as the rest of the sidecar sees them."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

from mlguard_common.database import DatabaseThread
from mlguard_sidecar.store.compaction import Compacted, Retention, compact, store_bytes
from mlguard_sidecar.store.read import TRAFFIC, read_total
from mlguard_sidecar.store.windows import HourlyCache
from mlguard_sidecar.store.write import Writer

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlite_utils import Database

    from mlguard_sidecar.histogram import Pane
    from mlguard_sidecar.models import Delta, Window
    from mlguard_sidecar.wire import ModelKey


class Store:
    """Commits, reads and compacts, in a thread of its own.

    Attributes:
        thread: that thread, and the database.
        lock: held by who changes the database until the views say the same, so that these always
            say what the database says.
    """

    def __init__(self, db: Database) -> None:
        self.thread = DatabaseThread(db)
        self.lock = asyncio.Lock()
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
            ValueError: a pane cannot be read.
        """
        return await self.thread.run(lambda: self._hourly.read(key, binning, windows))

    async def move_windows(
        self, key: ModelKey, binning: str, windows: Sequence[Window], moved: Sequence[Window]
    ) -> list[Window]:
        """Return windows where they are now, given what they held before; raises the same."""
        return await self.thread.run(lambda: self._hourly.move(key, binning, windows, moved))

    async def read_total(self, key: ModelKey, binning: str) -> Pane:
        """Return all that was ever counted in a binning; raises the same."""
        return await self.thread.run(lambda: read_total(self._db, key, binning))

    async def compact(
        self, now: float, retention: Retention, connected: Collection[str]
    ) -> Compacted:
        """Fold and drop old panes; raises the same."""

        def job() -> Compacted:
            try:
                done = compact(self._db, now, retention, connected)
            except BaseException:
                self._forget()
                raise
            if done.folded:
                self._forget()
            return done

        return await self.thread.run(job)

    async def size(self) -> int | None:
        """Return the bytes in use, None where the database does not say."""

        def job() -> int | None:
            try:
                return store_bytes(self._db)
            except sqlite3.Error:
                return None

        return await self.thread.run(job)

    def _forget(self) -> None:
        self._hourly.forget()
        self._writer.forget()

    def close(self) -> None:
        """Close the database once its thread is done."""
        self.thread.close()
