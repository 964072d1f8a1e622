"""What became of the events."""

import threading
from collections.abc import Mapping
from typing import NamedTuple

from mlguard.notices import Notices


class Stats(NamedTuple):
    """Counts of events since the process started (or was forked).

    Attributes:
        queued: taken and not yet written to the sidecar.
        sent: written to the sidecar; what is sent again after a reconnect counts once.
        acknowledged: committed by the sidecar.
        dropped: given up, for whatever reason.
        dropped_by_reason: the same, split by reason.
    """

    queued: int
    sent: int
    acknowledged: int
    dropped: int
    dropped_by_reason: Mapping[str, int]


class Tally:
    """Counts drops by reason, and knows how many the sidecar was told of."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from nothing; a forked child must not touch a lock that its parent held."""
        # Reentrant, so that a signal handler may drop while its own thread is dropping.
        self._lock = threading.RLock()
        self._dropped: dict[str, int] = {}
        self._reported = 0
        self.notices = Notices()

    def drop(self, reason: str, events: int = 1, detail: str = "") -> bool:
        """Count events as dropped.

        The first of each reason also becomes a notice, with the detail; true is returned then.
        """
        if events < 1:
            return False
        with self._lock:
            self._dropped.setdefault(reason, 0)
            self._dropped[reason] += events  # no call in between, where a signal could strike
        return self.notices.once(("drop", reason), f"events are dropped: {reason} {detail}")

    def by_reason(self) -> dict[str, int]:
        """Return the counts of dropped events by reason."""
        with self._lock:
            return dict(self._dropped)

    def unreported(self) -> int:
        """Return how many dropped events the sidecar was not yet told of."""
        return sum(self.by_reason().values()) - self._reported

    def reported(self, events: int) -> None:
        """Note that the sidecar was told of so many more."""
        self._reported += events
