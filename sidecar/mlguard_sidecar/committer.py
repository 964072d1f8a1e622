"""Commits of pending events: their schedule, and the acknowledgements that follow."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections import Counter
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

from mlguard_sidecar import telemetry as t
from mlguard_sidecar.wire import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlguard_sidecar.models import Delta, ModelRegistry
    from mlguard_sidecar.refresher import WindowRefresher
    from mlguard_sidecar.store import Store
    from mlguard_sidecar.telemetry import Telemetry
    from mlguard_sidecar.wire import ModelKey

QUIET_SECONDS = 1.0
"""Maximum time from an event to its commit, in seconds, while commits succeed."""

BUSY_SECONDS = 0.25
"""Minimum time between two commits under load, in seconds."""

BUSY_ROWS = 200
"""Waiting rows from which `BUSY_SECONDS` applies."""

_MAX_RETRY_SECONDS = 10.0
_SIZE_SECONDS = 10.0
_MAX_FAULTY = 100

log = logging.getLogger(__name__)


class Committer:
    """Commits deltas, one at a time, and applies them to the views.

    Commits are at least one second apart with few waiting rows, a quarter of a second from
    `BUSY_ROWS` on. A caller that waits, or a full registry, causes one at once.

    Args:
        store: the database.
        registry: holds the pending delta.
        refresher: reads the windows of new models.
        telemetry: counts commits.
    """

    def __init__(
        self,
        store: Store,
        registry: ModelRegistry,
        refresher: WindowRefresher,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._registry = registry
        self._refresher = refresher
        self._telemetry = telemetry
        self._subscribers: list[Callable[[Mapping[str, int]], None]] = []
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._has_work = asyncio.Event()
        self._is_busy = asyncio.Event()
        self._flush_now = asyncio.Event()
        self._failed: Delta | None = None
        self._in_flight: Delta | None = None
        self._behind = False
        self._committed = 0
        self._faulty: dict[int, frozenset[ModelKey]] = {}
        self._sized = -_SIZE_SECONDS
        telemetry.pending = self._pending

    @property
    def is_failing(self) -> bool:
        """Whether the last commit failed."""
        return self._failed is not None

    def subscribe(self, acknowledge: Callable[[Mapping[str, int]], None]) -> None:
        """Call a function after each commit, with client -> number of its last committed batch."""
        self._subscribers.append(acknowledge)

    def notify(self) -> None:
        """Schedule a commit, as something may have been added to the registry."""
        self._has_work.set()
        if self._registry.is_full:
            self._request_flush()
        elif self._registry.pending_rows >= BUSY_ROWS:
            self._is_busy.set()

    async def wait_for(self, number: int) -> frozenset[ModelKey]:
        """Wait until a delta is committed. A commit starts at once; all callers share it.

        Args:
            number: number of the delta.

        Returns:
            Models whose events were rejected because of an internal error.
        """
        if number > self._committed:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append((number, waiter))
            self._request_flush()
            await waiter
        return self._faulty.get(number, frozenset())

    def _pending(self) -> Counter[str]:
        """Return source -> events that wait because a commit failed.

        While commits succeed, this is empty: events since the last commit appear with the next
        one. So counters show only what is stored, and do not decrease if the process is killed.
        """
        if not self._behind:
            return Counter()
        waiting = self._registry.pending_events()
        return waiting + self._in_flight.events_by_source() if self._in_flight else waiting

    async def run(self) -> None:
        """Commit pending deltas until cancelled; failed commits are retried with backoff."""
        retry, last = BUSY_SECONDS, -QUIET_SECONDS
        while True:
            await self._has_work.wait()
            await self._until_due(last)
            for event in (self._has_work, self._is_busy, self._flush_now):
                event.clear()
            last = monotonic()
            if await self.commit():
                retry = BUSY_SECONDS
            else:
                self._has_work.set()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(retry):
                        await self._flush_now.wait()
                retry = min(retry * 2, _MAX_RETRY_SECONDS)

    async def _until_due(self, last: float) -> None:
        """Wait until the next commit is due, given the time of the last one."""
        if self._flush_now.is_set():
            return
        for event, seconds in ((self._is_busy, QUIET_SECONDS), (self._flush_now, BUSY_SECONDS)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(last + seconds - monotonic()):
                    await event.wait()

    async def commit(self) -> bool:
        """Commit the pending delta, apply it to the views and acknowledge it.

        A commit that has begun is finished, even if the caller is cancelled.

        Returns:
            Whether the commit succeeded.
        """
        # kept, as the event loop alone would let go of it
        self._running = asyncio.ensure_future(self._commit_locked())
        return await asyncio.shield(self._running)

    async def _commit_locked(self) -> bool:
        async with self._store.lock:
            delta = self._failed or self._registry.close_delta()
            if not delta:
                self._behind = False
                self._release(delta)
                return True
            self._in_flight = delta
            begin = perf_counter()
            try:
                await self._store.commit(delta)
            except (sqlite3.Error, OSError) as error:
                self._fail(delta, str(error))
                return False
            except Exception:  # a bug: a retry would fail too
                log.exception("events cannot be stored")
                self._fail(delta.rejected(Reason.INTERNAL), "its events are rejected")
                return False
            self._telemetry.observe_commit(perf_counter() - begin)
            self._behind = self._failed is not None  # newer events still wait
            if self._failed is not None:
                log.info("commits succeed again")
                self._failed = None
                self._has_work.set()
            self._in_flight = None
            self._registry.apply(delta)
            for key in delta.models:
                view = self._registry.views.get(key)
                if view is not None and view.is_stale:
                    await self._refresher.update(view)
            # last, so that a client that is notified finds its events in the metrics
            for acknowledge in self._subscribers:
                acknowledge(delta.sequences)
            self._release(delta)
        await self._measure_size()
        self._refresher.check_clock()
        return True

    def _fail(self, delta: Delta, why: str) -> None:
        self._telemetry.count(t.STORE_ERRORS)
        if self._failed is None:
            log.error("commit failed, trying again: %s", why)
        self._failed = self._in_flight = delta
        self._behind = True

    def _release(self, delta: Delta) -> None:
        """Wake the callers that wait for a delta, or for one before it."""
        number = self._committed = delta.number
        if delta.faulty:
            self._faulty[number] = frozenset(delta.faulty)
            while len(self._faulty) > _MAX_FAULTY:
                del self._faulty[next(iter(self._faulty))]
        waiters, self._waiters = self._waiters, []
        for wanted, waiter in waiters:
            if wanted > number:
                self._waiters.append((wanted, waiter))
            elif not waiter.done():
                waiter.set_result(None)
        if self._waiters:
            self._request_flush()

    def _request_flush(self) -> None:
        for event in (self._has_work, self._is_busy, self._flush_now):
            event.set()

    async def _measure_size(self) -> None:
        if monotonic() - self._sized < _SIZE_SECONDS:
            return
        self._sized = monotonic()
        size = await self._store.size()
        if size is None:  # the commit itself succeeded
            self._telemetry.count(t.STORE_ERRORS)
        else:
            self._telemetry.store_bytes = size
