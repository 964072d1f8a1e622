"""An HTTP server on TCP and on Unix sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

_MAX_BODY_BYTES = 8 << 20


class BindError(Exception):
    """An address cannot be listened on; the text says which and why."""


def split_listen(listen: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; an IPv6 address stands in brackets.

    Raises:
        ValueError: it is not of that form.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"listen: found {listen!r}, expected HOST:PORT")
    return host.strip("[]"), int(port)


class HttpServer:
    """Answers on TCP and on Unix sockets.

    Args:
        routes: paths and their handlers.
    """

    def __init__(self, routes: Iterable[web.RouteDef]) -> None:
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.add_routes(routes)
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
