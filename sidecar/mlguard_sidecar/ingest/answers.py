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
    warnings: list[dict[str, str | int]] = field(default_factory=list)

    def add(self, receipt: Receipt, indices: Sequence[int]) -> None:
        """Add a receipt, given the index of each of its events."""
        self.accepted += receipt.accepted
        for error in receipt.rejected:
            self.reject(error, [indices[i] if i < len(indices) else i for i in error.indices])
        for reason, message, values in receipt.invalid:
            warning: dict[str, str | int] = {
                "reason": str(reason),
                "message": message[:_MAX_TEXT],
                "values": values,
            }
            if len(self.warnings) < MAX_LISTED:
                self.warnings.append(warning)

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
        return msgspec.json.encode(
            {
                "accepted": self.accepted,
                "rejected_count": self.rejected_count,
                "rejected": [
                    {"index": index, "reason": reason, "message": message}
                    for index, reason, message in listed
                ],
                "warnings": self.warnings,
            }
        )
