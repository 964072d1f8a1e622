"""Requests that wait for their responses, and responses for their requests."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MAX_WAITING_BYTES = 64 << 20
"""Size of all halves that wait."""

MAX_REMEMBERED = 65_536
"""Number of pairs that are remembered as long, so that neither half is taken again."""

Request = TypeVar("Request")
Response = TypeVar("Response")


class DuplicateError(ValueError):
    """A half that was added before."""


class _Half(NamedTuple):
    is_response: bool
    content: object
    size: int
    expires: float


@dataclass
class JoinBuffer(Generic[Request, Response]):
    """Joins the halves of pairs, which come in any order and more than once.

    What has waited the longest goes first, when its time is over or there is too much.

    Attributes:
        seconds: how long a half waits, and a pair is remembered.
        max_waiting: number of halves that wait.
        clock: monotonic seconds.
        expired_requests: number of requests that were dropped without a response.
        expired_responses: number of responses that were dropped without a request.
    """

    seconds: float
    max_waiting: int
    clock: Callable[[], float]
    expired_requests: int = 0
    expired_responses: int = 0
    _waiting: OrderedDict[Hashable, _Half] = field(default_factory=OrderedDict)
    _joined: OrderedDict[Hashable, float] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add_request(self, key: Hashable, request: Request, size: int) -> Response | None:
        """Add a request; return its response if it has come.

        Args:
            key: what both halves have in common.
            request: the request.
            size: its size in memory, in bytes.

        Raises:
            DuplicateError: it was added before.
        """
        return self._add(key, _Half(False, request, size, 0))  # type: ignore[return-value]

    def add_response(self, key: Hashable, response: Response, size: int) -> Request | None:
        """Add a response; return its request if it has come.

        Raises:
            DuplicateError: it was added before.
        """
        return self._add(key, _Half(True, response, size, 0))  # type: ignore[return-value]

    def _add(self, key: Hashable, half: _Half) -> object | None:
        self.expire()
        other = self._waiting.get(key)
        if key in self._joined or (other is not None and other.is_response == half.is_response):
            raise DuplicateError
        if other is not None:
            self._remove(key)
            self._joined[key] = self.clock() + self.seconds
            if len(self._joined) > MAX_REMEMBERED:
                self._joined.popitem(last=False)
            return other.content
        self._waiting[key] = half._replace(expires=self.clock() + self.seconds)
        self._bytes += half.size
        while len(self._waiting) > self.max_waiting or self._bytes > MAX_WAITING_BYTES:
            self._drop_oldest()
        return None

    def expire(self) -> None:
        """Drop the halves that have waited too long, and forget old pairs."""
        now = self.clock()
        while self._joined and next(iter(self._joined.values())) <= now:
            self._joined.popitem(last=False)
        while self._waiting and next(iter(self._waiting.values())).expires <= now:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        key, half = next(iter(self._waiting.items()))
        self._remove(key)
        if half.is_response:
            self.expired_responses += 1
        else:
            self.expired_requests += 1

    def _remove(self, key: Hashable) -> None:
        self._bytes -= self._waiting.pop(key).size
