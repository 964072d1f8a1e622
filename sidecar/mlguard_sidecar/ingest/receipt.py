"""What a caller of the pipeline gets back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlguard_sidecar.committer import Committer
    from mlguard_sidecar.wire import ModelKey, Reason, RejectedError


class CommitFaultError(Exception):
    """Accepted events were rejected after all, by a fault of ML Guard that the log describes."""


@dataclass(frozen=True)
class Rejection:
    """One event that is not counted.

    Attributes:
        index: where it stands among those that came together, from 0.
        reason: under which it is counted as rejected.
        message: what was found and what is expected.
    """

    index: int
    reason: Reason
    message: str


@dataclass(frozen=True)
class Receipt:
    """What became of events that came together.

    Attributes:
        accepted: how many are counted once they are committed.
        rejected: those that are not, by reason.
        models: that the accepted ones count for.
        delta: number of the delta that holds them.
        committer: commits it.
        duplicate: whether they were a batch that had been taken before.
    """

    accepted: int
    rejected: Sequence[RejectedError]
    models: frozenset[ModelKey]
    delta: int
    committer: Committer
    duplicate: bool = False

    async def committed(self) -> None:
        """Wait until the accepted events are in the database; a commit starts at once.

        Raises:
            CommitFaultError: some of them were rejected after all.
        """
        faulty = self.models & await self.committer.wait_for(self.delta)
        if faulty:
            names = ", ".join("/".join(key) for key in sorted(faulty))
            raise CommitFaultError(f"events of {names} could not be stored")

    @property
    def rejected_rows(self) -> int:
        """Return how many events are not counted."""
        return sum(error.rows for error in self.rejected)

    def rejections(self) -> Iterator[Rejection]:
        """Yield every event that is not counted."""
        for error in self.rejected:
            for index in error.indices:
                yield Rejection(index, error.reason, str(error))
