"""Files and streams of JSON lines, split but not read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from mlguard.protocol import MAX_LINE_BYTES
from mlguard_sidecar.sending.lines import Block, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_CHUNK_BYTES = 1 << 18
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_json_lines(path: Path) -> Iterator[Block]:
    """Yield the lines of a file that are not blank.

    Raises:
        OSError: it cannot be read.
    """
    size = max(path.stat().st_size, 1)
    with path.open("rb") as file:
        yield from split_lines(iter(lambda: file.read(_CHUNK_BYTES), b""), size)


def read_standard_input() -> Iterator[Block]:
    """Yield the lines of the standard input as they come."""
    yield from split_lines(iter(lambda: os.read(0, _CHUNK_BYTES), b""), None)


def split_lines(chunks: Iterable[bytes], size: int | None) -> Iterator[Block]:
    """Yield the lines in pieces of a file.

    A last line without its end counts if it is a whole object; else it may be still written, and is
    left for the next time. A line longer than the wire format allows is cut, so that it is refused.

    Args:
        chunks: the pieces.
        size: bytes of the whole; None if they are not known.
    """
    rest, seen = b"", 0
    for chunk in chunks:
        data = chunk.removeprefix(_BYTE_ORDER_MARK) if not seen else chunk
        seen += len(chunk)
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[: MAX_LINE_BYTES + 1]
        yield Block(_clean(lines), min(seen / size, 1.0) if size else 0.0)
    if not rest.strip():
        return
    if _is_object(rest):
        yield Block(_clean([rest]), 1.0)
    else:
        text = "the last line is not complete; send the file again when it is"
        yield Block([], 1.0, (Refusal("incomplete_line", text),))


def _clean(lines: list[bytes]) -> list[bytes]:
    stripped = (line[: MAX_LINE_BYTES + 1].strip() for line in lines)
    return [line for line in stripped if line]


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
