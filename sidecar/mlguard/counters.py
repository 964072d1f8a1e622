"""Counts of events, and of those that were dropped."""

import threading
from collections.abc import Mapping
from typing import NamedTuple

from mlguard.deferred_log import DeferredLog


class Stats(NamedTuple):
    """Counts of events since the process started or was forked.

    Attributes:
        queued: accepted and not yet written to the sidecar.
        sent: written to the sidecar; an event that is sent again after a reconnect counts once.
        acknowledged: committed by the sidecar.
        dropped: discarded, for any reason.
        dropped_by_reason: the same, by reason.
    """

    queued: int
    sent: int
    acknowledged: int
    dropped: int
    dropped_by_reason: Mapping[str, int]


class Counters:
    """Dropped events by reason, and how many of them were reported to the sidecar.

    Attributes:
        log: the messages about what was dropped, and all others of one guard.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from zero, with a new lock: in a forked child the old one may be held."""
        # Reentrant, so that a signal handler may drop while its own thread is dropping.
        self._lock = threading.RLock()
        self._dropped: dict[str, int] = {}
        self._reported = 0
        self.log = DeferredLog()

    def drop(self, reason: str, events: int = 1, detail: str = "") -> bool:
        """Count events as dropped.

        The first drop of each reason is also logged, with the detail.

        Returns:
            Whether a message was added to the log.
        """
        if events < 1:
            return False
        with self._lock:
            self._dropped.setdefault(reason, 0)
            self._dropped[reason] += events  # no call in between, where a signal could interrupt
        return self.log.warn_once(("drop", reason), f"events are dropped: {reason} {detail}")

    def dropped_by_reason(self) -> dict[str, int]:
        """Return the counts of dropped events by reason."""
        with self._lock:
            return dict(self._dropped)

    def unreported_drops(self) -> int:
        """Return how many dropped events were not yet reported to the sidecar."""
        return sum(self.dropped_by_reason().values()) - self._reported

    def mark_reported(self, events: int) -> None:
        """Note that so many more dropped events were reported to the sidecar."""
        self._reported += events
