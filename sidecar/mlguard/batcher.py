"""What the host gave, taken from the intake in portions and packed into lines of the wire."""

import json
import sys
from collections.abc import Iterator
from typing import NamedTuple

from mlguard.encoding import Encode
from mlguard.queues import Intake, Outbox
from mlguard.tables import Table, cleaned, tables
from mlguard.tally import Tally

LINE_LIMIT = 1_048_576
BATCH_ROWS = 1_000


class Body(NamedTuple):
    """A batch but for its number: how many events it holds, and its columns as JSON."""

    events: int
    columns: bytes


def head(project: str, model: str, endpoint: str) -> bytes:
    """Return what each line of one guard begins with."""
    names = {"project_id": project, "model_id": model, "endpoint": endpoint}
    return json.dumps(names)[:-1].encode() + b',"seq":'


def room_for_columns(head: bytes) -> int:
    """Return how many bytes the columns may have in a line, however large its number."""
    return LINE_LIMIT - len(line(head, sys.maxsize, b""))


def line(head: bytes, seq: int, columns: bytes) -> bytes:
    """Return a numbered batch as it goes over the wire."""
    return b'%b%d,"columns":%b}\n' % (head, seq, columns)


def bodies(table: Table, room: int, encode: Encode, tally: Tally) -> Iterator[Body]:
    """Encode a cleaned table, in as many pieces as it takes for none to exceed the room.

    An event that alone is too large is dropped.
    """
    if not table.rows:
        return
    columns = encode(table.wire())
    if len(columns) <= room:
        yield Body(table.rows, columns)
    elif table.rows == 1:
        tally.drop("too_large")
    else:
        # As many pieces as the size asks for, lest a wide table is encoded again and again.
        pieces = min(table.rows, len(columns) // room + 1)
        step = -(-table.rows // pieces)
        for start in range(0, table.rows, step):
            yield from bodies(table.cut(start, start + step), room, encode, tally)


class Packer:
    """Works through the intake in order; used by the delivering thread alone.

    Attributes:
        in_hand: how many events are neither in the intake nor in the outbox just now.
    """

    def __init__(self, head: bytes, encode: Encode, intake: Intake, tally: Tally) -> None:
        self._head = head
        self._encode = encode
        self._intake = intake
        self._tally = tally
        self.reset()

    def reset(self) -> None:
        """Hold nothing; also in a forked child."""
        self.in_hand = 0
        self._table: Table | None = None
        self._next_row = 0

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to pack."""
        return self._table is None and not self._intake.queue

    @property
    def is_due(self) -> bool:
        """Whether there is something to pack for which it makes no sense to wait for more."""
        return self._table is not None or len(self._intake.queue) >= BATCH_ROWS

    @property
    def packed(self) -> int:
        """How many of the entries that there have been are packed whole."""
        return self._intake.taken - (self._table is not None)

    def pack(self, outbox: Outbox) -> None:
        """Move one portion from the intake to the outbox."""
        if self._table is not None:
            self._pack_portion(self._table, outbox)
            return
        rows, self._table = self._intake.take(BATCH_ROWS)
        self._next_row = 0
        self.in_hand = len(rows)
        for table in tables(rows, self._tally):
            self._add(table, outbox)
        self.in_hand = 0

    def lose_in_hand(self) -> int:
        """Give up what was being packed; return how many events these were."""
        lost, self.in_hand = self.in_hand, 0
        return lost

    def abandon(self) -> None:
        """Give up all that waits."""
        while not self.is_idle:
            if self._table is not None:
                left = self._table.rows - self._next_row
                self._intake.release(left)
                self._tally.drop("closed", left)
            rows, self._table = self._intake.take(BATCH_ROWS)
            self._next_row = 0
            self._tally.drop("closed", len(rows))

    def _pack_portion(self, table: Table, outbox: Outbox) -> None:
        """Pack the next rows of a table, which may be larger than the outbox."""
        start = self._next_row
        portion = table.cut(start, start + BATCH_ROWS)
        self._next_row = start + portion.rows
        if self._next_row >= table.rows:
            self._table = None
        self._intake.release(portion.rows)
        self.in_hand = portion.rows
        self._add(portion, outbox)
        self.in_hand = 0

    def _add(self, table: Table, outbox: Outbox) -> None:
        """Clean, encode and number a table's events."""
        room = room_for_columns(self._head)
        for body in bodies(cleaned(table, self._tally), room, self._encode, self._tally):
            self.in_hand -= body.events
            outbox.add(body.events, line(self._head, outbox.last_seq + 1, body.columns))
