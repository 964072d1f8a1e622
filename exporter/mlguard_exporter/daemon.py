"""The running exporter: its listener, its tasks, its end."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from time import time
from typing import TYPE_CHECKING, TypeVar

import mlguard
from mlguard_common.config import ConfigError, with_fixed
from mlguard_common.database import open_database, own
from mlguard_common.log import set_up
from mlguard_common.samples import Families, Metric, exposition
from mlguard_common.web import HttpServer, routes, split_listen
from mlguard_exporter.figures import METRICS as SPEND_METRICS
from mlguard_exporter.figures import SpendCollector
from mlguard_exporter.reading import Reader
from mlguard_exporter.relay import Credentials, relay_routes
from mlguard_exporter.store import MIGRATIONS, database_path
from mlguard_rules.service import METRICS as ALERTING_METRICS
from mlguard_rules.service import AlertApi, Alerting, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from mlguard_exporter.config import Config

BUILD_INFO = Metric(
    "mlguard_build_info", "gauge", "The running version; always 1.", ("version", "component")
)
RELOADS = Metric(
    "mlguard_exporter_config_reloads_total",
    "counter",
    "Reloads of the configuration.",
    ("outcome",),
)
METRICS = (*SPEND_METRICS, *ALERTING_METRICS, RELOADS, BUILD_INFO)
"""Every metric of the exporter, in the order of exposition."""

_FIXED = ("listen", "data_dir")
"""Keys that change only with a restart."""

_INDEX = """ML Guard exporter

/metrics               figures for Prometheus
/healthz               the process runs
/readyz                alerts are taken
/api/v1/alerts         alerts that are pending or fire
/api/v1/silences       alerts that nobody is told of
/api/v1/alertmanager   POST: Alertmanager's webhook
/api/v2/alerts         POST: alerts, as to an Alertmanager
"""

T = TypeVar("T")

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

    index = _INDEX

    def __init__(
        self,
        config: Config,
        read_config: Callable[[], Config],
        clock: Callable[[], float] = time,
    ) -> None:
        self._config = config
        self._read_config = read_config
        self._reloads = {"success": 0, "failure": 0}
        settings, self._credentials = _read(config)
        path = database_path(config)
        self._lock = own(path)
        self._db = open_database(path, *MIGRATIONS, shared=True)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._alerting = Alerting(settings, self._db, self._transact, self._figures, clock)
        self._spend = SpendCollector(config.cost, self._transact, clock)
        self._reader = Reader(config.cost, self._transact, clock, self._spend.refresh)
        self._http = HttpServer(
            [
                *routes(self),
                *AlertApi(self._alerting, clock).routes(),
                *relay_routes(self._alerting, lambda: self._credentials, clock),
            ]
        )
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> bool:
        """Serve until told to stop.

        Returns:
            Whether it was told to; False where a fault ended it.

        Raises:
            BindError: the address cannot be listened on.
        """
        host, port = split_listen(self._config.listen)
        try:
            port = await self._http.listen_tcp(host, port)
            log.info("alerts and figures on http://%s:%d", host, port)
            alerting = asyncio.create_task(self._alerting.run())
            reading = asyncio.create_task(self._reader.run())
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([alerting, reading, stopped], return_when=asyncio.FIRST_COMPLETED)
            self._stopping = True
            await self._http.close()  # first, so that nothing is taken that would not be kept
            for task in (stopped, reading, alerting):
                task.cancel()
            ends = await asyncio.gather(alerting, reading, return_exceptions=True)
            faults = [end for end in ends if isinstance(end, Exception)]
            for fault in faults:
                log.error("a task has ended", exc_info=fault)
            log.info("stopped")
            return not faults
        finally:
            await self._http.close()
            self._thread.shutdown()
            self._db.conn.close()
            self._lock.close()

    async def _transact(self, job: Callable[[Database], T]) -> T:
        def atomic() -> T:
            with self._db.atomic():
                return job(self._db)

        return await asyncio.get_running_loop().run_in_executor(self._thread, atomic)

    def _figures(self) -> Families:
        families = Families()
        self._alerting.collect(families)
        self.collect(families)
        return families

    def collect(self, families: Families) -> None:
        """Add the figures of spend, and the exporter's of itself."""
        self._spend.collect(families)
        for outcome, n in self._reloads.items():
            families.add(RELOADS, (outcome,), n)
        families.add(BUILD_INFO, (mlguard.__version__, "exporter"), 1)

    def exposition(self) -> bytes:
        """The figures."""
        return exposition((self._alerting, self), METRICS)

    def not_ready(self) -> str | None:
        """Why the exporter is not ready, None where it is."""
        return "stopping" if self._stopping else None

    def reload(self) -> str | None:
        """Use the changed configuration; what is wrong with it, None where it is in use."""
        try:
            config, kept = with_fixed(self._read_config(), self._config, _FIXED)
            settings, credentials = _read(config)
        except ConfigError as error:
            self._reloads["failure"] += 1
            log.error("configuration not changed: %s", error)  # noqa: TRY400
            return str(error)
        if kept:
            log.warning("changed only after a restart: %s", ", ".join(kept))
        set_up(config.log)
        self._config, self._credentials = config, credentials
        self._alerting.use(settings)
        self._spend.use(config.cost)
        self._reader.use(config.cost)
        self._reloads["success"] += 1
        log.info("configuration reloaded")
        return None


def _read(config: Config) -> tuple[Settings, Credentials]:
    token, password = config.relay.secrets()
    settings = Settings.configured(config.rules, config.notify, ("cost",))
    return settings, Credentials(token, config.relay.username, password)
