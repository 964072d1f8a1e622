"""Counts of events, and of those that were dropped."""

import threading
from collections.abc import Mapping
from typing import NamedTuple

from mlguard.deferred_log import DeferredLog


class Stats(NamedTuple):
    """Counts of events since the process started or was forked.

    At every moment, the events that were ever logged are `queued` + `unacknowledged` +
    `acknowledged` + `rejected` + `dropped`.

    Attributes:
        queued: accepted and not yet written to the sidecar.
        sent: written to the sidecar; an event that is sent again after a reconnect counts once.
        acknowledged: committed and counted by the sidecar.
        dropped: discarded by the SDK, for any reason.
        dropped_by_reason: the same, by reason.
        rejected: received by the sidecar and not counted, for any reason.
        rejected_by_reason: the same, by reason.
        unacknowledged: written to the sidecar, which has not yet answered what became of it.
        unread_by_reason: how often a middleware found something missing in a request or its
            response, by reason; the inferences are logged without it.
    """

    queued: int
    sent: int
    acknowledged: int
    dropped: int
    dropped_by_reason: Mapping[str, int]
    rejected: int = 0
    rejected_by_reason: Mapping[str, int] = {}
    unacknowledged: int = 0
    unread_by_reason: Mapping[str, int] = {}


class Counters:
    """Dropped events by reason, and how many of them were reported to the sidecar.

    Attributes:
        log: the messages about what was dropped, and all others of one guard.
        never_queued: dropped events that were never in the queue.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from zero, with a new lock: in a forked child the old one may be held."""
        # Reentrant, so that a signal handler may drop while its own thread is dropping.
        self._lock = threading.RLock()
        self._dropped: dict[str, int] = {}
        self.never_queued = 0
        self._reported = 0
        self._unread: dict[str, int] = {}
        self.log = DeferredLog()

    def drop(
        self, reason: str, events: int = 1, detail: str = "", *, was_queued: bool = True
    ) -> bool:
        """Count events as dropped, whether or not they were in the queue.

        The first drop of each reason is also logged, with the detail.

        Returns:
            Whether a message was added to the log.
        """
        if events < 1:
            return False
        with self._lock:
            self._dropped.setdefault(reason, 0)
            self._dropped[reason] += events  # no call in between, where a signal could interrupt
            if not was_queued:
                self.never_queued += events
        return self.log.warn_once(("drop", reason), f"events are dropped: {reason} {detail}")

    def count_unread(self, reason: str) -> None:
        """Count something that a middleware could not read."""
        with self._lock:
            self._unread[reason] = self._unread.get(reason, 0) + 1

    def unread_by_reason(self) -> dict[str, int]:
        """Return the counts of `count_unread`."""
        with self._lock:
            return dict(self._unread)

    def dropped_by_reason(self) -> dict[str, int]:
        """Return the counts of dropped events by reason."""
        return self.drops()[0]

    def drops(self) -> tuple[dict[str, int], int]:
        """Return the counts of dropped events by reason, and how many of them were queued."""
        with self._lock:
            dropped = dict(self._dropped)
            return dropped, sum(dropped.values()) - self.never_queued

    def unreported_drops(self) -> int:
        """Return how many dropped events were not yet reported to the sidecar."""
        return sum(self.dropped_by_reason().values()) - self._reported

    def mark_reported(self, events: int) -> None:
        """Note that so many more dropped events were reported to the sidecar."""
        self._reported += events
