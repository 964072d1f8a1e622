"""Copies of JSON bodies, taken while they pass."""

import json
from collections.abc import Iterable
from typing import Any

from mlguard.deferred_log import describe_error


class UnreadError(Exception):
    """A body was not read.

    Attributes:
        reason: why, as it is counted.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class PassingBody:
    """Copy of one body, as far as it has passed; none of a body that is too large or not JSON.

    Args:
        limit: the largest size that is kept, in bytes.
        headers: names in lower case and values of at least the headers that describe the body.
    """

    __slots__ = ("_chunks", "_error", "_limit", "_size")

    def __init__(self, limit: int, headers: Iterable[tuple[str, str]]) -> None:
        self._limit = limit
        self._size = 0
        self._chunks: list[bytes] = []
        self._error = _unreadable(limit, dict(headers))

    def add(self, chunk: bytes) -> None:
        """Keep what has passed, up to the limit."""
        if self._error is not None:
            return
        try:
            self._size += len(chunk)
            if self._size <= self._limit:
                self._chunks.append(bytes(chunk))
            else:
                self.refuse("too_large", _too_large(f"over {self._limit:,}", self._limit))
        except Exception as error:  # noqa: BLE001 - the host's chunk may be of any type
            self.refuse("error", describe_error(error))

    def refuse(self, reason: str, text: str) -> None:
        """Keep nothing, for this reason."""
        self._error = self._error or UnreadError(reason, text)
        self._chunks.clear()

    def parse(self) -> Any:
        """Return the body's value.

        Raises:
            UnreadError: it was not kept, or it is not JSON.
        """
        if self._error is not None:
            raise self._error
        try:
            return json.loads(b"".join(self._chunks))
        except (ValueError, RecursionError) as error:
            text = f"{self._size:,} bytes have passed, which are not JSON: {describe_error(error)}"
            raise UnreadError("invalid_json", text) from None


def _unreadable(limit: int, headers: dict[str, str]) -> UnreadError | None:
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        return UnreadError("encoded", f"its Content-Encoding is {encoding:.100}, expected none")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and not kind.endswith(("/json", "+json")):
        return UnreadError("not_json", f"its Content-Type is {kind:.100}, expected JSON")
    length = headers.get("content-length", "").strip()
    if length.isdecimal() and len(length) < 20 and int(length) > limit:
        return UnreadError("too_large", _too_large(f"{int(length):,}", limit))
    return None


def _too_large(size: str, limit: int) -> str:
    return f"it has {size} bytes, and max_body_bytes is {limit:,}"
