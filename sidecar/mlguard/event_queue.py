"""What waits: events for the delivering thread, and its batches for the sidecar."""

import sys
import threading
from collections import deque
from typing import Any, NamedTuple

from mlguard.tables import Row, Table

NEVER = sys.maxsize
# Of what the sidecar has not acknowledged.
BYTES_LIMIT = 8 * 1_048_576
EVENTS_LIMIT = 100_000


class Intake:
    """What the host has given and nobody has taken up yet.

    The host's side is written out in `Guard.log` for speed: compare `len(queue)` with `size`,
    append, and rouse the delivery where the length found before was at least `wake_at`. That
    is 0 while the delivery sleeps, a batch less one while it gathers, and NEVER while it works.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.closed = False
        self._table_limit = size
        self.reset()

    def reset(self) -> None:
        """Start empty; also in a forked child, whose parent keeps what it had queued."""
        self.queue: deque[Any] = deque()
        self.wake_at = 0
        self.taken = 0
        self._lock = threading.RLock()
        self._table_rows = 0
        self._tables = 0

    def put_table(self, table: Table) -> bool:
        """Take a whole table; false if there is no room for it.

        Tables may hold as many rows again as the queue does. A larger one is taken while no
        other waits, or a batch job could never send one.
        """
        rows = table.rows
        with self._lock:
            if self.closed or (self._table_rows and self._table_rows + rows > self._table_limit):
                return False
            if rows:
                self._table_rows += rows
                self._tables += 1
                self.queue.append(table)
            return True

    def put_in(self) -> int:
        """Return how many entries there have been so far, `taken` ones and waiting ones."""
        with self._lock:
            return self.taken + len(self.queue)

    def take(self, limit: int) -> tuple[list[Row], Table | None]:
        """Take rows out, up to so many or to the table that comes next, and that too."""
        rows: list[Row] = []
        queue = self.queue
        with self._lock:
            while queue and len(rows) < limit:
                entry = queue.popleft()
                self.taken += 1
                if type(entry) is not tuple:  # a Table is a tuple too, but no Row
                    self._tables -= 1
                    return rows, entry
                rows.append(entry)
        return rows, None

    def release(self, table_rows: int) -> None:
        """Make room: so many rows of tables are no longer held."""
        with self._lock:
            self._table_rows -= table_rows

    def waiting(self) -> int:
        """Return how many events wait, those of a table that is being worked through included."""
        return max(0, len(self.queue) - self._tables) + self._table_rows

    def close(self) -> None:
        """Take nothing any more."""
        self.closed = True
        self.size = 0


class Flush:
    """Someone waits until all that was put into the intake so far is acknowledged.

    Attributes:
        put_in: how many entries these are.
        seq: the batch that holds the last of them, once they are packed.
        done: set when it is over; `delivered` tells how.
    """

    def __init__(self, put_in: int) -> None:
        self.put_in = put_in
        self.seq: int | None = None
        self.done = threading.Event()
        self.delivered = False


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
