"""The running sidecar: listeners, tasks and shutdown."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from mlguard import __version__
from mlguard_common.daemon import Lifecycle, lifecycle_metrics
from mlguard_common.web import split_listen
from mlguard_rules.service import METRICS as ALERTING_METRICS
from mlguard_rules.service import Alerting
from mlguard_sidecar import paths
from mlguard_sidecar import telemetry as t
from mlguard_sidecar.baseline_service import BaselineService
from mlguard_sidecar.baseline_watcher import BaselineWatcher
from mlguard_sidecar.committer import Committer
from mlguard_sidecar.compactor import Compactor
from mlguard_sidecar.config import HTTP_SOCKET
from mlguard_sidecar.exposition import METRICS as MODEL_METRICS
from mlguard_sidecar.exposition import ModelCollector
from mlguard_sidecar.history import DayRecorder
from mlguard_sidecar.ingest import (
    Connection,
    Connections,
    Pipeline,
    SocketListener,
    accept_connections,
)
from mlguard_sidecar.models import ModelRegistry
from mlguard_sidecar.refresher import WindowRefresher
from mlguard_sidecar.settings import (
    CurrentSettings,
    Settings,
    alerting_settings_of,
    retention_of,
)
from mlguard_sidecar.statistics import StatisticsCache, explanation_of
from mlguard_sidecar.store import Store, load, open_store
from mlguard_sidecar.telemetry import Telemetry
from mlguard_sidecar.web import Parts, http_server

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterator

    from prometheus_client.metrics_core import Metric

    from mlguard_sidecar.config import Config
    from mlguard_sidecar.statistics import ModelStatistics
    from mlguard_sidecar.wire import ModelKey

METRICS = (*MODEL_METRICS, *t.METRICS, *ALERTING_METRICS, *lifecycle_metrics("sidecar"))
"""Every metric of the sidecar."""

_DRAIN_SECONDS = 5.0
_LAST_READ_SECONDS = 0.2
_RETRY_SECONDS = 0.2
_IMMUTABLE = ("listen", "socket", "data_dir", "pane", "retention")
"""Keys that change only with a restart."""

log = logging.getLogger(__name__)


class Daemon:
    """Sidecar on the running event loop.

    Args:
        config: the initial configuration.
        read_config: reads the configuration again, for a reload.
        clock: epoch seconds.

    Raises:
        ConfigError: a baseline file cannot be used.
        StoreError: the database cannot be used.
    """

    def __init__(
        self,
        config: Config,
        read_config: Callable[[], Config],
        clock: Callable[[], float] = time,
    ) -> None:
        self._lifecycle = Lifecycle(
            "sidecar", __version__, config, read_config, self._apply, _IMMUTABLE
        )
        self._settings = CurrentSettings(config)
        self._clock = clock
        alerting_settings = alerting_settings_of(config)

        (self._store, snapshot), recreated = open_store(
            Path(config.data_dir or paths.data_dir()), lambda db: (Store(db), load(db))
        )
        self._registry = ModelRegistry(
            settings_of=self._settings.accumulation_of,
            model_limit=self._settings.model_limit,
            recall=self._store.recall,
            clock=clock,
        )
        self._alerting = Alerting(
            alerting_settings,
            self._store.thread.db,
            self._store.thread.transact,
            self._collect_for_rules,
            clock,
            lambda labels: explanation_of(labels, self._statistics()),
        )
        self._registry.restore(
            snapshot.models, snapshot.sequences, snapshot.counters, snapshot.retired
        )
        self._telemetry = Telemetry(self._registry.counters)
        self._telemetry.panes_dropped = lambda: self._store.panes_dropped
        if recreated:
            self._telemetry.count(t.STORE_RECREATED)
        self._refresher = WindowRefresher(
            self._store,
            self._registry,
            self._settings,
            self._telemetry,
            config.pane.seconds,
            clock,
        )
        self._committer = Committer(self._store, self._registry, self._refresher, self._telemetry)
        self._pipeline = Pipeline(
            self._registry, self._committer, config.retention.days.seconds, clock
        )
        self._connections = Connections(
            self._telemetry, lambda: self._lifecycle.config.limits.connections
        )
        self._committer.subscribe(self._connections.acknowledge)
        self._compactor = Compactor(
            self._store,
            self._registry,
            self._refresher,
            self._telemetry,
            retention_of(config),
            self._connections.clients,
            clock,
        )
        self._recorder = DayRecorder(
            self._store, self._registry, self._settings, self._telemetry, clock
        )
        self._watcher = BaselineWatcher(self._settings, self._telemetry, self._follow_settings)
        baselines = BaselineService(
            self._registry, self._committer, self._store, self._settings, clock
        )
        self._cache = StatisticsCache(self._count_failed_statistics)
        self._models = ModelCollector(
            self._statistics,
            clock,
            lambda: self._settings.now.fleet,
            self._count_failed_statistics,
        )
        self.collectors = (self._models, self._telemetry, self._alerting, self._lifecycle)
        self._http, self._cloudevents = http_server(
            Parts(
                self,
                self._lifecycle,
                self._pipeline,
                self._store,
                self._registry,
                self._telemetry,
                self._recorder,
                baselines,
                self._alerting,
                self._statistics,
                self._forget,
                clock,
            )
        )

    def _count_failed_statistics(self) -> None:
        self._telemetry.count(t.STATISTICS_ERRORS)

    def _statistics(self) -> list[ModelStatistics]:
        """Return the current statistics of each model."""
        return self._cache.of_all(self._registry.views.values(), self._settings.now.of)

    async def _forget(self, key: ModelKey) -> bool:
        """Erase a model; return whether there was one."""
        await self._committer.commit()
        async with self._store.lock:
            found = await self._store.forget(key)
            self._registry.erase(key)
        return found

    def _collect_for_rules(self, names: frozenset[str]) -> Iterator[Metric]:
        """Yield at least the metrics of these names, which rules read."""
        yield from self._models.collect_named(names)
        for collector in (self._telemetry, self._alerting, self._lifecycle):
            yield from collector.collect()

    async def run(self, stop: asyncio.Event) -> bool:
        """Serve until `stop` is set, then commit and acknowledge what was received, and end.

        Returns:
            Whether everything that was received is stored.

        Raises:
            BindError: an address cannot be listened on.
        """
        path, is_named = paths.socket_to_serve(self._lifecycle.config.socket.path)
        host, port = split_listen(self._lifecycle.config.listen)
        events = self._listener(path, self._accept, is_named=is_named)
        over_http = self._listener(
            path.with_name(HTTP_SOCKET), self._http.listen_unix, is_named=is_named
        )
        alerting: asyncio.Task[None] | None = None
        try:
            await self._refresher.read_all()
            await events.start()
            port = await self._http.listen_tcp(host, port)
            await over_http.start()
            log.info("events on %s, metrics on http://%s:%d/metrics", path, host, port)
            alerting = asyncio.create_task(self._alerting.run())
            alerting.add_done_callback(_log_fault)
            await self._serve(stop, events, over_http)
            alerting.cancel()
            return await self._drain(events)
        finally:
            for listener in (events, over_http):
                listener.remove()
            if alerting is not None:  # last, as a notification may still be sent
                alerting.cancel()
                await asyncio.gather(alerting, return_exceptions=True)
            await self._http.close()
            self._store.close()

    def _listener(
        self,
        path: Path,
        listen: Callable[..., Awaitable[Callable[[], Awaitable[None]]]],
        *,
        is_named: bool,
    ) -> SocketListener:
        return SocketListener(
            path,
            self._lifecycle.config.socket.mode.bits,
            is_named=is_named,
            listen=listen,
            on_recreated=lambda: self._telemetry.count(t.SOCKET_RECREATED),
        )

    async def _accept(self, bound: socket.socket) -> Callable[[], Awaitable[None]]:
        def connect() -> Connection:
            return Connection(self._pipeline, self._connections, self._telemetry)

        return await accept_connections(bound, connect)

    async def _serve(self, stop: asyncio.Event, *listeners: SocketListener) -> None:
        jobs = [self._committer.run(), self._refresher.run(), self._compactor.run()]
        jobs += [self._recorder.run(), self._watcher.run()]
        jobs += [listener.run() for listener in listeners]
        tasks = [asyncio.create_task(job) for job in jobs]
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for task, result in zip(tasks, results, strict=True):
            if task in done and isinstance(result, Exception):
                raise result

    async def _drain(self, events: SocketListener) -> bool:
        self._lifecycle.draining = True
        log.info("stopping: committing pending events")
        await events.stop()
        self._cloudevents.flush()
        stored = False
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                # what clients had sent before is in the kernel's buffers: it is taken
                await asyncio.sleep(_LAST_READ_SECONDS)
                while self._connections.paused:
                    await self._committer.commit()
                    await asyncio.sleep(_LAST_READ_SECONDS)
                self._connections.stop_reading()
                while not stored:
                    # twice, as the first commit may retry an earlier one
                    stored = await self._committer.commit() and await self._committer.commit()
                    await asyncio.sleep(0 if stored else _RETRY_SECONDS)
        except TimeoutError:
            self._connections.stop_reading()
            log.error("stopped with events that the database refused")  # noqa: TRY400
        self._connections.close()
        await asyncio.sleep(0)
        await self._http.close()  # which answered until now
        stored = stored and await self._committer.commit()
        log.info("stopped")
        return stored

    def not_ready(self) -> str | None:
        """Return why the sidecar is not ready, None if it is."""
        if self._lifecycle.draining:
            return "stopping"
        if self._committer.is_failing:
            return "the database refuses commits; new events wait in memory"
        return None

    def reload(self) -> str | None:
        """Reload the configuration; return the error in it, None if it is in use."""
        return self._lifecycle.reload()

    def _apply(self, config: Config) -> None:
        settings = Settings(config, self._settings.now.files)
        alerting_settings = alerting_settings_of(config)
        self._settings.now = settings
        self._alerting.use(alerting_settings)
        self._follow_settings()

    def _follow_settings(self) -> None:
        self._registry.apply_settings()
        self._committer.notify()
        self._refresher.request()
        self._recorder.request()


def _log_fault(alerting: asyncio.Task[None]) -> None:
    """Log an error of the rule engine; events are still counted without it."""
    if not alerting.cancelled() and alerting.exception() is not None:
        log.error("rules are not evaluated any more", exc_info=alerting.exception())
