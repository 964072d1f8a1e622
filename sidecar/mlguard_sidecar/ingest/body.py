"""Reading of request bodies: streamed, unpacked, and bounded one by one and all together."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Self

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BODY_BYTES = 8 << 20
"""Largest body, unpacked."""

MAX_BYTES_IN_FLIGHT = 32 << 20
"""Bytes of all bodies that are being read or counted."""

_SMALL_BYTES = 1 << 16
_READ_SECONDS = 30.0
_IDLE_SECONDS = 10.0
_PIECE_BYTES = 1 << 16
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class RefusedError(Exception):
    """A request that is refused as a whole.

    Attributes:
        status: HTTP status.
        reason: reason under which it is counted.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class BodyReader:
    """Reads bodies, as long as all of them together stay within a limit.

    Args:
        limit: bytes of all bodies in flight.
    """

    def __init__(self, limit: int = MAX_BYTES_IN_FLIGHT) -> None:
        self._left = limit

    async def read(self, request: web.Request) -> Body:
        """Return the unpacked body of a request; its bytes are in flight until it is released.

        Raises:
            RefusedError: it is too large, cut off, too slow, or packed in another way than gzip; or
                too many bytes are in flight.
        """
        body = Body(self)
        try:
            async with asyncio.timeout(_READ_SECONDS):
                await self._fill(request, body)
        except TimeoutError:
            body.release()
            text = f"the body did not arrive within {_READ_SECONDS:.0f} s, or paused for too long"
            raise RefusedError(408, "too_slow", text) from None
        except BaseException:
            body.release()
            raise
        return body

    async def _fill(self, request: web.Request, body: Body) -> None:
        encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            text = f"Content-Encoding: found {encoding!r}, expected gzip or none"
            raise RefusedError(415, "bad_encoding", text)
        if (request.content_length or 0) > MAX_BODY_BYTES:
            raise _too_large()
        unpacker = Gunzip() if encoding == "gzip" else None
        while True:
            async with asyncio.timeout(_IDLE_SECONDS):
                try:
                    piece = await request.content.readany()
                except (web.RequestPayloadError, ConnectionError) as error:
                    raise RefusedError(400, "incomplete_body", "the body was cut off") from error
            if not piece:
                break
            if unpacker is None:
                body.add(piece)
                continue
            for unpacked in unpacker.feed(piece):
                body.add(unpacked)
                await asyncio.sleep(0)
        if unpacker is not None and not unpacker.is_complete:
            raise RefusedError(400, "incomplete_body", "the gzip data was cut off")

    def take(self, size: int, *, is_small: bool) -> None:
        """Count bytes as in flight.

        Args:
            size: number of bytes.
            is_small: whether the body is so small that it is taken all the same, so that few large
                ones hold up no other sender.

        Raises:
            RefusedError: there are too many.
        """
        if size > self._left and not is_small:
            text = f"over {MAX_BYTES_IN_FLIGHT >> 20} MiB of bodies are in flight; try again later"
            raise RefusedError(429, "too_many_bytes", text)
        self._left -= size

    def give_back(self, size: int) -> None:
        """Count bytes as no longer in flight."""
        self._left += size


class Body:
    """Body of one request, to be used as a context manager that releases its bytes.

    Args:
        reader: counts its bytes.
    """

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        """Add a part.

        Raises:
            RefusedError: the body becomes too large, or too many bytes are in flight.
        """
        if self._size + len(part) > MAX_BODY_BYTES:
            raise _too_large()
        self._reader.take(len(part), is_small=self._size + len(part) <= _SMALL_BYTES)
        self._size += len(part)
        self._parts.append(part)

    def __bytes__(self) -> bytes:
        return b"".join(self._parts)

    def release(self) -> None:
        """Count its bytes as no longer in flight."""
        self._reader.give_back(self._size)
        self._size = 0
        self._parts.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Gunzip:
    """Unpacks gzip data piece by piece; it may have several members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._has_begun = False

    @property
    def is_complete(self) -> bool:
        """Whether the data may end here."""
        return self._member.eof or not self._has_begun

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the unpacked data in pieces.

        Raises:
            RefusedError: it is not gzip.
        """
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_WINDOW)
            self._has_begun = True
            try:
                yield self._member.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                raise RefusedError(400, "bad_gzip", f"the body is no gzip data: {error}") from error
            data = self._member.unconsumed_tail or self._member.unused_data


def _too_large() -> RefusedError:
    text = f"the body is over {MAX_BODY_BYTES >> 20} MiB unpacked; send it in parts"
    return RefusedError(413, "too_large", text)
