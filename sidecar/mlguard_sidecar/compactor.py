"""Hourly compaction of the database."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from typing import TYPE_CHECKING

from mlguard_sidecar import telemetry as t
from mlguard_sidecar.store import IDS_DROPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mlguard_sidecar.models import ModelRegistry
    from mlguard_sidecar.refresher import WindowRefresher
    from mlguard_sidecar.store import Retention, Store
    from mlguard_sidecar.telemetry import Telemetry

_SECONDS = 3600.0

log = logging.getLogger(__name__)


class Compactor:
    """Task that folds and deletes old panes, and forgets clients that are gone.

    Args:
        store: the database.
        registry: forgets the same clients.
        refresher: reads the windows again after panes were folded.
        telemetry: counts errors.
        retention: ages at which panes are folded and deleted.
        connected: returns the clients that are connected.
        clock: epoch seconds.
    """

    def __init__(
        self,
        store: Store,
        registry: ModelRegistry,
        refresher: WindowRefresher,
        telemetry: Telemetry,
        retention: Retention,
        connected: Callable[[], Collection[str]],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._registry = registry
        self._refresher = refresher
        self._telemetry = telemetry
        self._retention = retention
        self._connected = connected
        self._clock = clock

    async def run(self) -> None:
        """Compact at once and then every hour, until cancelled."""
        while True:
            await self.compact()
            await asyncio.sleep(_SECONDS)

    async def compact(self) -> None:
        """Compact once."""
        async with self._store.lock:
            try:
                done = await self._store.compact(
                    self._clock(),
                    self._retention,
                    self._connected(),
                    self._registry.models_with_pending_events(),
                )
            except (sqlite3.Error, OSError) as error:
                self._telemetry.count(t.STORE_ERRORS)
                log.error("old panes cannot be folded: %s", error)  # noqa: TRY400
                folded = True  # some of them perhaps
            else:
                self._registry.forget_clients(done.forgotten)
                self._registry.forget_models(done.models)
                for reason, n in done.dropped.items():
                    self._registry.count(n, IDS_DROPPED, reason)
                folded = done.folded
        if folded:
            await self._refresher.read_all()
