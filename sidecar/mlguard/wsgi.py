"""Middleware for WSGI applications, such as those of Flask and Django."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mlguard.exchange import MAX_BODY_BYTES, Exchange, Routes
from mlguard.json_paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from mlguard.guard import Guard
    from mlguard.http_bodies import PassingBody

__all__ = ["MLGuardMiddleware", "Paths"]


class MLGuardMiddleware:
    """WSGI application that calls another one and logs the inferences of its POST requests.

    Bodies are copied while they pass, and read once the response is sent. Requests that are not
    answered with 2xx, or not to the end, are not logged. Other requests pass untouched.

    ::

        app.wsgi_app = MLGuardMiddleware(
            app.wsgi_app,
            guard=Guard(project="shop", model="churn_v1"),
            routes={"/predict": Paths(features="instances.*", y_pred="predictions.*")},
        )

    The latency is the time from the call of this application, when the server has received the
    request's headers, until the server asks for more than the last byte of the response.

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
        app: WSGIApplication,
        guard: Guard,
        routes: Mapping[str, Paths],
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self.app = app
        self._routes = Routes(guard, routes, max_body_bytes)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the application."""
        exchange = self._routes.begin(
            _decoded(environ.get("PATH_INFO", "")),
            environ.get("REQUEST_METHOD"),
            lambda: _request_headers(environ),
        )
        if exchange is None:
            return self.app(environ, start_response)
        if exchange.request is not None:
            environ["wsgi.input"] = _CopiedInput(environ["wsgi.input"], exchange.request)

        def start(
            status: str, headers: list[tuple[str, str]], *exc_info: Any
        ) -> Callable[[bytes], object]:
            write = start_response(status, headers, *exc_info)
            exchange.response_started(
                int(status[:3]) if status[:3].isdecimal() else 0,
                lambda: ((name.lower(), value) for name, value in headers),
            )
            return _copied_write(write, exchange)

        response = self.app(environ, start)
        kind = _CopiedResponse if not hasattr(response, "__len__") else _CopiedSizedResponse
        return kind(response, exchange)


class _CopiedInput:
    """Body of a request, which is copied while it is read."""

    def __init__(self, stream: Any, body: PassingBody) -> None:
        self._stream = stream
        self._body = body

    def read(self, *size: int) -> bytes:
        """Read as the server's stream does."""
        return self._copy(self._stream.read(*size))

    def readline(self, *size: int) -> bytes:
        """Read one line, likewise."""
        return self._copy(self._stream.readline(*size))

    def readlines(self, *hint: int) -> list[bytes]:
        """Read lines, likewise."""
        return [self._copy(line) for line in self._stream.readlines(*hint)]

    def __iter__(self) -> Iterator[bytes]:
        return map(self._copy, self._stream)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)
        if name in {"readinto", "readinto1"}:
            return partial(self._copy_into, found)
        if name in {"read1", "readall"}:
            return lambda *size: self._copy(found(*size))
        return found

    def _copy_into(self, read_into: Callable[[Any], int | None], buffer: Any) -> int | None:
        size = read_into(buffer)
        if size:
            self._body.add(bytes(memoryview(buffer)[:size]))
        return size

    def _copy(self, chunk: bytes) -> bytes:
        self._body.add(chunk)
        return chunk


class _CopiedResponse:
    """Body of a response, which is copied while it is sent, and logged when it is closed."""

    def __init__(self, response: Iterable[bytes], exchange: Exchange) -> None:
        self._response = response
        self._iterator = iter(response)
        self._exchange = exchange
        self._seconds: float | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._iterator)
        except StopIteration:
            self._seconds = self._exchange.seconds()
            raise
        if self._exchange.response is not None:
            self._exchange.response.add(chunk)
        return chunk

    def close(self) -> None:
        """Close the application's response; log if all of it was sent."""
        try:
            if hasattr(self._response, "close"):
                self._response.close()
        finally:
            if self._seconds is not None:
                self._exchange.log(self._seconds)


class _CopiedSizedResponse(_CopiedResponse):
    """The same, of a known number of parts: of one part, a server knows the length."""

    _response: Any

    def __len__(self) -> int:
        return len(self._response)


def _copied_write(
    write: Callable[[bytes], object], exchange: Exchange
) -> Callable[[bytes], object]:
    def write_and_copy(chunk: bytes) -> object:
        if exchange.response is not None:
            exchange.response.add(chunk)
        return write(chunk)

    return write_and_copy


def _decoded(path: str) -> str:
    """Return a path of WSGI, whose characters are bytes, as text."""
    if path.isascii():
        return path
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _request_headers(environ: WSGIEnvironment) -> Iterator[tuple[str, str]]:
    for name, key in (
        ("content-type", "CONTENT_TYPE"),
        ("content-length", "CONTENT_LENGTH"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
    ):
        yield name, environ.get(key) or ""
