"""The bounded queue between the host's threads and the one that delivers."""

import sys
import threading
from collections import deque
from typing import Any, TypeAlias

from mlguard.tables import Row, Table

NEVER = sys.maxsize


Entry: TypeAlias = Row | Table


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
