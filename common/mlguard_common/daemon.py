"""Common to all daemons: start, reload, readiness and end."""

from __future__ import annotations

import asyncio
import logging
import signal
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from mlguard_common.config import ConfigError, keep_immutable
from mlguard_common.log import set_up
from mlguard_common.metrics import Families, MetricDefinition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from mlguard_common.log import LogConfig
    from mlguard_common.web import HttpConfig

log = logging.getLogger(__name__)

BUILD_INFO = MetricDefinition(
    "mlguard_build_info",
    "gauge",
    "Version and component of the running ML Guard process; always 1.",
    ("version", "component"),
)


class DaemonConfig(Protocol):
    """Sections that the configuration of every daemon has."""

    @property
    def http(self) -> HttpConfig:
        """Access over HTTP."""

    @property
    def log(self) -> LogConfig:
        """Level and format of the log."""


@lru_cache
def lifecycle_metrics(component: str) -> tuple[MetricDefinition, MetricDefinition]:
    """Return the metrics of every daemon: reloads and build."""
    reloads = MetricDefinition(
        f"mlguard_{component}_config_reloads_total",
        "counter",
        f"Reloads of the {component}'s configuration, by outcome.",
        ("outcome",),
    )
    return reloads, BUILD_INFO


C = TypeVar("C", bound=DaemonConfig)


class Lifecycle(Generic[C]):
    """The configuration of a daemon and its reloads; a collector of the metrics of both.

    Args:
        component: `sidecar` or `exporter`.
        version: of the distribution.
        config: the initial configuration.
        read_config: reads the configuration again.
        apply: applies a changed configuration; if it raises ConfigError, it has changed nothing.
        immutable: keys that change only with a restart.

    Raises:
        ConfigError: the file of a secret cannot be read.

    Attributes:
        config: the configuration in use.
        access: the rules of access over HTTP.
        draining: whether the daemon is stopping.
    """

    def __init__(
        self,
        component: str,
        version: str,
        config: C,
        read_config: Callable[[], C],
        apply: Callable[[C], None],
        immutable: Iterable[str],
    ) -> None:
        self.config = config
        self.access = config.http.access()
        self.draining = False
        self._component = component
        self._version = version
        self._read_config = read_config
        self._apply = apply
        self._immutable = tuple(immutable)
        self._reloads = {"success": 0, "failure": 0}

    def reload(self) -> str | None:
        """Reload the configuration; return the error in it, None if it is in use."""
        try:
            config, kept = keep_immutable(self._read_config(), self.config, self._immutable)
            access = config.http.access()
            self._apply(config)
        except ConfigError as error:
            self._reloads["failure"] += 1
            log.error("configuration not changed: %s", error)  # noqa: TRY400
            return str(error)
        if kept:
            log.warning("changed only after a restart: %s", ", ".join(kept))
        self.config, self.access = config, access
        set_up(config.log)
        self._reloads["success"] += 1
        log.info("configuration reloaded")
        return None

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of reloads and build."""
        metrics = lifecycle_metrics(self._component)
        families = Families(metrics)
        for outcome, n in self._reloads.items():
            families.add(metrics[0], (outcome,), n)
        families.add(BUILD_INFO, (self._version, self._component), 1)
        yield from families


class Daemon(Protocol):
    """Daemon that runs until it is stopped."""

    async def run(self, stop: asyncio.Event) -> bool:
        """Serve until `stop` is set; return whether everything was stored."""

    def reload(self) -> str | None:
        """Reload the configuration; return the error in it, None if it is in use."""


async def serve(make: Callable[[], Daemon]) -> bool:
    """Run a daemon until SIGTERM or SIGINT, and reload it on SIGHUP.

    Returns:
        Whether everything was stored at the end.
    """
    daemon, stop, loop = make(), asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload)
    return await daemon.run(stop)
