"""Bodies to lines: one event, an array, lines of JSON, or a batch."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from mlguard_sidecar.wire import Line, Reason, RejectedError, decode_block, decode_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LINE_TYPES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
"""Content types of lines of JSON."""

JSON_TYPE = "application/json"

_NO_JSON = (Reason.BAD_JSON, Reason.NOT_AN_OBJECT)

_MAX_FAST_BYTES = 1 << 18
"""Size of a document, or of a part of it, that is decoded at once."""

_LINES_A_SLICE = 1000

_SPACE = re.compile(r"\s*")
_events = msgspec.json.Decoder(list[Line])
_array = msgspec.json.Decoder(list[msgspec.Raw])


MAX_LINES = 100_000
"""Lines, or elements of an array, of one body."""

_MAX_COMMAS = 1_000_000
"""Commas in an array up to which its elements are found at once, as that takes memory for each."""


class DocumentError(ValueError):
    """A body that is no JSON at all."""


class TooManyLinesError(ValueError):
    """A body of too many lines."""

    def __init__(self) -> None:
        super().__init__(f"the body has over {MAX_LINES:,} events; send it in parts")


@dataclass
class Document:
    """Lines of a body, or of a part of it.

    Attributes:
        events: events.
        indices: index of each event in the body, in which each row of a batch counts.
        batches: batches and outcomes, each with the index of its first event.
        rejected: lines that cannot be decoded, by reason, with their indices in the body.
        end: index of the first event after it.
    """

    events: list[Line]
    indices: Sequence[int]
    batches: list[tuple[int, Line]] = field(default_factory=list)
    rejected: list[RejectedError] = field(default_factory=list)
    end: int = 0


def documents(body: bytes, content_type: str) -> Iterator[Document]:
    """Yield the lines of a body in parts, so that others have their turns in between.

    Args:
        body: the unpacked body.
        content_type: JSON_TYPE or one of LINE_TYPES.

    Raises:
        DocumentError: it is empty, or no JSON.
        TooManyLinesError: it has too many lines.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        raise DocumentError("the body is empty; expected an event, an array or lines of events")
    index = 0
    for part in _parts(text, content_type):
        found = _document(part, index)
        index = found.end
        yield found


def _parts(text: bytes, content_type: str) -> Iterator[list[Line | RejectedError]]:
    if text.startswith(b"["):
        yield from _parts_of_array(text)
    elif content_type in LINE_TYPES or _has_lines(text):
        if text.count(b"\n") >= MAX_LINES:
            raise TooManyLinesError
        for block in _blocks(text):
            lines = decode_block(block)
            if lines is not None:
                yield list(lines)
            else:
                yield from _slices(block.split(b"\n"))
    else:
        (line,) = _decode_each([text])
        if isinstance(line, RejectedError) and line.reason in _NO_JSON:
            raise DocumentError(f"the body is no JSON object or array: {line}")
        yield [line]


def _parts_of_array(text: bytes) -> Iterator[list[Line | RejectedError]]:
    if len(text) <= _MAX_FAST_BYTES:
        try:
            yield list(_events.decode(text))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return
    yield from _slices(_elements(text))


def _elements(text: bytes) -> Iterable[bytes]:
    """Return the elements of an array."""
    if text.count(b",") > _MAX_COMMAS:
        return _elements_one_by_one(text)
    try:
        found = _array.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"the body is no JSON array: {error}") from error
    if len(found) > MAX_LINES:
        raise TooManyLinesError
    return map(bytes, found)


def _elements_one_by_one(text: bytes) -> Iterator[bytes]:
    """Yield the elements of an array, and stop where there are too many; slower, in less memory."""
    decoder = json.JSONDecoder()
    try:
        rest, position = text.decode(), 1
        for _ in range(MAX_LINES):
            position = _SPACE.match(rest, position).end()  # type: ignore[union-attr]
            _, end = decoder.raw_decode(rest, position)
            yield rest[position:end].encode()
            position = _SPACE.match(rest, end).end()  # type: ignore[union-attr]
            if rest[position] == "]" and position + 1 == len(rest):
                return
            if rest[position] != ",":
                raise DocumentError(f"the body is no JSON array: at character {position}")
            position += 1
    except (ValueError, IndexError, RecursionError) as error:
        raise DocumentError(f"the body is no JSON array: {error}") from error
    raise TooManyLinesError


def _slices(texts: Iterable[bytes]) -> Iterator[list[Line | RejectedError]]:
    """Yield decoded lines, in slices that take little time; at least one."""
    rest = iter(texts)
    piece = list(islice(rest, _LINES_A_SLICE))
    yield _decode_each(piece)
    while piece := list(islice(rest, _LINES_A_SLICE)):
        yield _decode_each(piece)


def _has_lines(text: bytes) -> bool:
    """Return whether the first line is a JSON document, so that each line is one."""
    first, found, _ = text.partition(b"\n")
    if not found:
        return False
    try:
        msgspec.json.decode(first, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _blocks(text: bytes) -> Iterator[bytes]:
    """Yield whole lines, about as many as are decoded at once."""
    begin = 0
    while begin < len(text):
        end = text.find(b"\n", begin + _MAX_FAST_BYTES) + 1 or len(text)
        yield text[begin:end]
        begin = end


def _decode_each(texts: Iterable[bytes]) -> list[Line | RejectedError]:
    found: list[Line | RejectedError] = []
    for text in texts:
        if text.strip():
            try:
                found.append(decode_line(text))
            except RejectedError as error:
                found.append(error)
    return found


def _document(lines: list[Line | RejectedError], index: int) -> Document:
    """Sort lines by what they are, given the index of the first event."""
    events = [ln for ln in lines if isinstance(ln, Line) and _is_event(ln)]
    if len(events) == len(lines):
        end = index + len(events)
        return Document(events, range(index, end), end=end)
    indices: list[int] = []
    rejected: dict[Reason, tuple[str, list[int]]] = {}
    found = Document(events, indices)
    for line in lines:
        if isinstance(line, RejectedError):
            where = rejected.setdefault(line.reason, (str(line), []))[1]
            where += range(index, index + line.rows)
            index += line.rows - 1
        elif _is_event(line):
            indices.append(index)
        elif line.columns is not None or line.outcome is not None:
            found.batches.append((index, line))
            index += max(line.rows, 1) - 1
        else:
            text = "hello and stats are of the event socket alone"
            rejected.setdefault(Reason.WRONG_TYPE, (text, []))[1].append(index)
        index += 1
    found.rejected = [
        RejectedError(reason, text, where) for reason, (text, where) in rejected.items()
    ]
    found.end = index
    return found


def _is_event(line: Line) -> bool:
    return not (line.columns or line.outcome or line.hello or line.stats)
