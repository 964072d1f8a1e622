"""Events over HTTP: `POST /api/v1/events`."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import msgspec
from aiohttp import web

from mlguard_common.web import PROJECTS, Operation
from mlguard_sidecar.ingest.answers import EventsAnswer, Summary
from mlguard_sidecar.ingest.body import BodyReader, RefusedError
from mlguard_sidecar.ingest.documents import (
    JSON_TYPE,
    LINE_TYPES,
    DocumentError,
    TooManyLinesError,
    documents,
)
from mlguard_sidecar.ingest.receipt import CommitFaultError
from mlguard_sidecar.models import KeptAnswer
from mlguard_sidecar.wire import Line, Reason, RejectedError, is_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mlguard_sidecar.ingest.documents import Document
    from mlguard_sidecar.ingest.pipeline import Pipeline
    from mlguard_sidecar.ingest.receipt import Receipt
    from mlguard_sidecar.telemetry import Telemetry

PATH = "/api/v1/events"
SOURCE = "http"
MAX_KEY_LENGTH = 255
_Key = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY_LENGTH)]
_COMMIT_SECONDS = 20.0
_RETRY_SECONDS = 5


_NOT_STORED = (
    "the database refuses commits; the events wait in memory, and are stored once it takes them."
    " Only with an Idempotency-Key a retry counts them once"
)

_Running = dict[str, tuple[bytes, asyncio.Task[tuple[KeptAnswer, bool]]]]
"""Idempotency-Key -> digest of the body, and what answers it."""


@dataclass
class EventsApi:
    """Handler of `POST /api/v1/events`.

    Attributes:
        pipeline: counts the events.
        kept_answer: returns the answer that is kept for an `Idempotency-Key`.
        telemetry: counts refused requests.
        not_ready: returns why no events can be stored now, None if they can.
        bodies: reads bodies.
    """

    pipeline: Pipeline
    kept_answer: Callable[[str], Awaitable[KeptAnswer | None]]
    telemetry: Telemetry
    not_ready: Callable[[], str | None]
    bodies: BodyReader
    _running: _Running = field(default_factory=dict)

    def operations(self) -> list[Operation]:
        """Return the operations."""
        return [
            Operation(
                "POST",
                PATH,
                self._post,
                "Count events: one, an array, lines, or a batch.",
                answer=EventsAnswer,
                body=Line | list[Line],
                body_types=(JSON_TYPE, *sorted(LINE_TYPES)),
                headers={"Idempotency-Key": _Key},
                errors=(400, 408, 409, 429, 500, 503),
                others={422: EventsAnswer},
            )
        ]

    async def _post(self, request: web.Request) -> web.Response:
        try:
            return await self._take(request)
        except RefusedError as error:
            self.telemetry.count_refused(SOURCE, error.reason)
            headers = {}
            if error.status in (429, 503):
                headers["Retry-After"] = str(_RETRY_SECONDS)
            if error.status in (408, 413):
                headers["Connection"] = "close"  # what is left of the body is not read
            answer = msgspec.json.encode({"error": str(error)})
            return web.Response(
                body=answer, status=error.status, headers=headers, content_type=JSON_TYPE
            )

    async def _take(self, request: web.Request) -> web.Response:
        reason = self.not_ready()
        if reason:
            raise RefusedError(503, "not_ready", reason)
        content_type, key = _content_type(request), _idempotency_key(request)
        projects: frozenset[str] | None = request.get(PROJECTS)
        with await self.bodies.read(request) as body:
            data = bytes(body)
            try:
                if key is None:
                    return await self._count(data, content_type, projects)
                return await self._count_once(data, content_type, projects, key)
            except DocumentError as error:
                raise RefusedError(400, "bad_body", str(error)) from error
            except TooManyLinesError as error:
                raise RefusedError(413, "too_large", str(error)) from error

    # with an Idempotency-Key

    async def _count_once(
        self, data: bytes, content_type: str, projects: frozenset[str] | None, key: str
    ) -> web.Response:
        digest = hashlib.sha256(content_type.encode() + b"\0" + data).digest()
        if projects is not None:  # senders of other projects have keys of their own
            key = "\x1f".join([*sorted(projects), key])
        known, task = self._running.get(key, (digest, None))
        _check_same(known, digest)
        is_first = task is None
        if task is None:
            # it goes on until the commit, so that a retry meanwhile is known as one
            job = self._answer_once(data, content_type, projects, key, digest)
            task = asyncio.create_task(job)
            self._running[key] = (digest, task)
            task.add_done_callback(lambda done: self._forget_running(key, done))
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                kept, is_repeated = await asyncio.shield(task)
        except TimeoutError as error:
            raise RefusedError(503, "not_stored", _NOT_STORED) from error
        headers = {"Idempotency-Replayed": "true"} if is_repeated or not is_first else {}
        return web.Response(
            body=kept.body, status=kept.status, headers=headers, content_type=JSON_TYPE
        )

    def _forget_running(self, key: str, task: asyncio.Task[tuple[KeptAnswer, bool]]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # whoever waits has it

    async def _answer_once(
        self,
        data: bytes,
        content_type: str,
        projects: frozenset[str] | None,
        key: str,
        digest: bytes,
    ) -> tuple[KeptAnswer, bool]:
        """Return the answer, and whether it was kept from a former request."""
        try:
            kept = await self.kept_answer(key)
        except sqlite3.Error as error:
            raise RefusedError(503, "not_ready", f"the database cannot be read: {error}") from error
        if kept is not None:
            _check_same(kept.digest, digest)
            return kept, True
        parts = []
        for part in documents(data, content_type):
            parts.append(part)
            await asyncio.sleep(0)
        # from here to the answer nothing is awaited: all is in one delta, and so committed as one
        summary, receipts = Summary(), []
        for part in parts:
            receipts += self._submit(part, projects, summary)
        models = frozenset().union(*(receipt.models for receipt in receipts))
        answer = KeptAnswer(key, digest, summary.status, summary.body(), models)
        self.pipeline.keep_answer(answer)
        for receipt in receipts:
            await _stored(receipt)
        return answer, False

    # without

    async def _count(
        self, data: bytes, content_type: str, projects: frozenset[str] | None
    ) -> web.Response:
        summary = Summary()
        receipts: list[Receipt] = []
        for part in documents(data, content_type):
            receipts += self._submit(part, projects, summary)
            if self.pipeline.is_congested:
                await self._committed(receipts)
                receipts.clear()
            await asyncio.sleep(0)
        await self._committed(receipts)
        return web.Response(body=summary.body(), status=summary.status, content_type=JSON_TYPE)

    def _submit(
        self, part: Document, projects: frozenset[str] | None, summary: Summary
    ) -> list[Receipt]:
        """Submit the lines of a part, and add them to the summary."""
        receipts = []
        events, indices, batches, rejected = _permitted(part, projects)
        for error in [*part.rejected, *rejected]:
            self.pipeline.reject(error, SOURCE)
            summary.reject(error, error.indices)
        if events:
            receipt = self.pipeline.submit_events(events, SOURCE)
            summary.add(receipt, indices)
            receipts.append(receipt)
        # outcomes last, as their predictions may be among the others
        for index, line in sorted(batches, key=lambda each: each[1].columns is None):
            is_batch = line.columns is not None
            submit = self.pipeline.submit_batch if is_batch else self.pipeline.submit_outcomes
            receipt = submit(line, SOURCE)
            rows = receipt.accepted + receipt.rejected_rows
            summary.add(receipt, range(index, index + rows))
            receipts.append(receipt)
        return receipts

    async def _committed(self, receipts: Sequence[Receipt]) -> None:
        """Wait until the events of all receipts are stored; the commit starts at once."""
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                for receipt in receipts:
                    await _stored(receipt)
        except TimeoutError as error:
            raise RefusedError(503, "not_stored", _NOT_STORED) from error


async def _stored(receipt: Receipt) -> None:
    try:
        await receipt.committed()
    except CommitFaultError as error:
        raise RefusedError(500, "internal", f"{error}; the sidecar's log says why") from error


def _permitted(
    part: Document, projects: frozenset[str] | None
) -> tuple[Sequence[Line], Sequence[int], Sequence[tuple[int, Line]], list[RejectedError]]:
    """Return events with their indices, and batches, of the projects of a key; and the others."""
    if projects is None:
        return part.events, part.indices, part.batches, []
    events = list(zip(part.indices, part.events, strict=True))
    kept = [(index, line) for index, line in events if line.project_id in projects]
    batches = [(index, line) for index, line in part.batches if line.project_id in projects]
    others = [index for index, line in events if line.project_id not in projects]
    for index, line in part.batches:
        if line.project_id not in projects:
            others += range(index, index + max(line.rows, 1))
    text = "the key of this request is of other projects"
    errors = [RejectedError(Reason.FORBIDDEN_PROJECT, text, others)] if others else []
    return [line for _, line in kept], [index for index, _ in kept], batches, errors


def _content_type(request: web.Request) -> str:
    found = request.content_type.lower()
    if "Content-Type" not in request.headers:
        return JSON_TYPE
    if found not in LINE_TYPES | {JSON_TYPE}:
        text = f"Content-Type: found {found}, expected {JSON_TYPE} or application/x-ndjson"
        raise RefusedError(415, "bad_content_type", text)
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        text = f"Content-Type: found charset {request.charset!r}, expected utf-8"
        raise RefusedError(415, "bad_content_type", text)
    return found


def _idempotency_key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not is_name(key, MAX_KEY_LENGTH):
        text = f"Idempotency-Key: expected 1 to {MAX_KEY_LENGTH} printable characters"
        raise RefusedError(400, "bad_idempotency_key", text)
    return key


def _check_same(known: bytes, digest: bytes) -> None:
    if known != digest:
        text = "this Idempotency-Key came with another body before; take a new one"
        raise RefusedError(409, "other_body", text)
