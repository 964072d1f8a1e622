"""Between the engine and the database: commits, windows, upkeep."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from mlguard_sidecar.engine import Delta, Engine, ModelView, Window
from mlguard_sidecar.exposition import Own, metrics
from mlguard_sidecar.store import (
    TRAFFIC,
    Hours,
    Retention,
    commit,
    load,
    maintain,
    read_total,
    store_bytes,
)
from mlguard_sidecar.wire import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sqlite_utils import Database

    from mlguard_sidecar.engine import Span
    from mlguard_sidecar.plans import Plans

COMMIT_SECONDS = 0.25
"""How long an event waits for its commit, at the most, while the database is well."""

_LONGEST_RETRY_SECONDS = 10.0
_UPKEEP_SECONDS = 3600.0

T = TypeVar("T")
log = logging.getLogger(__name__)


class Keeper:
    """Commits what the engine took in, and keeps the windows of its views moving.

    One thread uses the database. A lock sees to it that what the thread did is taken into the
    views before it does the next thing, so that these always say what the database says.

    Attributes:
        own: the sidecar's figures of itself.
        wake: set when there may be something to commit.
        replanned: set when windows were changed.
    """

    def __init__(
        self,
        db: Database,
        engine: Engine,
        *,
        plans: Callable[[], Plans],
        pane_seconds: int,
        retention: Retention,
        clock: Callable[[], float],
        acknowledge: Callable[[Mapping[str, int]], None],
        connected: Callable[[], Collection[str]],
    ) -> None:
        self._db = db
        self._engine = engine
        self._plans = plans
        self._pane_seconds = pane_seconds
        self._retention = retention
        self._clock = clock
        self._acknowledge = acknowledge
        self._connected = connected
        self._hours = Hours(db)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._lock = asyncio.Lock()
        self._failed: Delta | None = None
        self._under_way: Delta | None = None
        self._behind = False
        self._pane = 0.0
        self.wake = asyncio.Event()
        self.replanned = asyncio.Event()
        saved = load(db)
        engine.restore(saved.views, saved.lessons, saved.sequences, saved.tally)
        self.wake.set()
        self.own = Own(engine.tally, self._pending)
        self.own.store_bytes = store_bytes(db)

    @property
    def failing(self) -> bool:
        """Whether the last commit failed."""
        return self._failed is not None

    def _pending(self) -> Counter[str]:
        """Events that wait because a commit failed.

        While commits succeed this is nothing: what came in since the last one shows with the
        next, so that a counter that was once scraped stands for what is stored, and a killed
        process never makes it go back.
        """
        if not self._behind:
            return Counter()
        waiting = self._engine.pending_events()
        return waiting + self._under_way.events_by_source() if self._under_way else waiting

    async def commit_for_ever(self) -> None:
        """Commit what has come in, at most every COMMIT_SECONDS; later while that fails."""
        pause = COMMIT_SECONDS
        while True:
            await self.wake.wait()
            self.wake.clear()
            if await self.commit():
                pause = COMMIT_SECONDS
            else:
                self.wake.set()
                pause = min(pause * 2, _LONGEST_RETRY_SECONDS)
            await asyncio.sleep(pause)

    async def commit(self) -> bool:
        """Commit, acknowledge and show what has come in; whether the database took it.

        Once begun it goes on to its end, even where the caller is cancelled.
        """
        self._running = asyncio.ensure_future(self._commit_locked())
        return await asyncio.shield(self._running)

    async def _commit_locked(self) -> bool:
        async with self._lock:
            delta = self._failed or self._engine.close_delta()
            if not delta:
                self._behind = False
                return True
            self._under_way = delta
            begin = perf_counter()
            try:
                await self._in_thread(lambda: self._commit(delta))
            except (sqlite3.Error, OSError) as error:
                self._fail(delta, str(error))
                return False
            except Exception:  # a fault of ours: trying again would not help
                log.exception("events cannot be stored")
                self._fail(delta.rejected(Reason.INTERNAL), "its events are rejected")
                return False
            self.own.observe_commit(perf_counter() - begin)
            self._behind = self._failed is not None  # what came in meanwhile is yet to commit
            if self._failed is not None:
                log.info("commits succeed again")
                self._failed = None
                self.wake.set()
            self._under_way = None
            for view in self._engine.committed(delta):
                await self._refresh(view, with_totals=True)
            self._acknowledge(delta.sequences)  # last, so that who is told finds it in the figures
        if self._clock() // self._pane_seconds != self._pane:  # a jump of the clock
            self.replanned.set()
        return True

    def _fail(self, delta: Delta, why: str) -> None:
        self.own.count(metrics.STORE_ERRORS)
        if self._failed is None:
            log.error("commit failed, trying again: %s", why)
        self._failed = self._under_way = delta
        self._behind = True

    def _commit(self, delta: Delta) -> None:
        commit(self._db, delta)
        for key, gained in delta.models.items():
            self._hours.changed(key, TRAFFIC, gained.traffic)
            for series, panes in gained.features.items():
                self._hours.changed(key, series, panes)
        try:
            self.own.store_bytes = store_bytes(self._db)
        except sqlite3.Error:  # the commit stands all the same
            self.own.count(metrics.STORE_ERRORS)

    async def transact(self, job: Callable[[Database], None]) -> None:
        """Run a job on the database, in one transaction, between two commits.

        Raises:
            sqlite3.Error: the database refused.
        """

        def atomic() -> None:
            with self._db.atomic():
                job(self._db)

        await self._in_thread(atomic)

    async def refresh_for_ever(self) -> None:
        """Move the windows on at the end of every pane, and at once where they were changed."""
        while True:
            rest = self._pane_seconds - self._clock() % self._pane_seconds
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.replanned.wait(), rest)
            self.replanned.clear()
            await self.refresh()

    async def refresh(self) -> None:
        """Read every window anew."""
        self._pane = self._clock() // self._pane_seconds
        for view in list(self._engine.views.values()):
            async with self._lock:
                await self._refresh(view)

    async def _refresh(self, view: ModelView, *, with_totals: bool = False) -> None:
        plans, series = self._plans(), view.schema.series
        try:
            if with_totals:
                view.features = await self._in_thread(
                    lambda: read_total(self._db, view.key, series)
                )
            view.traffic_windows = await self._windows(view, TRAFFIC, plans.traffic_spans)
            view.feature_windows = await self._windows(view, series, plans.feature_spans)
        except (sqlite3.Error, OSError, ValueError) as error:
            self.own.count(metrics.STORE_ERRORS)
            log.error("a window cannot be read: %s", error)  # noqa: TRY400

    async def _windows(self, view: ModelView, series: str, spans: list[Span]) -> dict[str, Window]:
        windows = [Window.at(span, self._clock(), self._pane_seconds) for span in spans]
        return await self._in_thread(
            lambda: {
                w.span.label: replace(w, pane=self._hours.window(view.key, series, w.start, w.end))
                for w in windows
            }
        )

    async def upkeep_for_ever(self) -> None:
        """Fold and drop old panes, at the start and every hour."""
        while True:
            async with self._lock:
                try:
                    forgotten = await self._in_thread(self._upkeep)
                except (sqlite3.Error, OSError, ValueError) as error:
                    self.own.count(metrics.STORE_ERRORS)
                    log.error("old panes cannot be folded: %s", error)  # noqa: TRY400
                else:
                    self._engine.forget(forgotten)
            await asyncio.sleep(_UPKEEP_SECONDS)

    def _upkeep(self) -> list[str]:
        self._hours.forget()
        return maintain(self._db, self._clock(), self._retention, self._connected())

    def close(self) -> None:
        """Close the database once its thread is done."""
        self._thread.shutdown()
        self._db.conn.close()

    async def _in_thread(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)
