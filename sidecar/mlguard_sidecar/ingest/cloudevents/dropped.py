"""Why a CloudEvent is not counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlguard_sidecar.telemetry import DropReason


class DroppedError(ValueError):
    """A CloudEvent that is not counted.

    Attributes:
        reason: reason under which it is counted as dropped.
    """

    def __init__(self, reason: DropReason, message: str) -> None:
        super().__init__(message)
        self.reason: DropReason = reason
