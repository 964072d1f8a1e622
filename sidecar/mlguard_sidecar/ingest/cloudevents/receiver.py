"""From bodies of CloudEvents to counted inferences."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from mlguard_sidecar.ingest.cloudevents.dropped import DroppedError
from mlguard_sidecar.ingest.cloudevents.envelope import (
    BATCHED_TYPE,
    STRUCTURED_TYPE,
    read_binary,
    read_structured,
    split_batch,
)
from mlguard_sidecar.ingest.cloudevents.inference import (
    Inference,
    LoggedRequest,
    LoggedResponse,
    batches,
    joined,
    logged,
)
from mlguard_sidecar.ingest.cloudevents.join import DuplicateError, JoinBuffer
from mlguard_sidecar.ingest.cloudevents.naming import Naming
from mlguard_sidecar.wire import RejectedError, line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlguard_sidecar.config import Config
    from mlguard_sidecar.ingest.cloudevents.envelope import CloudEvent
    from mlguard_sidecar.ingest.pipeline import Pipeline
    from mlguard_sidecar.telemetry import DropReason, Telemetry

SOURCE = "cloudevents"

_OVERHEAD_BYTES = 1024
_UNSAID: frozenset[DropReason] = frozenset({"duplicate", "unauthorized", "queue_full"})
"""Reasons that are counted only: they say no more, or come from anyone."""

log = logging.getLogger(__name__)


class Received(NamedTuple):
    """One HTTP request with an event, or with a batch of events.

    Attributes:
        content_type: media type, in lower case.
        headers: headers by their names in lower case.
        body: the body.
        projects: projects whose events it may send; None if all.
    """

    content_type: str
    headers: Mapping[str, str]
    body: bytes
    projects: frozenset[str] | None


@dataclass
class CloudEventReceiver:
    """Reads, joins and counts events.

    Attributes:
        pipeline: counts inferences.
        telemetry: counts events.
        config: returns the configuration in use.
        clock: monotonic seconds.
    """

    pipeline: Pipeline
    telemetry: Telemetry
    config: Callable[[], Config]
    clock: Callable[[], float] = monotonic
    _ready: list[Inference] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._used = self.config()
        self._naming = Naming(self._used)
        events = self._used.cloudevents
        self._buffer = JoinBuffer[LoggedRequest, LoggedResponse](
            events.join_timeout.seconds, events.max_waiting, self.clock
        )

    @property
    def waiting(self) -> int:
        """Number of events that wait for their other half."""
        return len(self._buffer)

    @property
    def has_inferences(self) -> bool:
        """Whether there are inferences that are not yet counted."""
        return bool(self._ready)

    def drop(self, reason: DropReason, message: str = "") -> None:
        """Count one event that is not counted otherwise."""
        self.telemetry.count_cloudevents(reason)
        if reason not in _UNSAID:
            self.pipeline.note(SOURCE, reason, message)

    def split(self, received: Received) -> list[Received]:
        """Return the events of one HTTP request, each by itself."""
        if received.content_type != BATCHED_TYPE:
            return [received]
        try:
            parts = split_batch(received.body)
        except DroppedError as error:
            self.drop(error.reason, str(error))
            return []
        return [Received(STRUCTURED_TYPE, {}, part, received.projects) for part in parts]

    def take(self, received: Received) -> None:
        """Read one event; `count` counts the inference that it completes."""
        try:
            self._follow_config()
            if received.content_type == STRUCTURED_TYPE:
                event = read_structured(received.body)
            else:
                event = read_binary(received.headers, received.body)
            self._join(event, received.projects)
        except DroppedError as error:
            self.drop(error.reason, str(error))
        except Exception:  # a bug: it costs this event, and must be visible
            log.exception("a CloudEvent cannot be read")
            self.drop("unparsable", "an error in the sidecar, which is in its log")

    def _join(self, event: CloudEvent, projects: frozenset[str] | None) -> None:
        names = self._naming.name(event.attributes)
        if projects is not None and names.key.project not in projects:
            text = f"the key of this request may not send events of {names.key.project}"
            raise DroppedError("forbidden_project", text)
        half = logged(event, names)
        # of one model only: else a sender could complete, or use up, another project's inferences
        key = (names.key, event.key)
        size = _OVERHEAD_BYTES + half.size_bytes()
        request: LoggedRequest | None
        response: LoggedResponse | None
        try:
            if isinstance(half, LoggedRequest):
                request, response = half, self._buffer.add_request(key, half, size, names.key)
            else:
                request, response = self._buffer.add_response(key, half, size, names.key), half
        except DuplicateError:
            raise DroppedError("duplicate", "the event came before") from None
        finally:
            self.drop_expired()
        if request is None or response is None:
            return
        try:
            inference = joined(request, response)
        except DroppedError as error:
            self.telemetry.count_cloudevents(error.reason)  # both halves are dropped
            raise
        self.telemetry.count_cloudevents("joined", 2)
        if inference.rows:
            self._ready.append(inference)

    def count(self) -> None:
        """Submit the inferences that are complete."""
        ready, self._ready = self._ready, []
        for tree in batches(ready):
            try:
                line = line_of(tree)
            except RejectedError as error:
                self.pipeline.reject(error, SOURCE)
            else:
                self.pipeline.submit_batch(line, SOURCE)

    def drop_expired(self) -> None:
        """Count and drop the events that have waited too long."""
        buffer = self._buffer
        buffer.expire()
        self.telemetry.count_cloudevents("no_response", buffer.expired_requests)
        self.telemetry.count_cloudevents("no_request", buffer.expired_responses)
        buffer.expired_requests = buffer.expired_responses = 0

    def _follow_config(self) -> None:
        config = self.config()
        if config is self._used:
            return
        self._used, self._naming = config, Naming(config)
        self._buffer.seconds = config.cloudevents.join_timeout.seconds
        self._buffer.max_waiting = config.cloudevents.max_waiting
