"""What the host gave, taken from the intake in portions and packed into the outbox."""

from mlguard import lines
from mlguard.encoding import Encode
from mlguard.intake import Intake
from mlguard.outbox import Outbox
from mlguard.tables import Table, cleaned, tables
from mlguard.tally import Tally

BATCH_ROWS = 1_000


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
        room = lines.room_for_columns(self._head)
        for body in lines.bodies(cleaned(table, self._tally), room, self._encode, self._tally):
            self.in_hand -= body.events
            outbox.add(body.events, lines.line(self._head, outbox.last_seq + 1, body.columns))
