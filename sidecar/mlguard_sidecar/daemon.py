"""The running sidecar: its listeners, its tasks, its end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import mlguard
from mlguard import paths
from mlguard_common.daemon import Lifecycle
from mlguard_common.web import HttpServer, routes, split_listen
from mlguard_rules.service import AlertApi, Alerting, Settings
from mlguard_sidecar.config import HTTP_SOCKET
from mlguard_sidecar.engine import Engine
from mlguard_sidecar.exposition import Models
from mlguard_sidecar.keeper import Keeper
from mlguard_sidecar.plans import Plans
from mlguard_sidecar.server import Connection, Hub, bind_socket, serve_socket
from mlguard_sidecar.store import Retention, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from mlguard_sidecar.config import Config
    from mlguard_sidecar.engine import Plan
    from mlguard_sidecar.exposition import Judging
    from mlguard_sidecar.wire import ModelKey

_DRAIN_SECONDS = 5.0
_LAST_READ_SECONDS = 0.2
_RETRY_SECONDS = 0.2
_IMMUTABLE = ("listen", "socket", "data_dir", "pane", "retention")
"""Keys that change only with a restart."""

log = logging.getLogger(__name__)


_BUNDLED = ("model", "sidecar")
"""Rule files that a sidecar can judge."""

_INDEX = """ML Guard sidecar

/metrics           figures for Prometheus
/healthz           the process runs
/readyz            events are taken and stored
/api/v1/alerts     alerts that are pending or fire
/api/v1/silences   alerts that nobody is told of
"""


class Daemon:
    """One sidecar, on the running event loop.

    Args:
        config: what to run with.
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
        self.index = _INDEX
        self._lifecycle = Lifecycle(
            "sidecar", mlguard.__version__, config, read_config, self._use, _IMMUTABLE
        )
        self._plans = Plans(config)
        self._engine = Engine(
            plan_of=self._plan_of,
            clock=clock,
            keep_seconds=config.retention.days.seconds,
            model_limit=lambda: self._lifecycle.config.limits.models,
        )
        keep = config.retention
        settings = _alert_settings(config)
        db = open_store(Path(config.data_dir or paths.data_dir()))
        self._keeper = Keeper(
            db,
            self._engine,
            plans=lambda: self._plans,
            pane_seconds=config.pane.seconds,
            retention=Retention(
                keep.minutes.seconds, keep.hours.seconds, keep.days.seconds, keep.max_bytes.bytes
            ),
            clock=clock,
            acknowledge=self._acknowledge,
            connected=lambda: list(self._hub.by_client),
        )
        self._own = self._keeper.own
        self._models = Models(lambda: self._engine.views, self._judging_of, clock)
        self._judged = Models(lambda: self._engine.views, self._judging_in_full, clock)
        self._alerting = Alerting(
            settings, db, self._keeper.transact, lambda _: self._figures(), clock
        )
        self.collectors = (self._models, self._own, self._alerting, self._lifecycle)
        self._http = HttpServer(
            [*routes(self), *AlertApi(self._alerting, clock).routes()],
            lambda: self._lifecycle.access,
        )
        self._hub = Hub(
            self._engine,
            self._own,
            lambda: self._lifecycle.config.limits.connections,
            self._keeper.wake.set,
        )
        self._judging: asyncio.Task[None] | None = None

    def _plan_of(self, key: ModelKey) -> Plan:
        return self._plans.plan_of(key)

    def _judging_of(self, key: ModelKey) -> Judging:
        return self._plans.judging_of(key)

    def _judging_in_full(self, key: ModelKey) -> Judging:
        """For the rules, which need the windows also where /metrics leaves them out."""
        return replace(self._plans.judging_of(key), fleet=False)

    def _figures(self) -> Iterator[Metric]:
        """What the rules read."""
        for collector in (self._judged, self._own, self._alerting):
            yield from collector.collect()

    def _acknowledge(self, sequences: Mapping[str, int]) -> None:
        self._hub.acknowledge(sequences)

    async def run(self, stop: asyncio.Event) -> bool:
        """Serve until told to stop, then take nothing new, commit, acknowledge and end.

        Returns:
            Whether everything that was taken is stored.

        Raises:
            BindError: an address cannot be listened on.
        """
        path = Path(self._lifecycle.config.socket.path or paths.socket_to_serve())
        mode = self._lifecycle.config.socket.mode.bits
        host, port = split_listen(self._lifecycle.config.listen)
        made: list[Path] = []
        try:
            await self._keeper.refresh()
            bound = bind_socket(path, mode)
            made.append(path)
            port = await self._http.listen_tcp(host, port)
            http_path = path.with_name(HTTP_SOCKET)
            http_bound = bind_socket(http_path, mode)
            made.append(http_path)
            await self._http.listen_unix(http_bound)
            server = await serve_socket(bound, lambda: Connection(self._hub))
            log.info("events on %s, figures on http://%s:%d/metrics", path, host, port)
            await self._serve(stop)
            return await self._drain(server)
        finally:
            for file in made:
                file.unlink(missing_ok=True)
            if self._judging is not None:  # last, as a message under way may take a while
                self._judging.cancel()
                await asyncio.gather(self._judging, return_exceptions=True)
            await self._http.close()
            self._keeper.close()

    async def _serve(self, stop: asyncio.Event) -> None:
        jobs = (
            self._keeper.commit_for_ever(),
            self._keeper.refresh_for_ever(),
            self._keeper.upkeep_for_ever(),
        )
        tasks = [asyncio.create_task(job) for job in jobs]
        self._judging = asyncio.create_task(self._alerting.run())
        self._judging.add_done_callback(_tell_of_a_fault)
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, self._judging):
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for task, result in zip(tasks, results, strict=True):
            if task in done and isinstance(result, Exception):
                raise result

    async def _drain(self, server: asyncio.Server) -> bool:
        self._lifecycle.draining = True
        log.info("stopping: committing what came in")
        server.close()
        # what clients had sent before is in the kernel's buffers: it is taken, nothing after it
        await asyncio.sleep(_LAST_READ_SECONDS)
        self._hub.stop_reading()
        stored = False
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not stored:
                    # twice, as a first commit may be that of an earlier failure
                    stored = await self._keeper.commit() and await self._keeper.commit()
                    await asyncio.sleep(0 if stored else _RETRY_SECONDS)
        except TimeoutError:
            log.error("stopped with events that the database refused")  # noqa: TRY400
        self._hub.close()
        await asyncio.sleep(0)
        log.info("stopped")
        return stored

    def not_ready(self) -> str | None:
        """Why the sidecar is not ready, None where it is."""
        if self._lifecycle.draining:
            return "stopping"
        if self._keeper.failing:
            return "the database refuses commits; what comes in waits in memory"
        return None

    def reload(self) -> str | None:
        """Use the changed configuration; what is wrong with it, None where it is in use."""
        return self._lifecycle.reload()

    def _use(self, config: Config) -> None:
        plans = Plans(config)
        settings = _alert_settings(config)
        self._plans = plans
        self._engine.replan()
        self._alerting.use(settings)
        self._keeper.wake.set()
        self._keeper.replanned.set()


def _tell_of_a_fault(judging: asyncio.Task[None]) -> None:
    """Events are counted also where nobody judges them any more."""
    if not judging.cancelled() and judging.exception() is not None:
        log.error("alerts are not judged any more", exc_info=judging.exception())


def _alert_settings(config: Config) -> Settings:
    return Settings.configured(config.rules, config.notify, _BUNDLED)
