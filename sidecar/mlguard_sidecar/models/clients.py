"""Numbers of the clients' batches: the last that was received, and the last that is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ClientNumbers:
    """Numbers of the last batches, by which one that is sent again is known.

    Attributes:
        committed: client -> number of its last committed batch.
    """

    def __init__(self) -> None:
        self.committed: dict[str, int] = {}
        self._received: dict[str, int] = {}

    def restore(self, committed: Mapping[str, int]) -> None:
        """Restore the numbers of the last process."""
        self.committed, self._received = dict(committed), dict(committed)

    def is_new(self, client: str, seq: int) -> bool:
        """Return whether a batch is new, and record its number."""
        if seq <= self._received.get(client, 0):
            return False
        self._received[client] = seq
        return True

    def forget(self, clients: Sequence[str]) -> None:
        """Forget clients that the database deleted, unless a batch of theirs is pending."""
        for client in clients:
            committed = self.committed.pop(client, 0)
            if self._received.get(client, 0) <= committed:
                self._received.pop(client, None)
