"""The running injector: the webhook over TLS, and its metrics."""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter, time
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import Counter, Gauge, Histogram

from mlguard import __version__
from mlguard_common.daemon import Lifecycle
from mlguard_common.web import HttpServer, routes, split_listen
from mlguard_injector.certificates import CertificateError, Certificates
from mlguard_injector.kubernetes import ApiError, KubernetesApi
from mlguard_injector.review import ReviewError, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_injector.config import Config

WEBHOOK_PATH = "/mutate"
_NATIVE_MINOR = 29
"""Minor version of Kubernetes from which sidecars may be native."""

_CERTIFICATE_SECONDS = 60.0
_VERSION_SECONDS = 600.0
_START_SECONDS = 2.0
_IMMUTABLE = ("listen", "metrics_listen", "certificate")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

log = logging.getLogger(__name__)


class Daemon:
    """Injector on the running event loop.

    Args:
        config: the configuration.
        read_config: reads the configuration again, for a reload.
        api: the API of the cluster.
        clock: epoch seconds.
    """

    def __init__(
        self,
        config: Config,
        read_config: Callable[[], Config],
        api: KubernetesApi | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        self._lifecycle = Lifecycle(
            "injector", __version__, config, read_config, lambda _: None, _IMMUTABLE
        )
        self._api = api or KubernetesApi()
        self._certificates = Certificates(config.certificate, self._api, clock)
        self._has_native: bool | None = None
        self._admissions = Counter(
            "mlguard_injector_admissions_total",
            "Pods that the webhook was asked about, by outcome: injected, unchanged, refused (the"
            " pod is admitted without a sidecar, for the reason) or failed (an error of ours).",
            ("outcome", "reason"),
            registry=None,
        )
        for outcome in ("injected", "unchanged", "refused", "failed"):
            self._admissions.labels(outcome, "")
        self._bad_requests = Counter(
            "mlguard_injector_bad_requests_total",
            "Requests to the webhook that are no AdmissionReview.",
            registry=None,
        )
        self._seconds = Histogram(
            "mlguard_injector_admission_seconds",
            "Seconds from the body of a review to its answer.",
            buckets=_BUCKETS,
            registry=None,
        )
        expires = Gauge(
            "mlguard_injector_certificate_expires_timestamp_seconds",
            "Epoch seconds at which the certificate in use expires; 0 without one.",
            registry=None,
        )
        expires.set_function(lambda: self._certificates.expires)
        self.collectors = (
            self._admissions,
            self._bad_requests,
            self._seconds,
            expires,
            self._lifecycle,
        )
        self._webhook = HttpServer([web.post(WEBHOOK_PATH, self._mutate)], exempt=[WEBHOOK_PATH])
        self._metrics = HttpServer(routes(self), lambda: self._lifecycle.access)

    async def run(self, stop: asyncio.Event) -> bool:
        """Serve until `stop` is set.

        Raises:
            BindError: an address cannot be listened on.
        """
        config = self._lifecycle.config
        async with self._api:
            try:
                await self._metrics.listen_tcp(*split_listen(config.metrics_listen))
                if not await self._prepare(stop):
                    return True
                host, port = split_listen(config.listen)
                await self._webhook.listen_tcp(host, port, self._certificates.context)
                log.info("the webhook is on https://%s:%d%s", host, port, WEBHOOK_PATH)
                tasks = [
                    asyncio.create_task(self._certificates.run(_CERTIFICATE_SECONDS)),
                    asyncio.create_task(self._watch_version()),
                ]
                await stop.wait()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            finally:
                self._lifecycle.draining = True
                await self._webhook.close()
                await self._metrics.close()
        log.info("stopped")
        return True

    async def _prepare(self, stop: asyncio.Event) -> bool:
        """Wait for a certificate; return whether there is one before the daemon is stopped."""
        await self._read_version()
        while not stop.is_set():
            try:
                await self._certificates.refresh()
            except CertificateError as error:
                log.warning("waiting for a certificate: %s", error)
            else:
                return True
            try:
                async with asyncio.timeout(_START_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue
        return False

    async def _watch_version(self) -> None:
        while True:
            # soon while it is not known: a Job with a plain container never finishes
            is_known = (
                self._has_native is not None or self._lifecycle.config.sidecar.native != "auto"
            )
            await asyncio.sleep(_VERSION_SECONDS if is_known else _START_SECONDS)
            await self._read_version()

    async def _read_version(self) -> None:
        """Read the version of the cluster; without one, sidecars are plain containers."""
        if self._lifecycle.config.sidecar.native != "auto":
            return
        try:
            self._has_native = await self._api.minor_version() >= _NATIVE_MINOR
        except ApiError as error:
            log.warning("the version of the cluster is not known: %s", error)

    @property
    def _native(self) -> bool:
        wanted = self._lifecycle.config.sidecar.native
        return self._has_native is True if wanted == "auto" else wanted == "always"

    async def _mutate(self, request: web.Request) -> web.Response:
        body = await request.read()
        begin = perf_counter()
        try:
            found = answer(body, self._lifecycle.config.sidecar, native=self._native)
        except ReviewError as error:
            self._bad_requests.inc()
            return web.Response(status=400, text=f"{error}\n")
        self._seconds.observe(perf_counter() - begin)
        self._admissions.labels(found.outcome, found.reason).inc()
        return web.Response(body=found.body, content_type="application/json")

    def not_ready(self) -> str | None:
        """Return why the injector is not ready, None if it is."""
        if self._lifecycle.draining:
            return "stopping"
        return None if self._certificates.expires else "waiting for a certificate"

    def reload(self) -> str | None:
        """Reload configuration and certificate; return the error in the first, None without one."""
        self._certificates.request()
        return self._lifecycle.reload()
