"""The bounded queue between the host's threads and the one that delivers."""

import sys
import threading
from collections import deque
from typing import Any, TypeAlias

from mlguard.tables import Row, Table

NEVER = sys.maxsize


class Flush:
    """A mark in the queue: all before it has been delivered once `done` is set.

    `delivered` then tells whether it was, or whether delivery ended before.
    """

    def __init__(self) -> None:
        self.done = threading.Event()
        self.delivered = False

    def finish(self, *, delivered: bool) -> None:
        """Release who waits for it."""
        self.delivered = delivered
        self.done.set()


Entry: TypeAlias = Row | Table | Flush


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
        self.urgent = False
        self._lock = threading.RLock()
        self._table_rows = 0
        self._others = 0

    def put_table(self, table: Table) -> bool:
        """Take a whole table; false if there is no room for it.

        Tables may hold as many rows again as the queue does. A larger one is taken while no
        other waits, or a batch job could never send one.
        """
        rows = table.rows
        with self._lock:
            if self.closed or (self._table_rows and self._table_rows + rows > self._table_limit):
                return False
            self._table_rows += rows
            self._others += 1
            self.queue.append(table)
            return True

    def put_flush(self, flush: Flush) -> None:
        """Set a mark, and have what waits before it taken up at once."""
        with self._lock:
            self._others += 1
        self.queue.append(flush)
        self.urgent = True

    def take(self, limit: int) -> tuple[list[Row], Table | Flush | None]:
        """Take rows out, up to so many or to the table or mark that comes next, and that too."""
        rows: list[Row] = []
        queue = self.queue
        while queue and len(rows) < limit:
            entry = queue.popleft()
            if type(entry) is not tuple:  # a Table is a tuple too, but no Row
                with self._lock:
                    self._others -= 1
                return rows, entry
            rows.append(entry)
        return rows, None

    def release(self, table_rows: int) -> None:
        """Make room: so many rows of tables are no longer held."""
        with self._lock:
            self._table_rows -= table_rows

    def waiting(self) -> int:
        """Return how many events wait, those of a table that is being worked through included."""
        return max(0, len(self.queue) - self._others) + self._table_rows

    def close(self) -> None:
        """Take nothing any more."""
        self.closed = True
        self.size = 0
