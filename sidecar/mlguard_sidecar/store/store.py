"""Asynchronous interface of the database."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from mlguard_common.database import DatabaseThread
from mlguard_sidecar.store.answers import read_answer
from mlguard_sidecar.store.compaction import (
    Compacted,
    Retention,
    compact,
    delete_model,
)
from mlguard_sidecar.store.day_store import DayStore
from mlguard_sidecar.store.read import (
    OUTCOMES,
    TRAFFIC,
    UnreadablePaneError,
    load_model,
    read_total,
)
from mlguard_sidecar.store.size import store_bytes
from mlguard_sidecar.store.windows import HourlyCache
from mlguard_sidecar.store.write import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlite_utils import Database

    from mlguard_sidecar.histogram import Pane
    from mlguard_sidecar.models import (
        Delta,
        KeptAnswer,
        StoredModel,
        Window,
    )
    from mlguard_sidecar.wire import ModelKey

T = TypeVar("T")
log = logging.getLogger(__name__)


class Store:
    """The sidecar's database, used in a thread of its own.

    Attributes:
        thread: the thread and the database.
        days: days of models.
        lock: held while the database is changed, and until the views are updated, so that views and
            database always agree.
        panes_dropped: number of stored panes that could not be read, and were deleted.
    """

    def __init__(self, db: Database) -> None:
        self.thread = DatabaseThread(db)
        self.lock = asyncio.Lock()
        self.panes_dropped = 0
        self._db = db
        self.days = DayStore(db, self._read)
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
                if gained.outcomes is not None and gained.outcomes.joined is not None:
                    self._hourly.changed(key, OUTCOMES, gained.outcomes.joined.arrived)

        await self.thread.run(job)

    async def read_windows(
        self, key: ModelKey, binning: str, windows: Sequence[Window]
    ) -> list[Window]:
        """Return windows with their content.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self._read(lambda: self._hourly.read(key, binning, windows))

    async def move_windows(
        self, key: ModelKey, binning: str, windows: Sequence[Window], moved: Sequence[Window]
    ) -> list[Window]:
        """Return moved windows with their content, given the windows before.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        dropped = self.panes_dropped
        found = await self._read(lambda: self._hourly.move(key, binning, windows, moved))
        if self.panes_dropped > dropped:  # the windows may have held what could not be read
            return await self.read_windows(key, binning, moved)
        return found

    async def read_total(self, key: ModelKey, binning: str) -> Pane:
        """Return the running totals of a binning.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self._read(lambda: read_total(self._db, key, binning))

    def recall(self, key: ModelKey) -> StoredModel | None:
        """Return the stored state of a model; None if there is none, or it cannot be read.

        It waits for the thread, as few models ever return.
        """
        try:
            return self.thread.run_and_wait(lambda: load_model(self._db, key))
        except (sqlite3.Error, ValueError, LookupError, msgspec.MsgspecError) as error:
            log.error("the state of %s cannot be read: %s", "/".join(key), error)  # noqa: TRY400
            return None

    async def kept_answer(self, key: str) -> KeptAnswer | None:
        """Return the answer that is kept for an `Idempotency-Key`, None if there is none.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self.thread.run(lambda: read_answer(self._db, key))

    async def forget(self, key: ModelKey) -> bool:
        """Delete everything that is stored of a model; return whether there was one.

        Raises:
            sqlite3.Error: the database cannot be changed.
        """

        def job() -> bool:
            found = delete_model(self._db, key)
            self._forget()
            return found

        return await self.thread.run(job)

    async def compact(
        self,
        now: float,
        retention: Retention,
        connected: Collection[str],
        in_use: Collection[ModelKey],
    ) -> Compacted:
        """Fold and delete old panes.

        Args:
            now: epoch seconds.
            retention: ages of compaction.
            connected: clients that are connected.
            in_use: models that are kept though they have no panes.

        Raises:
            sqlite3.Error: the database cannot be read.
        """

        def job() -> Compacted:
            try:
                done = compact(self._db, now, retention, connected, in_use)
            except sqlite3.Error:  # some panes may be folded
                self._forget()
                raise
            if done.folded:
                self._forget()
            return done

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
        self._forget()

    def _forget(self) -> None:
        self._hourly.forget()
        self._writer.forget()

    async def size(self) -> int | None:
        """Return the size of the used part of the database in bytes, None if it cannot be read."""

        def job() -> int | None:
            try:
                return store_bytes(self._db)
            except sqlite3.Error:
                return None

        return await self.thread.run(job)

    def close(self) -> None:
        """Finish all jobs and close the database."""
        self.thread.close()
