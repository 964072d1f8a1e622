"""From queued events to the lines of the wire format."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

from mlguard.counters import Counters
from mlguard.encoding import Encode
from mlguard.event_queue import EventQueue
from mlguard.protocol import MAX_LINE_BYTES, MAX_SEQ
from mlguard.tables import (
    Outcome,
    OutcomeTable,
    Row,
    Table,
    clean_outcomes,
    clean_table,
    merge_tables,
    tables_from_rows,
    warn_of_local_times,
)
from mlguard.unacked_batches import UnackedBatches

BATCH_ROWS = 1_000
"""Most rows of a batch, which keeps the memory of encoding small."""


TIME_SAMPLES = 16
"""How many times of a batch or table are compared with the host's time zone."""


class EncodedColumns(NamedTuple):
    """A batch without its number: how many events it holds, and its columns as JSON."""

    events: int
    columns: bytes


def line_prefix(project: str, model: str, endpoint: str) -> bytes:
    """Return how each line of one guard begins."""
    names = {"project_id": project, "model_id": model, "endpoint": endpoint}
    return json.dumps(names)[:-1].encode() + b',"seq":'


def batch_line(prefix: bytes, seq: int, columns: bytes, *, are_outcomes: bool = False) -> bytes:
    """Return a numbered batch as a line of the wire format; both names have one length."""
    name = b"outcome" if are_outcomes else b"columns"
    return b'%b%d,"%b":%b}\n' % (prefix, seq, name, columns)


def max_column_bytes(prefix: bytes) -> int:
    """Return how many bytes the columns of a line may have, with the largest sequence number."""
    return MAX_LINE_BYTES - len(batch_line(prefix, MAX_SEQ, b""))


def encode_table(
    table: Table | OutcomeTable, max_bytes: int, encode: Encode, counters: Counters
) -> Iterator[EncodedColumns]:
    """Encode a clean table, in as many parts as it takes for none to exceed `max_bytes`.

    An event that alone is larger is dropped.
    """
    if not table.rows:
        return
    columns = encode(table.to_wire())
    if len(columns) <= max_bytes:
        yield EncodedColumns(table.rows, columns)
    elif table.rows == 1:
        counters.drop("too_large")
    else:
        # As many parts as the size calls for: halving would encode a wide table many times.
        parts = min(table.rows, len(columns) // max_bytes + 1)
        step = -(-table.rows // parts)
        for start in range(0, table.rows, step):
            yield from encode_table(table.slice(start, start + step), max_bytes, encode, counters)


def _sample(values: Sequence[Any]) -> Sequence[Any]:
    """Return about `TIME_SAMPLES` values, the first and the last included."""
    return [*values[:: len(values) // TIME_SAMPLES + 1], *values[-1:]]


def _without_outcomes(entries: list[Row | Outcome]) -> tuple[list[Row], list[Outcome]]:
    """Return the predictions among entries of the queue, and the outcomes."""
    outcomes: list[Outcome] = []
    if Outcome in set(map(type, entries)):
        outcomes = [each for each in entries if type(each) is Outcome]
        entries = [each for each in entries if type(each) is not Outcome]
    return cast("list[Row]", entries), outcomes


class Batcher:
    """Turns queued events into batches, in order; used by the background thread alone."""

    def __init__(
        self, prefix: bytes, encode: Encode, queue: EventQueue, counters: Counters
    ) -> None:
        self._prefix = prefix
        self._encode = encode
        self._queue = queue
        self._counters = counters
        self.reset()

    def reset(self) -> None:
        """Forget what is in progress; also in a forked child."""
        self._in_progress = 0
        self._dropped_before = 0
        self._table: Table | None = None
        self._next_row = 0

    @property
    def is_idle(self) -> bool:
        """Whether there are no events to batch."""
        return self._table is None and not self._queue.queue

    @property
    def has_full_batch(self) -> bool:
        """Whether waiting for more events would make the next batch no larger."""
        waiting = max(len(self._queue.queue), self._queue.table_rows)
        return self._table is not None or waiting >= BATCH_ROWS

    @property
    def batched(self) -> int:
        """How many entries of the queue have been batched completely."""
        return self._queue.dequeued - (self._table is not None)

    def add_next_batch(self, batches: UnackedBatches) -> None:
        """Move at most `BATCH_ROWS` events from the queue to the batches."""
        if self._table is not None:
            self._add_table_part(self._table, batches)
            return
        entries, tables = self._queue.dequeue(BATCH_ROWS)
        if tables and tables[-1].rows > BATCH_ROWS:
            self._table = tables.pop()
            warn_of_local_times(_sample(self._table.timestamp), self._counters)
        self._next_row = 0
        table_rows = sum(table.rows for table in tables)
        self._queue.release_rows(table_rows)
        self._begin(len(entries) + table_rows)
        rows, outcomes = _without_outcomes(entries)
        warn_of_local_times([row[0] for row in _sample(rows)], self._counters)
        merged = merge_tables(tables)
        for table in merged:
            warn_of_local_times(_sample(table.timestamp), self._counters)
        for table in (*tables_from_rows(rows, self._counters), *merged):
            self._add_table(clean_table(table, self._counters), batches)
        if outcomes:  # after the predictions, as some may be of these
            self._add_table(clean_outcomes(outcomes, self._counters), batches)
        self._in_progress = 0

    def discard_in_progress(self) -> int:
        """Forget the events that are neither in the queue nor in a batch; return how many."""
        dropped = self._counters.drops()[1] - self._dropped_before
        discarded, self._in_progress = self._in_progress - dropped, 0
        return discarded

    def discard_all(self) -> None:
        """Drop all events that wait."""
        while not self.is_idle:
            if self._table is not None:
                left = self._table.rows - self._next_row
                self._queue.release_rows(left)
                self._counters.drop("closed", left)
            self._table = None
            rows, tables = self._queue.dequeue(BATCH_ROWS)
            table_rows = sum(table.rows for table in tables)
            self._queue.release_rows(table_rows)
            self._counters.drop("closed", len(rows) + table_rows)

    def _add_table_part(self, table: Table, batches: UnackedBatches) -> None:
        """Batch the next rows of a table, which may have more rows than the batches may hold."""
        start = self._next_row
        part = table.slice(start, start + BATCH_ROWS)
        self._next_row = start + part.rows
        if self._next_row >= table.rows:
            self._table = None
        self._queue.release_rows(part.rows)
        self._begin(part.rows)
        self._add_table(clean_table(part, self._counters), batches)
        self._in_progress = 0

    def _begin(self, events: int) -> None:
        self._in_progress = events
        self._dropped_before = self._counters.drops()[1]

    def _add_table(self, clean: Table | OutcomeTable, batches: UnackedBatches) -> None:
        max_bytes = max_column_bytes(self._prefix)
        are_outcomes = isinstance(clean, OutcomeTable)
        for encoded in encode_table(clean, max_bytes, self._encode, self._counters):
            seq = batches.last_seq + 1
            line = batch_line(self._prefix, seq, encoded.columns, are_outcomes=are_outcomes)
            batches.add(encoded.events, line)
            self._in_progress -= encoded.events
