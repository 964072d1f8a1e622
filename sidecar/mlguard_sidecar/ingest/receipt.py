"""What a caller of the pipeline gets back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from mlguard_sidecar.wire import Reason, RejectedError


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
        duplicate: whether they were a batch that had been taken before.
        committed: begins a commit, and ends when the accepted ones are in the database.
    """

    accepted: int
    rejected: Sequence[RejectedError]
    committed: Callable[[], Awaitable[None]]
    duplicate: bool = False

    @property
    def rejected_rows(self) -> int:
        """Return how many events are not counted."""
        return sum(error.rows for error in self.rejected)

    def rejections(self) -> Iterator[Rejection]:
        """Yield every event that is not counted."""
        for error in self.rejected:
            for index in error.indices:
                yield Rejection(index, error.reason, str(error))
