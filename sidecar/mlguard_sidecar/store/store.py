"""Asynchronous interface of the database."""

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
    """The sidecar's database, used in a thread of its own.

    Attributes:
        thread: the thread and the database.
        lock: held while the database is changed, and until the views are updated, so that views and
            database always agree.
    """

    def __init__(self, db: Database) -> None:
        self.thread = DatabaseThread(db)
        self.lock = asyncio.Lock()
        self._db = db
        self._writer = Writer(db)
        self._hourly = HourlyCache(db)

    async def commit(self, delta: Delta) -> None:
        """Store a delta; if this raises, nothing is stored.

        Raises:
            sqlite3.Error: the transaction failed.
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
        """Return windows with their content.

        Raises:
            sqlite3.Error: the database cannot be read.
            ValueError: a stored pane is invalid.
        """
        return await self.thread.run(lambda: self._hourly.read(key, binning, windows))

    async def move_windows(
        self, key: ModelKey, binning: str, windows: Sequence[Window], moved: Sequence[Window]
    ) -> list[Window]:
        """Return moved windows with their content, given the windows before.

        Raises the same errors as `read_windows`.
        """
        return await self.thread.run(lambda: self._hourly.move(key, binning, windows, moved))

    async def read_total(self, key: ModelKey, binning: str) -> Pane:
        """Return the running totals of a binning; raises the same errors as `read_windows`."""
        return await self.thread.run(lambda: read_total(self._db, key, binning))

    async def compact(
        self, now: float, retention: Retention, connected: Collection[str]
    ) -> Compacted:
        """Fold and delete old panes; raises the same errors as `read_windows`."""

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
        """Return the size of the used part of the database in bytes, None if it cannot be read."""

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
        """Finish all jobs and close the database."""
        self.thread.close()
