"""Receipts: results of submissions to the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from mlguard_sidecar.wire import Reason, RejectedError


@dataclass(frozen=True)
class Rejection:
    """One rejected event.

    Attributes:
        index: index of the event in its submission, from 0.
        reason: reason under which it is counted.
        message: what was found and what is expected.
    """

    index: int
    reason: Reason
    message: str


@dataclass(frozen=True)
class Receipt:
    """Result of one submission.

    Attributes:
        accepted: number of events that will be committed.
        rejected: rejected events, grouped by reason.
        duplicate: whether it was a batch that had been submitted before.
        committed: starts a commit, and waits until the accepted events are stored.
    """

    accepted: int
    rejected: Sequence[RejectedError]
    committed: Callable[[], Awaitable[None]]
    duplicate: bool = False

    @property
    def rejected_rows(self) -> int:
        """Number of rejected events."""
        return sum(error.rows for error in self.rejected)

    def rejections(self) -> Iterator[Rejection]:
        """Yield each rejected event."""
        for error in self.rejected:
            for index in error.indices:
                yield Rejection(index, error.reason, str(error))
