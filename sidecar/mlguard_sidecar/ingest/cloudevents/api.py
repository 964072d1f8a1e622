"""Events of payload loggers over HTTP: `POST /api/v1/cloudevents`."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from aiohttp import web

from mlguard_common.web import PROJECTS, Operation
from mlguard_sidecar.ingest.body import RefusedError
from mlguard_sidecar.ingest.cloudevents.envelope import HEADER_PREFIX
from mlguard_sidecar.ingest.cloudevents.receiver import Received

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_common.web import Access
    from mlguard_sidecar.ingest.body import BodyReader
    from mlguard_sidecar.ingest.cloudevents.receiver import CloudEventReceiver
    from mlguard_sidecar.telemetry import DropReason

PATH = "/api/v1/cloudevents"

MAX_QUEUED = 10_000
MAX_QUEUED_BYTES = 32 << 20
"""Limits of the bodies that are answered but not read."""

_QUEUE_SECONDS = 0.005
_SLICE_SECONDS = 0.001
_GATHER_SECONDS = 0.05
_CONGESTED_SECONDS = 0.05
_EXPIRE_SECONDS = 1.0
_BODY_REASONS: dict[str, DropReason] = {
    "too_large": "too_large",
    "too_many_bytes": "queue_full",
    "bad_encoding": "unsupported",
}


@dataclass
class CloudEventsApi:
    """Handler of `POST /api/v1/cloudevents`, which answers 200 at once, whatever comes.

    An agent that is answered otherwise logs an error and does not send again; one that is answered
    late keeps its events in memory. So a body is queued and answered, and read later, in slices of
    the event loop.

    Attributes:
        receiver: reads and counts the events.
        access: returns the rules of access.
        bodies: reads bodies.
        is_congested: returns whether nothing should be counted before the next commit.
    """

    receiver: CloudEventReceiver
    access: Callable[[], Access]
    bodies: BodyReader
    is_congested: Callable[[], bool]
    _queue: deque[Received] = field(default_factory=deque)
    _queued_bytes: int = 0
    _work_handle: asyncio.Handle | None = None
    _count_handle: asyncio.Handle | None = None
    _expire_handle: asyncio.Handle | None = None
    _is_draining: bool = False

    def operations(self) -> list[Operation]:
        """Return the operations."""
        return [
            Operation(
                "POST",
                PATH,
                self._post,
                "Take an event of a payload logger; it is answered at once, whatever it is.",
                body=dict[str, Any],
                body_types=(
                    "application/json",
                    "application/cloudevents+json",
                    "application/cloudevents-batch+json",
                ),
                always_answers=True,
            )
        ]

    def flush(self) -> None:
        """Read and count what is queued, and from now on each event before its answer.

        The process stops: what is answered must be in one of its last commits.
        """
        self._is_draining = True
        while self._queue:
            received = self._queue.popleft()
            for part in self.receiver.split(received):
                self.receiver.take(part)
        self._queued_bytes = 0
        self.receiver.count()

    @property
    def pending(self) -> int:
        """Number of events that are answered, and neither counted nor dropped."""
        return len(self._queue) + self.receiver.waiting

    async def _post(self, request: web.Request) -> web.Response:
        try:
            self.access().check(request, takes_events=True)
        except web.HTTPException:
            self.receiver.drop("unauthorized")
            return web.Response()
        try:
            with await self.bodies.read(request) as body:
                data = bytes(body)
        except RefusedError as error:
            self.receiver.drop(_BODY_REASONS.get(error.reason, "unparsable"), str(error))
            # what is left of the body is not read
            return web.Response(headers={"Connection": "close"})
        if len(self._queue) >= MAX_QUEUED or self._queued_bytes + len(data) > MAX_QUEUED_BYTES:
            self.receiver.drop("queue_full")
            return web.Response()
        headers = {
            lower: value
            for name, value in request.headers.items()
            if (lower := name.lower()).startswith(HEADER_PREFIX)
        }
        self._queue.append(
            Received(request.content_type.lower(), headers, data, request.get(PROJECTS))
        )
        self._queued_bytes += len(data)
        if self._is_draining:
            self.flush()
        elif self._work_handle is None:
            loop = asyncio.get_running_loop()
            self._work_handle = loop.call_later(_QUEUE_SECONDS, self._work)
        return web.Response()

    def _work(self) -> None:
        """Read what is queued for a slice of time."""
        loop = asyncio.get_running_loop()
        self._work_handle = None
        if self.is_congested():
            self._work_handle = loop.call_later(_CONGESTED_SECONDS, self._work)
            return
        end = perf_counter() + _SLICE_SECONDS
        while self._queue:
            received = self._queue.popleft()
            self._queued_bytes -= len(received.body)
            parts = self.receiver.split(received)
            for later in parts[:0:-1]:
                self._queue.appendleft(later)
                self._queued_bytes += len(later.body)
            if parts:
                self.receiver.take(parts[0])
            if perf_counter() > end:
                break
        if self._queue:
            self._work_handle = loop.call_soon(self._work)
        if self.receiver.has_inferences and self._count_handle is None:
            self._count_handle = loop.call_later(_GATHER_SECONDS, self._count)
        if self.receiver.waiting and self._expire_handle is None:
            self._expire_handle = loop.call_later(_EXPIRE_SECONDS, self._expire)

    def _count(self) -> None:
        self._count_handle = None
        self.receiver.count()

    def _expire(self) -> None:
        self._expire_handle = None
        self.receiver.drop_expired()
        if self.receiver.waiting:
            loop = asyncio.get_running_loop()
            self._expire_handle = loop.call_later(_EXPIRE_SECONDS, self._expire)
