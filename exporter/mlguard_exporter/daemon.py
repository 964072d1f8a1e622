"""The running exporter: its listener, its tasks, and how it stops."""

from __future__ import annotations

import asyncio
import logging
from time import time
from typing import TYPE_CHECKING

import mlguard
from mlguard_common.daemon import Lifecycle, lifecycle_metrics
from mlguard_common.database import DatabaseThread, acquire_lock, open_database
from mlguard_common.web import split_listen
from mlguard_exporter.exposition import METRICS as SPEND_METRICS
from mlguard_exporter.exposition import SpendCollector
from mlguard_exporter.polling import CostPoller
from mlguard_exporter.relay import Credentials
from mlguard_exporter.store import MIGRATIONS, database_path
from mlguard_exporter.web import http_server
from mlguard_rules.service import METRICS as ALERTING_METRICS
from mlguard_rules.service import Alerting, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric

    from mlguard_exporter.config import Config

METRICS = (*SPEND_METRICS, *ALERTING_METRICS, *lifecycle_metrics("exporter"))
"""Every metric of the exporter."""

_IMMUTABLE = ("listen", "data_dir")
"""Keys that change only with a restart."""

log = logging.getLogger(__name__)


class Daemon:
    """One exporter, on the running event loop.

    Args:
        config: what to run with.
        read_config: reads the configuration again, for a reload.
        clock: epoch seconds.

    Raises:
        ConfigError: a rule file or the file of a secret cannot be used.
        StoreError: the database cannot be used.
    """

    def __init__(
        self,
        config: Config,
        read_config: Callable[[], Config],
        clock: Callable[[], float] = time,
    ) -> None:
        self._lifecycle = Lifecycle(
            "exporter", mlguard.__version__, config, read_config, self._use, _IMMUTABLE
        )
        settings, self._credentials = _read(config)
        path = database_path(config)
        self._lock = acquire_lock(path)
        self._database = DatabaseThread(open_database(path, *MIGRATIONS, shared=True))
        transact = self._database.transact
        self._alerting = Alerting(
            settings, self._database.db, transact, lambda _: self._collect(), clock
        )
        self._spend = SpendCollector(config.cost, transact, clock)
        self._poller = CostPoller(config.cost, transact, clock, self._spend.refresh)
        self.collectors = (self._spend, self._alerting, self._lifecycle)
        self._http = http_server(
            self,
            self._lifecycle,
            self._alerting,
            self._spend,
            lambda: self._credentials,
            clock,
        )

    async def run(self, stop: asyncio.Event) -> bool:
        """Serve until `stop` is set.

        Returns:
            True after a stop; False where a fault ended a task.

        Raises:
            BindError: the address cannot be listened on.
        """
        host, port = split_listen(self._lifecycle.config.listen)
        try:
            port = await self._http.listen_tcp(host, port)
            log.info("alerts and figures on http://%s:%d", host, port)
            alerting = asyncio.create_task(self._alerting.run())
            polling = asyncio.create_task(self._poller.run())
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([alerting, polling, stopped], return_when=asyncio.FIRST_COMPLETED)
            self._lifecycle.draining = True
            await self._http.close()  # first, so that no alert is accepted that would not be stored
            for task in (stopped, polling, alerting):
                task.cancel()
            ends = await asyncio.gather(alerting, polling, return_exceptions=True)
            faults = [end for end in ends if isinstance(end, Exception)]
            for fault in faults:
                log.error("a task has ended", exc_info=fault)
            log.info("stopped")
            return not faults
        finally:
            await self._http.close()
            self._database.close()
            self._lock.close()

    def _collect(self) -> Iterator[Metric]:
        for collector in self.collectors:
            yield from collector.collect()

    def not_ready(self) -> str | None:
        """Return why the exporter is not ready, None where it is."""
        return "stopping" if self._lifecycle.draining else None

    def reload(self) -> str | None:
        """Use the changed configuration; return what is wrong with it, None where it is in use."""
        return self._lifecycle.reload()

    def _use(self, config: Config) -> None:
        settings, self._credentials = _read(config)
        self._alerting.use(settings)
        self._spend.use(config.cost)
        self._poller.use(config.cost)


def _read(config: Config) -> tuple[Settings, Credentials]:
    token, password = config.relay.secrets()
    settings = Settings.configured(config.rules, config.notify, ("cost",))
    return settings, Credentials(token, config.relay.username, password, config.http.access())
