"""Batches that the sidecar has not acknowledged."""

from collections import deque
from typing import NamedTuple

MAX_UNACKED_BYTES = 8 * 1_048_576
MAX_UNACKED_EVENTS = 100_000


class Batch(NamedTuple):
    """A numbered line, and how many events it holds."""

    seq: int
    events: int
    line: bytes


class UnackedBatches:
    """Batches numbered 1, 2, 3..., each kept until it is acknowledged.

    Only the background thread changes it; any thread may read its counts.

    Attributes:
        last_seq: number of the batch that was added last; 0 before the first.
        sent: events that were sent, each counted once.
        acknowledged: events that were acknowledged.
        unsent_events: events that were never sent.
    """

    def __init__(self) -> None:
        self.last_seq = 0
        self.sent = 0
        self.acknowledged = 0
        self.unsent_events = 0
        self._sent_seq = 0
        self._unsent: deque[Batch] = deque()
        self._sent_batches: deque[Batch] = deque()
        self._bytes = 0
        self._events = 0

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
        self.unsent_events += events

    def next_unsent(self) -> Batch | None:
        """Return the batch to send next on this connection; None if there is none."""
        return self._unsent[0] if self._unsent else None

    def mark_sending(self, batch: Batch) -> None:
        """Note that the next batch is about to be sent: from now on it may be acknowledged."""
        if batch.seq > self._sent_seq:
            self._sent_seq = batch.seq
            self.sent += batch.events
            self.unsent_events -= batch.events

    def mark_sent(self) -> None:
        """Note that the next batch was sent completely."""
        self._sent_batches.append(self._unsent.popleft())

    def rewind(self) -> None:
        """Send all unacknowledged batches again: the connection is lost."""
        self._unsent.extendleft(reversed(self._sent_batches))
        self._sent_batches.clear()

    def acknowledge(self, seq: int) -> bool:
        """Remove all batches up to a number; return false if that number was never sent."""
        if seq > self._sent_seq:
            return False
        for batches in (self._sent_batches, self._unsent):
            while batches and batches[0].seq <= seq:
                batch = batches.popleft()
                self._bytes -= len(batch.line)
                self._events -= batch.events
                self.acknowledged += batch.events
        return True

    def discard_all(self) -> int:
        """Remove all batches; return how many events they held."""
        discarded, self._events, self._bytes, self.unsent_events = self._events, 0, 0, 0
        self._unsent.clear()
        self._sent_batches.clear()
        return discarded
