"""The bounded queue between the host and the background thread."""

import sys
import threading
from collections import deque
from typing import Any

from mlguard.tables import Outcome, Row, Table

NEVER = sys.maxsize


class EventQueue:
    """Events that the host logged and the background thread has not yet dequeued.

    For speed, the host's side of it is written out in `Guard.log`: compare `len(queue)` with
    `size`, append, and wake the background thread if the length before was at least `wake_at`.
    That is 0 while the thread sleeps, one less than a batch while it gathers, and NEVER while it
    works.

    Args:
        size: events of `Guard.log` that may wait; events of `Guard.log_batch` may be as many again.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.closed = False
        self._max_table_rows = size
        self.reset()

    def reset(self) -> None:
        """Start empty; also in a forked child, where the queued events are the parent's."""
        self.queue: deque[Any] = deque()
        self.wake_at = 0
        self.dequeued = 0
        self._lock = threading.RLock()
        self._table_rows = 0
        self._tables_added = 0
        self._rows_of_tables_added = 0

    def put_table(self, table: Table) -> bool:
        """Add a whole table; return false if there is no room for it.

        A table larger than the limit is accepted while no other waits: otherwise a batch job
        could never send one.
        """
        rows = table.rows
        with self._lock:
            if self.closed or (self._table_rows and self._table_rows + rows > self._max_table_rows):
                return False
            if rows:
                self._table_rows += rows
                self._tables_added += 1
                self._rows_of_tables_added += rows
                self.queue.append(table)
            return True

    def enqueued(self) -> int:
        """Return how many entries (events or tables) were ever added."""
        with self._lock:
            return self.dequeued + len(self.queue)

    @property
    def table_rows(self) -> int:
        """How many events of tables are held: those that wait, and those not yet released."""
        return self._table_rows

    def dequeue(self, limit: int) -> tuple[list[Row | Outcome], list[Table]]:
        """Remove rows, outcomes and tables: `limit` events, or more by the last table.

        Only the last table may have more than `limit` rows.
        """
        rows: list[Row | Outcome] = []
        tables: list[Table] = []
        events = 0
        queue = self.queue
        with self._lock:
            while queue and events < limit:
                entry = queue.popleft()
                self.dequeued += 1
                if type(entry) is Table:
                    tables.append(entry)
                    events += entry.rows
                else:
                    rows.append(entry)
                    events += 1
        return rows, tables

    def release_rows(self, table_rows: int) -> None:
        """Make room: so many rows of a dequeued table are no longer held."""
        with self._lock:
            self._table_rows -= table_rows

    def accepted(self) -> int:
        """Return how many events were ever added, those of tables included."""
        with self._lock:
            entries = self.dequeued + len(self.queue)
            return entries - self._tables_added + self._rows_of_tables_added

    def close(self) -> None:
        """Accept no more events."""
        self.closed = True
        self.size = 0
