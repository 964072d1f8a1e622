"""Receipts: results of submissions to the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_common.errors import MLGuardError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlguard_sidecar.committer import Committer
    from mlguard_sidecar.wire import InvalidValues, ModelKey, Reason, RejectedError


class CommitFaultError(MLGuardError):
    """Accepted events were rejected because of an internal error, which is in the log."""


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
        invalid: invalid values in the accepted events, grouped by reason.
        models: models of the accepted events.
        delta: number of the delta that contains them.
        committer: commits the delta.
        duplicate: whether it was a batch that had been submitted before.
    """

    accepted: int
    rejected: Sequence[RejectedError]
    invalid: Sequence[InvalidValues]
    models: frozenset[ModelKey]
    delta: int
    committer: Committer
    duplicate: bool = False

    async def committed(self) -> None:
        """Start a commit, and wait until the accepted events are stored.

        Raises:
            CommitFaultError: some of them were rejected because of an internal error.
        """
        faulty = self.models & await self.committer.wait_for(self.delta)
        if faulty:
            names = ", ".join("/".join(key) for key in sorted(faulty))
            raise CommitFaultError(f"events of {names} could not be stored")

    @property
    def rejected_rows(self) -> int:
        """Number of rejected events."""
        return sum(error.rows for error in self.rejected)

    def rejections(self) -> Iterator[Rejection]:
        """Yield each rejected event."""
        for error in self.rejected:
            for index in error.indices:
                yield Rejection(index, error.reason, str(error))
