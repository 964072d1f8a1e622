"""Sending over HTTP."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from mlguard_sidecar.sending.lines import CELL, Digests, SendError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlguard_sidecar.sending.lines import LineStream, NumberedLine
    from mlguard_sidecar.sending.patience import Patience
    from mlguard_sidecar.sending.summary import Summary

MAX_BODY_BYTES = 4 << 20
_PATH = "/api/v1/events"
_SECONDS = 60.0
_AGAIN = frozenset({408, 429, 502, 503, 504})
_KNOWN = 409
_UNKNOWN = 400
_NOT_LISTED = "beyond the first 100 of a request, whose reasons are not listed"


class _Answer(NamedTuple):
    status: int
    body: dict[str, Any]


class HttpTransport:
    """Sends lines with an `Idempotency-Key` that is the digest of all lines up to their end.

    Args:
        url: address of the sidecar.
        api_key: sent as X-API-Key; None for none.
        patience: how long to wait for the sidecar.
        summary: what became of the events is added to it.

    Raises:
        SendError: the address is none.
    """

    def __init__(self, url: str, api_key: str | None, patience: Patience, summary: Summary) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise SendError(f"--url: {url}: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SendError(f"--url: found {url}, expected such as http://127.0.0.1:9520")
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        self._connection = kinds[parts.scheme](parts.hostname, port, timeout=_SECONDS)
        self._path = parts.path.rstrip("/").removesuffix(_PATH) + _PATH
        self._url = url
        self._headers = {"X-API-Key": api_key} if api_key else {}
        self._patience = patience
        self._summary = summary

    def resume(self, stream: LineStream) -> int:
        """Return how many lines of a stream the sidecar has.

        Raises:
            SendError: the sidecar cannot be reached, or refuses.
        """
        if not stream.is_repeatable:
            return 0
        digests = Digests(stream)

        def has(position: int) -> bool:
            digest = digests.at(position)
            return digest is not None and self._is_known(digest)

        return last_known(has)

    def send(self, lines: Sequence[NumberedLine]) -> None:
        """Send lines, and wait until they are stored.

        Raises:
            SendError: the sidecar cannot be reached, or refuses.
        """
        while lines:
            n = step(lines[0].position - 1, [len(line.raw) + 1 for line in lines[:CELL]])
            part, lines = lines[:n], lines[n:]
            body = b"\n".join(line.raw for line in part) + b"\n"
            self._add(self._post(body, part[-1].digest), len(part))

    def finish(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _add(self, answer: _Answer, lines: int) -> None:
        if answer.status == _KNOWN:  # another command is sending the same
            self._summary.sent_before += lines
            return
        if answer.status not in (200, 422):
            raise SendError(f"{self._url}: HTTP {answer.status}: {_error(answer)}")
        found = answer.body
        self._summary.sent += found["accepted"] + found["rejected_count"]
        for each in found["rejected"]:
            self._summary.refuse(each["reason"], each["message"])
        hidden = found["rejected_count"] - len(found["rejected"])
        if hidden:
            self._summary.refuse("others", _NOT_LISTED, hidden)
        for each in found["warnings"]:
            self._summary.warn(each["reason"], each["message"], each["values"])

    def _is_known(self, digest: bytes) -> bool:
        """Return whether a request with this key was counted.

        An empty body is refused, unless the key came with another one before.
        """
        answer = self._post(b"", digest)
        if answer.status in (_KNOWN, _UNKNOWN):
            return answer.status == _KNOWN
        raise SendError(f"{self._url}: HTTP {answer.status}: {_error(answer)}")

    def _post(self, body: bytes, digest: bytes) -> _Answer:
        while True:
            least = 0.0
            try:
                answer, least = self._request(body, digest)
                if answer.status not in _AGAIN:
                    break
                reason = f"HTTP {answer.status}: {_error(answer)}"
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                reason = str(error) or type(error).__name__
            if self._patience.is_over():
                text = f"the sidecar did not answer for {self._patience.seconds:g} s ({reason})"
                raise SendError(f"{self._url}: {text}; run the command again to go on")
            self._patience.pause(reason, least)
        self._patience.answered()
        if answer.status in (401, 403):
            text = f"{_error(answer)}; set MLGUARD_API_KEY"
            raise SendError(f"{self._url}: HTTP {answer.status}: {text}")
        return answer

    def _request(self, body: bytes, digest: bytes) -> tuple[_Answer, float]:
        """Return an answer, and after how many seconds it asks to try again."""
        headers = self._headers | {
            "Content-Type": "application/x-ndjson",
            "Idempotency-Key": f"send-{digest.hex()[:48]}",
        }
        self._connection.request("POST", self._path, body, headers)
        got = self._connection.getresponse()
        text = got.read()
        after = got.headers.get("Retry-After", "")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            if got.status < 400:
                raise SendError(f"{self._url}: what answers is not an ML Guard")
            found = {"error": text[:200].decode("utf-8", "replace").strip()}
        return _Answer(got.status, found), float(after) if after.isdigit() else 0.0


def step(position: int, sizes: Sequence[int]) -> int:
    """Return how many lines the next request takes.

    It is a power of two that divides the position, so that requests end at all positions that
    `last_known` asks for, wherever the file ended when it was sent before.

    Args:
        position: number of lines before them.
        sizes: bytes of the next lines, at most CELL of them.
    """
    n = CELL
    while n > 1 and (position % n or n > len(sizes) or sum(sizes[:n]) > MAX_BODY_BYTES):
        n //= 2
    return n


def last_known(has: Callable[[int], bool]) -> int:
    """Return the position up to which a file was sent.

    Args:
        has: whether a request ended at a position. All did that are this one with some of its last
            bits cleared, as far as they are multiples of CELL or below the last such.
    """
    bit = CELL
    while has(bit):
        bit *= 2
    position = 0
    while bit := bit // 2:
        if has(position + bit):
            position += bit
    return position


def _error(answer: _Answer) -> str:
    return str(answer.body.get("error", ""))
