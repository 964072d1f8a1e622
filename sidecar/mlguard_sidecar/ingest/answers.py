"""What a request that brought events is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_sidecar.ingest.receipt import Receipt
    from mlguard_sidecar.wire import RejectedError

MAX_LISTED = 100
"""Rejected events, and kinds of warnings, that an answer lists."""

_MAX_TEXT = 300


class RejectedEvent(msgspec.Struct, frozen=True):
    """An event that was not counted; `index` counts the events of the body from 0."""

    index: int
    reason: str
    message: str


class Warned(msgspec.Struct, frozen=True):
    """Values that were left out of events that were counted otherwise."""

    reason: str
    message: str
    values: int


class EventsAnswer(msgspec.Struct, frozen=True):
    """What became of the events of a request; the first 100 that were rejected are listed."""

    accepted: int
    rejected_count: int
    rejected: list[RejectedEvent]
    warnings: list[Warned]


@dataclass
class Summary:
    """Sum of what a request brought.

    Attributes:
        accepted: number of events that are counted.
        rejected_count: number of events that are not.
        rejected: the first of these: index, reason and message.
        warnings: values that were left out, by reason.
    """

    accepted: int = 0
    rejected_count: int = 0
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)

    def add(self, receipt: Receipt, indices: Sequence[int]) -> None:
        """Add a receipt, given the index of each of its events."""
        self.accepted += receipt.accepted
        for error in receipt.rejected:
            self.reject(error, [indices[i] if i < len(indices) else i for i in error.indices])
        room = MAX_LISTED - len(self.warnings)
        self.warnings += [
            Warned(str(reason), message[:_MAX_TEXT], values)
            for reason, message, values in receipt.invalid[:room]
        ]

    def reject(self, error: RejectedError, indices: Sequence[int]) -> None:
        """Add rejected events."""
        self.rejected_count += len(indices)
        room = 2 * MAX_LISTED - len(self.rejected)  # sorted at the end
        self.rejected += [
            (index, str(error.reason), str(error)[:_MAX_TEXT]) for index in sorted(indices)[:room]
        ]

    @property
    def status(self) -> int:
        """HTTP status: 422 if there were events and none was accepted."""
        return 422 if self.rejected_count and not self.accepted else 200

    def body(self) -> bytes:
        """Return the answer as JSON."""
        listed = sorted(self.rejected)[:MAX_LISTED]
        answer = EventsAnswer(
            self.accepted,
            self.rejected_count,
            [RejectedEvent(*each) for each in listed],
            self.warnings,
        )
        return msgspec.json.encode(answer)
