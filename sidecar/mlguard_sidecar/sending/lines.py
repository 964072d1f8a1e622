"""Streams of lines of the wire format, with the digest of all lines up to each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mlguard_common.errors import MLGuardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class SendError(MLGuardError):
    """Sending cannot go on; the text is one line: what is wrong, and what to do."""


class Refusal(NamedTuple):
    """Something that is not sent.

    Attributes:
        reason: reason under which it is counted.
        message: what was found, where, and what is expected.
        events: number of events.
    """

    reason: str
    message: str
    events: int = 1


class Block(NamedTuple):
    """Some lines of a file.

    Attributes:
        lines: lines of the wire format, without line feeds.
        progress: share of the file that is read, 0 to 1.
        refused: what was found beside them.
    """

    lines: list[bytes]
    progress: float
    refused: tuple[Refusal, ...] = ()


class NumberedLine(NamedTuple):
    """A line of a stream.

    Attributes:
        raw: the line.
        position: its number, from 1.
        digest: of all lines up to it.
    """

    raw: bytes
    position: int
    digest: bytes


@dataclass(frozen=True)
class LineStream:
    """Lines of a file, a row or an event each.

    Attributes:
        name: name of the file, for people.
        blocks: returns its lines, from the beginning where `is_repeatable`.
        is_repeatable: whether they can be read again.
        salt: makes the digests those of another stream.
    """

    name: str
    blocks: Callable[[], Iterator[Block]]
    is_repeatable: bool = True
    salt: bytes = b""


def numbered(stream: LineStream) -> Iterator[tuple[list[NumberedLine], Block]]:
    """Yield the lines of each block with their numbers and digests, and the block."""
    running = hashlib.sha256(stream.salt)
    position = 0
    for block in stream.blocks():
        found = []
        for raw in block.lines:
            running.update(raw + b"\n")
            position += 1
            found.append(NumberedLine(raw, position, running.copy().digest()))
        yield found, block


CELL = 512
"""Lines that are looked up together; a power of two."""


@dataclass
class Digests:
    """Digests of a stream at any position, of which few are kept in memory.

    Attributes:
        stream: the stream, which is read as far as needed.
    """

    stream: LineStream
    _cells: list[bytes] = field(default_factory=list)
    _rest: Iterator[bytes] | None = None
    _near: dict[int, bytes] = field(default_factory=dict)

    def at(self, position: int) -> bytes | None:
        """Return the digest of the first lines; None if there are not so many."""
        cell, rest = divmod(position, CELL)
        if rest:
            return self._within(cell, position)
        if self._rest is None:
            self._rest = self._ends_of_cells()
        while len(self._cells) < cell:
            found = next(self._rest, None)
            if found is None:
                return None
            self._cells.append(found)
        return self._cells[cell - 1]

    def _ends_of_cells(self) -> Iterator[bytes]:
        for lines, _ in numbered(self.stream):
            for line in lines:
                if line.position % CELL == 0:
                    yield line.digest

    def _within(self, cell: int, position: int) -> bytes | None:
        if not any(near // CELL == cell for near in self._near):
            self._near = {}
            first, end = cell * CELL, (cell + 1) * CELL
            for lines, _ in numbered(self.stream):
                self._near |= {n.position: n.digest for n in lines if first < n.position < end}
                if lines and lines[-1].position >= end:
                    break
        return self._near.get(position)
