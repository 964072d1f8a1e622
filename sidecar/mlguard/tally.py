"""What became of the events, and one warning for each kind of trouble."""

import logging
import threading
from collections.abc import Hashable, Mapping
from typing import NamedTuple

logger = logging.getLogger("mlguard")

# More kinds of trouble than this are not told apart: the log must not grow with the traffic.
WARNINGS_LIMIT = 1_000


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
    """Counts drops by reason, knows which were told to the sidecar, and warns once of each."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from nothing; a forked child must not touch a lock that its parent held."""
        # Reentrant, so that a signal handler may drop while its own thread is dropping.
        self._lock = threading.RLock()
        self._dropped: dict[str, int] = {}
        self._reported = 0
        self._warned: set[Hashable] = set()

    def drop(self, reason: str, events: int = 1, detail: object = "") -> None:
        """Count events as dropped; the first of each reason is also logged, with the detail."""
        if events < 1:
            return
        with self._lock:
            self._dropped.setdefault(reason, 0)
            self._dropped[reason] += events  # no call in between, where a signal could strike
        self.warn_once(("drop", reason), "events are dropped: %s %s", reason, detail)

    def warn_once(self, key: Hashable, message: str, *values: object) -> None:
        """Log a warning unless one with this key was logged before."""
        with self._lock:
            if key in self._warned or len(self._warned) >= WARNINGS_LIMIT:
                return
            self._warned.add(key)
        logger.warning(message, *values)

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
