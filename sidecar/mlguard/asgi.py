"""Middleware for ASGI applications, such as those of FastAPI and Starlette."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, TypeAlias

from mlguard.exchange import MAX_BODY_BYTES, Exchange, Routes
from mlguard.guard import Guard
from mlguard.json_paths import Paths

__all__ = ["MLGuardMiddleware", "Paths"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_SHUTDOWN_ENDED = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed"})
_ZERO_COPY = "http.response.zerocopysend"
_PATH_SEND = "http.response.pathsend"
_FROM_FILE = frozenset({_ZERO_COPY, _PATH_SEND})
"""Extensions of ASGI: the server reads a file, and the body does not pass."""


class MLGuardMiddleware:
    """ASGI application that calls another one and logs the inferences of its POST requests.

    Bodies are copied while they pass, and read once the response is sent. Requests that are not
    answered with 2xx, or not to the end, are not logged. Other requests and websockets pass
    untouched. At the end of the application's lifespan, what was logged is flushed.

    ::

        app.add_middleware(
            MLGuardMiddleware,
            guard=Guard(project="shop", model="churn_v1"),
            routes={"/predict": Paths(features="instances.*", y_pred="predictions.*")},
        )

    The latency is the time from the call of this application, when the server has received the
    request's headers, until the server has taken the last byte of the response.

    Args:
        app: the application.
        guard: what is logged to.
        routes: paths of URLs, without what the application is mounted under, to what is where in
            their bodies.
        max_body_bytes: larger bodies are not read, nor kept in memory.

    Raises:
        ValueError: a route is invalid.
        TypeError: likewise.
    """

    def __init__(
        self,
        app: Application,
        guard: Guard,
        routes: Mapping[str, Paths],
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self.app = app
        self._routes = Routes(guard, routes, max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application."""
        kind = scope["type"]
        if kind == "lifespan":
            await self.app(scope, receive, self._flush_at_shutdown(send))
            return
        exchange = self._begin(scope) if kind == "http" else None
        if exchange is None:
            await self.app(scope, receive, send)
            return
        copies = _Copies(exchange, receive, send)
        await self.app(scope, copies.receive, copies.send)

    def _begin(self, scope: Scope) -> Exchange | None:
        path: str = scope["path"]
        root = (scope.get("root_path") or "").rstrip("/")
        if root and path.startswith(f"{root}/"):  # some servers leave it out of the path
            path = path[len(root) :]
        return self._routes.begin(path, scope.get("method"), lambda: _texts(scope["headers"]))

    def _flush_at_shutdown(self, send: Send) -> Send:
        async def send_after_flush(message: Message) -> None:
            # Uvicorn ends itself by the signal that it has caught, so that no exit hook runs.
            if message["type"] in _SHUTDOWN_ENDED:
                await _flush(self._routes.guard)
            await send(message)

        return send_after_flush


class _Copies:
    """The channels of one request, which copy what passes."""

    def __init__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        self._exchange = exchange
        self._receive = receive
        self._send = send
        self._is_disconnected = False

    async def receive(self) -> Message:
        """Receive a message for the application."""
        message = await self._receive()
        body = self._exchange.request
        if message["type"] == "http.disconnect":
            self._is_disconnected = True
        elif body is not None and (chunk := message.get("body")):
            body.add(chunk)
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the application; after the last, log the inferences."""
        exchange = self._exchange
        kind = message["type"]
        if kind == "http.response.start":
            exchange.response_started(message["status"], lambda: _texts(message.get("headers", ())))
        elif kind == "http.response.body":
            if exchange.response is not None and (chunk := message.get("body")):
                exchange.response.add(chunk)
        elif kind in _FROM_FILE and exchange.response is not None:
            exchange.response.refuse("not_passed", "the server sends it from a file")
        was_disconnected = self._is_disconnected  # as it will be once the response is complete
        await self._send(message)
        is_body = kind in {"http.response.body", _ZERO_COPY}
        is_last = is_body and not message.get("more_body", False)
        if (is_last or kind == _PATH_SEND) and not was_disconnected:
            exchange.log(exchange.seconds())


async def _flush(guard: Guard) -> None:
    """Flush without keeping the event loop from its other tasks."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # one that is not asyncio's, such as Trio's
        guard.flush()
    else:
        await loop.run_in_executor(None, guard.flush)


def _texts(headers: Iterable[Iterable[bytes]]) -> Iterable[tuple[str, str]]:
    for name, value in headers:
        yield name.decode("latin-1").lower(), value.decode("latin-1")
