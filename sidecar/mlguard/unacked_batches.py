"""Batches that the sidecar has not acknowledged."""

from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

MAX_UNACKED_BYTES = 8 * 1_048_576
MAX_UNACKED_EVENTS = 100_000


class Batch(NamedTuple):
    """A numbered line, and how many events it holds."""

    seq: int
    events: int
    line: bytes


class BatchCounts(NamedTuple):
    """Counts of events in batches.

    Attributes:
        sent: events that were sent, each counted once.
        unacknowledged: events that were sent, and whose fate is not known yet.
        acknowledged: events that the sidecar has counted.
        rejected: events that the sidecar has not counted, by its reason.
    """

    sent: int = 0
    unacknowledged: int = 0
    acknowledged: int = 0
    rejected: Mapping[str, int] = MappingProxyType({})


class UnackedBatches:
    """Batches numbered 1, 2, 3..., each kept until it is acknowledged.

    Only the background thread changes it.

    Attributes:
        last_seq: number of the batch that was added last; 0 before the first.
        counts: replaced as a whole, so that any thread may read it at any time.
    """

    def __init__(self) -> None:
        self.last_seq = 0
        self.counts = BatchCounts()
        self._sent_seq = 0
        self._unsent: deque[Batch] = deque()
        self._sent_batches: deque[Batch] = deque()
        self._bytes = 0
        self._events = 0
        self._rejections: dict[int, dict[str, int]] = {}

    @property
    def is_full(self) -> bool:
        """Whether no batch should be added before another is acknowledged."""
        return self._bytes >= MAX_UNACKED_BYTES or self._events >= MAX_UNACKED_EVENTS

    @property
    def is_empty(self) -> bool:
        """Whether all batches are acknowledged."""
        return not (self._unsent or self._sent_batches)

    @property
    def acknowledged_seq(self) -> int:
        """The number up to which all batches are acknowledged."""
        oldest = self._sent_batches or self._unsent
        return oldest[0].seq - 1 if oldest else self.last_seq

    def add(self, events: int, line: bytes) -> None:
        """Keep a batch; the number in its line is `last_seq` + 1."""
        self.last_seq += 1
        self._unsent.append(Batch(self.last_seq, events, line))
        self._bytes += len(line)
        self._events += events

    def next_unsent(self) -> Batch | None:
        """Return the batch to send next on this connection; None if there is none."""
        return self._unsent[0] if self._unsent else None

    def mark_sending(self, batch: Batch) -> None:
        """Note that the next batch is about to be sent: from now on it may be acknowledged."""
        # If it was sent before, it was not committed, and its events are rejected again.
        self._rejections.pop(batch.seq, None)
        if batch.seq > self._sent_seq:
            self._sent_seq = batch.seq
            counts = self.counts
            self.counts = counts._replace(
                sent=counts.sent + batch.events,
                unacknowledged=counts.unacknowledged + batch.events,
            )

    def mark_sent(self) -> None:
        """Note that the next batch was sent completely."""
        self._sent_batches.append(self._unsent.popleft())

    def rewind(self) -> None:
        """Send all unacknowledged batches again: the connection is lost."""
        self._unsent.extendleft(reversed(self._sent_batches))
        self._sent_batches.clear()

    def find(self, seq: int) -> Batch | None:
        """Return the batch with a number; None if it was never sent or is acknowledged."""
        if seq > self._sent_seq:
            return None
        oldest = self.acknowledged_seq + 1
        for batches in (self._sent_batches, self._unsent):
            if 0 <= seq - oldest < len(batches):
                return batches[seq - oldest]
            oldest += len(batches)
        return None

    def reject(self, batch: Batch, reason: str, events: int) -> None:
        """Note that the sidecar does not count some events of a batch."""
        reasons = self._rejections.setdefault(batch.seq, {})
        left = batch.events - sum(reasons.values())
        if left > 0 and events > 0:
            reasons[reason] = reasons.get(reason, 0) + min(events, left)

    def acknowledge(self, seq: int) -> bool:
        """Remove all batches up to a number; return false if that number was never sent."""
        if seq > self._sent_seq:
            return False
        for batches in (self._sent_batches, self._unsent):
            while batches and batches[0].seq <= seq:
                self._settle(batches.popleft())
        return True

    def discard_all(self) -> int:
        """Remove all batches; return how many events they held."""
        discarded, self._events, self._bytes = self._events, 0, 0
        self._unsent.clear()
        self._sent_batches.clear()
        self._rejections.clear()
        self.counts = self.counts._replace(unacknowledged=0)
        return discarded

    def _settle(self, batch: Batch) -> None:
        self._bytes -= len(batch.line)
        self._events -= batch.events
        counts = self.counts
        rejected, total = self._rejections.pop(batch.seq, None), counts.rejected
        if rejected:
            total = {**total, **{key: total.get(key, 0) + n for key, n in rejected.items()}}
        self.counts = BatchCounts(
            counts.sent,
            counts.unacknowledged - batch.events,
            counts.acknowledged + batch.events - sum((rejected or {}).values()),
            total,
        )
