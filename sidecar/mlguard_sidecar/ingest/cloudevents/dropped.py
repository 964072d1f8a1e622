"""Why a CloudEvent is not counted."""

from __future__ import annotations

from typing import Literal

DropReason = Literal[
    "duplicate",
    "forbidden_project",
    "no_request",
    "no_response",
    "queue_full",
    "too_large",
    "unauthorized",
    "uneven",
    "unnamed",
    "unparsable",
    "unsupported",
]


class DroppedError(ValueError):
    """A CloudEvent that is not counted.

    Attributes:
        reason: reason under which it is counted as dropped.
    """

    def __init__(self, reason: DropReason, message: str) -> None:
        super().__init__(message)
        self.reason: DropReason = reason
