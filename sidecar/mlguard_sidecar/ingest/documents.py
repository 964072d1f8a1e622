"""Bodies to lines: one event, an array, lines of JSON, or a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
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

_events = msgspec.json.Decoder(list[Line])
_array = msgspec.json.Decoder(list[msgspec.Raw])


class DocumentError(ValueError):
    """A body that is no JSON at all."""


@dataclass
class Document:
    """Lines of a body, or of a part of it.

    Attributes:
        events: events.
        indices: index of each event in the body, in which each row of a batch counts.
        batches: batches and outcomes, each with the index of its first event.
        rejected: index of each line that cannot be decoded, and why.
        end: index of the first event after it.
    """

    events: list[Line]
    indices: Sequence[int]
    batches: list[tuple[int, Line]] = field(default_factory=list)
    rejected: list[tuple[int, RejectedError]] = field(default_factory=list)
    end: int = 0


def documents(body: bytes, content_type: str) -> Iterator[Document]:
    """Yield the lines of a body in parts, so that others have their turns in between.

    Args:
        body: the unpacked body.
        content_type: JSON_TYPE or one of LINE_TYPES.

    Raises:
        DocumentError: it is empty, or no JSON.
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
        for block in _blocks(text):
            lines = decode_block(block)
            yield list(lines) if lines is not None else _decode_each(block.split(b"\n"))
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
    try:
        raws = _array.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"the body is no JSON array: {error}") from error
    for i in range(0, max(len(raws), 1), _LINES_A_SLICE):
        yield _decode_each(map(bytes, raws[i : i + _LINES_A_SLICE]))


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
    found = Document(events, indices)
    for line in lines:
        if isinstance(line, RejectedError):
            found.rejected.append((index, line))
        elif _is_event(line):
            indices.append(index)
        elif line.columns is not None or line.outcome is not None:
            found.batches.append((index, line))
            index += _rows(line) - 1
        else:
            text = "hello and stats are of the event socket alone"
            found.rejected.append((index, RejectedError(Reason.WRONG_TYPE, text)))
        index += 1
    found.end = index
    return found


def _is_event(line: Line) -> bool:
    return not (line.columns or line.outcome or line.hello or line.stats)


def _rows(line: Line) -> int:
    """Return the number of rows of a batch or of outcomes."""
    if line.columns is not None:
        columns = line.columns
        lists = [columns.timestamp, columns.latency_ms, columns.y_pred, columns.y_proba, columns.id]
        lists += list((columns.features or {}).values())
        return max((len(each) for each in lists if each is not None), default=1)
    ids = line.outcome.id if line.outcome is not None else None
    return len(ids) if isinstance(ids, list) else 1
