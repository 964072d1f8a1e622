"""Tables cut into lines of the wire, none longer than the sidecar accepts."""

import json
import sys
from collections.abc import Iterator
from typing import NamedTuple

from mlguard.encoding import Encode
from mlguard.tables import Table
from mlguard.tally import Tally

LINE_LIMIT = 1_048_576


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
