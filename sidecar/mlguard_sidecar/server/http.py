"""HTTP: figures and health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from mlguard_sidecar.exposition import CONTENT_TYPE
from mlguard_sidecar.server.listen import BindError

if TYPE_CHECKING:
    import socket


class Host(Protocol):
    """What the handlers ask of the daemon."""

    def exposition(self) -> bytes:
        """The figures, in the text format."""

    def not_ready(self) -> str | None:
        """Why the sidecar is not ready, None where it is."""

    def reload(self) -> str | None:
        """Use the changed configuration; what is wrong with it, None where it is in use."""


class HttpServer:
    """Answers on TCP and on a Unix socket."""

    def __init__(self, host: Host) -> None:
        self._host = host
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.post("/-/reload", self._reload),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)

    async def listen_tcp(self, host: str, port: int) -> int:
        """Listen on an address; the port, which the system chooses where 0 was asked for.

        Raises:
            BindError: the address cannot be listened on.
        """
        if self._runner.server is None:
            await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, reuse_address=True).start()
        except OSError as error:
            what = error.strerror or str(error)
            raise BindError(
                f"{host}:{port} cannot be listened on: {what}; name another with --listen"
            ) from error
        bound: int = self._runner.addresses[-1][1]
        return bound

    async def listen_unix(self, bound: socket.socket) -> None:
        """Listen on a bound Unix socket."""
        if self._runner.server is None:
            await self._runner.setup()
        await web.SockSite(self._runner, bound).start()

    async def close(self) -> None:
        """Finish the running requests and stop."""
        await self._runner.cleanup()

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(
            text="ML Guard sidecar\n\n"
            "/metrics   figures for Prometheus\n"
            "/healthz   the process runs\n"
            "/readyz    events are taken and stored\n"
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE}
        return web.Response(body=self._host.exposition(), headers=headers)

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        reason = self._host.not_ready()
        if reason:
            return web.Response(status=503, text=f"{reason}\n")
        return web.Response(text="ready\n")

    async def _reload(self, _: web.Request) -> web.Response:
        error = self._host.reload()
        if error:
            return web.Response(status=400, text=f"{error}\n")
        return web.Response(text="reloaded\n")
