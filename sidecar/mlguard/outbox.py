"""Batches that the sidecar has not acknowledged, in the order of their numbers."""

from collections import deque
from typing import NamedTuple

BYTES_LIMIT = 8 * 1_048_576
EVENTS_LIMIT = 100_000


class Batch(NamedTuple):
    """A numbered line and how many events it holds."""

    seq: int
    events: int
    line: bytes


class Outbox:
    """Numbers batches 1, 2, 3..., and keeps each until it is acknowledged.

    Only the delivering thread changes it; anyone may read its counts.
    """

    def __init__(self) -> None:
        self.last_seq = 0
        self.sent = 0
        self.acknowledged = 0
        self.unsent_events = 0
        self._sent_seq = 0
        self._unsent: deque[Batch] = deque()
        self._awaiting: deque[Batch] = deque()
        self._bytes = 0
        self._events = 0

    @property
    def full(self) -> bool:
        """Whether no more should be added before something is acknowledged."""
        return self._bytes >= BYTES_LIMIT or self._events >= EVENTS_LIMIT

    @property
    def settled_seq(self) -> int:
        """The number up to which all is acknowledged."""
        oldest = self._awaiting or self._unsent
        return oldest[0].seq - 1 if oldest else self.last_seq

    def add(self, events: int, line: bytes) -> None:
        """Keep a batch, in whose line the number is `last_seq` + 1."""
        self.last_seq += 1
        self._unsent.append(Batch(self.last_seq, events, line))
        self._bytes += len(line)
        self._events += events
        self.unsent_events += events

    def next_unsent(self) -> Batch | None:
        """Return the batch to send next on this connection."""
        return self._unsent[0] if self._unsent else None

    @property
    def is_empty(self) -> bool:
        """Whether all is acknowledged."""
        return not (self._unsent or self._awaiting)

    def sending(self, batch: Batch) -> None:
        """Note that the next batch is about to be sent: from here on it may be acknowledged."""
        if batch.seq > self._sent_seq:
            self._sent_seq = batch.seq
            self.sent += batch.events
            self.unsent_events -= batch.events

    def was_sent(self) -> None:
        """Note that the next batch has gone out whole."""
        self._awaiting.append(self._unsent.popleft())

    def rewind(self) -> None:
        """Have all that is not acknowledged sent again: the connection is lost."""
        self._unsent.extendleft(reversed(self._awaiting))
        self._awaiting.clear()

    def acknowledge(self, seq: int) -> bool:
        """Let go of all up to this number; false, and nothing done, if it was never sent."""
        if seq > self._sent_seq:
            return False
        for batches in (self._awaiting, self._unsent):
            while batches and batches[0].seq <= seq:
                batch = batches.popleft()
                self._bytes -= len(batch.line)
                self._events -= batch.events
                self.acknowledged += batch.events
        return True

    def abandon(self) -> int:
        """Give up all that it holds; return how many events these are."""
        given_up, self._events, self._bytes, self.unsent_events = self._events, 0, 0, 0
        self._unsent.clear()
        self._awaiting.clear()
        return given_up
