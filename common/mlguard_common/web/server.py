"""HTTP server on TCP and Unix sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from mlguard_common.errors import MLGuardError
from mlguard_common.web.access import EXEMPT_PATHS, Access, access_middleware

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Awaitable, Callable, Iterable

    from aiohttp.typedefs import Handler, Middleware

_MAX_BODY_BYTES = 8 << 20


class BindError(MLGuardError):
    """Address that cannot be listened on; the text says which and why."""


def split_listen(listen: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`; an IPv6 address is in brackets.

    Raises:
        ValueError: the text does not have this form.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"listen: found {listen!r}, expected HOST:PORT")
    return host.strip("[]"), int(port)


def _refuse_large(taking_events: frozenset[str]) -> Middleware:
    """Return a middleware that rejects a body that is compressed or too large, read or not.

    Args:
        taking_events: paths whose handlers read bodies as they come, and check them.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in taking_events:
            return await handler(request)
        if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise web.HTTPUnsupportedMediaType(text="expected a body that is not compressed\n")
        if (request.content_length or 0) > _MAX_BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(_MAX_BODY_BYTES, request.content_length or 0)
        return await handler(request)

    return check


@web.middleware
async def _forget_refused(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Return a copy of a response that was raised as an exception.

    The exception refers to the frames that it passed through, and so to the body of the request.
    aiohttp makes it part of a reference cycle, which only the next full collection would free.
    Below /api, its text becomes JSON.
    """
    try:
        return await handler(request)
    except web.HTTPException as error:
        status, text, headers = error.status, error.text or "", error.headers.copy()
    if request.path.startswith("/api/"):
        headers["Content-Type"] = "application/json"
        text = json.dumps({"error": text.strip()})
    return web.Response(status=status, body=text.encode(), headers=headers)


class HttpServer:
    """HTTP server; request bodies are at most 8 MiB and not compressed, but for paths of events.

    Args:
        routes: paths and their handlers.
        access: returns the rules of access; called for each request.
        exempt: paths that check their requests themselves, besides `EXEMPT_PATHS`.
        taking_events: paths that take events: their handlers read bodies as they come.
    """

    def __init__(
        self,
        routes: Iterable[web.RouteDef],
        access: Callable[[], Access] = Access,
        exempt: Iterable[str] = (),
        taking_events: Iterable[str] = (),
    ) -> None:
        taking = frozenset(taking_events)
        checked = access_middleware(access, exempt=EXEMPT_PATHS.union(exempt), taking_events=taking)
        middlewares = [_forget_refused, checked, _refuse_large(taking)]
        app = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=middlewares)
        app.add_routes(routes)
        # the rest of a refused body is read and dropped; it must not be decompressed
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=2.0, auto_decompress=False
        )

    async def listen_tcp(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen on an address, and return the port, which the system chooses if 0 is given.

        Args:
            host: name or IP address.
            port: port.
            tls: with the certificate; None for HTTP without TLS.

        Raises:
            BindError: the address cannot be listened on.
        """
        if self._runner.server is None:
            await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, host, port, reuse_address=True, ssl_context=tls)
            await site.start()
        except OSError as error:
            what = error.strerror or str(error)
            raise BindError(
                f"{host}:{port} cannot be listened on: {what}; name another with --listen"
            ) from error
        bound: int = self._runner.addresses[-1][1]
        return bound

    async def listen_unix(self, bound: socket.socket) -> Callable[[], Awaitable[None]]:
        """Listen on a bound Unix socket, and return a function that stops it."""
        if self._runner.server is None:
            await self._runner.setup()
        site = web.SockSite(self._runner, bound)
        await site.start()
        return site.stop

    async def close(self) -> None:
        """Finish running requests and stop."""
        await self._runner.cleanup()
