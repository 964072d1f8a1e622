"""Requests that wait for their responses, and responses for their requests."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

MAX_WAITING_BYTES = 64 << 20
"""Size of all halves that wait."""

MAX_REMEMBERED = 65_536
"""Number of pairs that are remembered as long, so that neither half is taken again."""

_FREE_ENTRIES = 1000

Request = TypeVar("Request")
Response = TypeVar("Response")


class DuplicateError(ValueError):
    """A half that was added before."""


class _Half(NamedTuple):
    is_response: bool
    content: object
    size: int
    owner: Hashable
    expires: float = 0.0


@dataclass
class _Owner:
    """What waits of one owner: its keys, the oldest first, and its size in bytes."""

    keys: OrderedDict[Hashable, None] = field(default_factory=OrderedDict)
    size: int = 0


@dataclass
class _Owners:
    """Knows the owner of the largest size at any time.

    Each change puts an entry on a heap, in which all but the last one of an owner are outdated.
    """

    _owners: dict[Hashable, _Owner] = field(default_factory=dict)
    _heap: list[tuple[int, int, Hashable]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def add(self, key: Hashable, half: _Half) -> None:
        owner = self._owners.setdefault(half.owner, _Owner())
        owner.keys[key] = None
        self._resize(owner, half.owner, half.size)

    def remove(self, key: Hashable, half: _Half) -> None:
        owner = self._owners[half.owner]
        del owner.keys[key]
        if owner.keys:
            self._resize(owner, half.owner, -half.size)
        else:
            del self._owners[half.owner]

    def oldest_of_largest(self) -> Hashable:
        """Return the oldest key of the owner of the largest size."""
        while True:
            size, _, name = self._heap[0]
            owner = self._owners.get(name)
            if owner is not None and owner.size == -size:
                return next(iter(owner.keys))
            heappop(self._heap)

    def _resize(self, owner: _Owner, name: Hashable, change: int) -> None:
        owner.size += change
        heappush(self._heap, (-owner.size, next(self._numbers), name))
        if len(self._heap) > 2 * len(self._owners) + _FREE_ENTRIES:
            self._heap = [
                (-each.size, next(self._numbers), name) for name, each in self._owners.items()
            ]
            heapify(self._heap)


@dataclass
class JoinBuffer(Generic[Request, Response]):
    """Joins the halves of pairs, which come in any order and more than once.

    What has waited the longest goes first when its time is over. When there is too much, it is the
    oldest half of the owner whose halves are the largest, so that one costs the others nothing.

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
    _owners: _Owners = field(default_factory=_Owners)
    _bytes: int = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add_request(
        self, key: Hashable, request: Request, size: int, owner: Hashable = None
    ) -> Response | None:
        """Add a request; return its response if it has come.

        Args:
            key: what both halves have in common.
            request: the request.
            size: its size in memory, in bytes.
            owner: whose it is, with its response.

        Raises:
            DuplicateError: it was added before.
        """
        return self._add(key, _Half(False, request, size, owner))  # type: ignore[return-value]

    def add_response(
        self, key: Hashable, response: Response, size: int, owner: Hashable = None
    ) -> Request | None:
        """Add a response; return its request if it has come.

        Raises:
            DuplicateError: it was added before.
        """
        return self._add(key, _Half(True, response, size, owner))  # type: ignore[return-value]

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
        self._owners.add(key, half)
        self._bytes += half.size
        while len(self._waiting) > self.max_waiting or self._bytes > MAX_WAITING_BYTES:
            self._drop(self._owners.oldest_of_largest())
        return None

    def expire(self) -> None:
        """Drop the halves that have waited too long, and forget old pairs."""
        now = self.clock()
        while self._joined and next(iter(self._joined.values())) <= now:
            self._joined.popitem(last=False)
        while self._waiting and next(iter(self._waiting.values())).expires <= now:
            self._drop(next(iter(self._waiting)))

    def _drop(self, key: Hashable) -> None:
        if self._remove(key).is_response:
            self.expired_responses += 1
        else:
            self.expired_requests += 1

    def _remove(self, key: Hashable) -> _Half:
        half = self._waiting.pop(key)
        self._owners.remove(key, half)
        self._bytes -= half.size
        return half
