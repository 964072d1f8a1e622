"""Lines to numbered batches of the event socket, in which no value is read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Raw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlguard_sidecar.sending.lines import NumberedLine

MAX_ROWS = 1000
MAX_BYTES = 1 << 18
_DIGEST_BITS = 24
_CELLS = ("timestamp", "latency_ms", "y_pred", "y_proba", "id")
_UNREADABLE = b'"columns":}'
"""Makes a line that is no JSON one whose number the sidecar finds."""

_lines = msgspec.json.Decoder(dict[str, Raw])
_columns = msgspec.json.Decoder(list[Raw])


class NumberedBatch(NamedTuple):
    """A line for the event socket.

    Attributes:
        seq: its number.
        line: the line, without its line feed.
        rows: number of events or outcomes.
    """

    seq: int
    line: bytes
    rows: int


class _Event(NamedTuple):
    group: tuple[Any, ...]
    parts: dict[str, Raw]
    features: dict[str, Raw] | None


def seq_of(position: int, digest: bytes) -> int:
    """Return the number of a batch that ends at a position: this, and a part of the digest."""
    return position << _DIGEST_BITS | int.from_bytes(digest[:3], "big")


def position_of(seq: int) -> int:
    """Return the position at which the batch of a number ends."""
    return seq >> _DIGEST_BITS


def batches(lines: Sequence[NumberedLine]) -> Iterator[NumberedBatch]:
    """Yield lines as numbered batches.

    Neighbouring events of one model with the same features are one batch, all other lines stay one
    by one. Where a batch ends depends on the lines after the end of the last one alone, so that a
    second sender makes the same batches.
    """
    events: list[_Event] = []
    size = 0
    last: NumberedLine | None = None
    for line in lines:
        parts = _parts(line.raw)
        event = None if parts is None else _event(parts)
        if (
            events
            and last is not None
            and (
                event is None
                or event.group != events[0].group
                or len(events) == MAX_ROWS
                or size + len(line.raw) > MAX_BYTES
            )
        ):
            yield _batch(last, events)
            events, size = [], 0
        if event is None:
            yield _single(line, parts)
        else:
            events.append(event)
            size += len(line.raw)
        last = line
    if events and last is not None:
        yield _batch(last, events)


def _parts(raw: bytes) -> dict[str, Raw] | None:
    """Return the raw values of an object; None if the line is none."""
    try:
        return _lines.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:  # NaN, which Python writes, and bytes that are not UTF-8
        found = json.loads(raw.decode("utf-8", "surrogateescape"))
        return {name: _raw(value) for name, value in found.items()}
    except (ValueError, AttributeError, RecursionError):
        return None


def _raw(value: object) -> Raw:
    return Raw(json.dumps(value).encode())


def _event(parts: dict[str, Raw]) -> _Event | None:
    """Return an event; None for a batch and an outcome."""
    if not (_is_null(parts.get("columns")) and _is_null(parts.get("outcome"))):
        return None
    names: Any = None
    features = None
    given = parts.get("features")
    if given is not None and not _is_null(given):
        features = _parts(bytes(given))
        # what is no object is sent as it is, in a batch of its own
        names = object() if features is None else tuple(features)
    identity = (bytes(parts.get(key, b"")) for key in ("project_id", "model_id", "endpoint"))
    return _Event((*identity, names), parts, features)


def _is_null(value: Raw | None) -> bool:
    return value is None or bytes(value) == b"null"


def _batch(last: NumberedLine, events: list[_Event]) -> NumberedBatch:
    seq = seq_of(last.position, last.digest)
    first = events[0]
    columns: dict[str, Any] = {}
    null = Raw(b"null")
    for name in _CELLS:
        if any(name in event.parts for event in events):
            columns[name] = [event.parts.get(name, null) for event in events]
    if first.features is not None:
        columns["features"] = {
            name: [event.features[name] for event in events if event.features is not None]
            for name in first.features
        }
    elif not _is_null(first.parts.get("features")):
        odd = bytes(first.parts["features"])
        # a list would be as many rows as it is long
        columns["features"] = Raw(b"[0]") if odd.startswith(b"[") else Raw(odd)
    if not any(isinstance(column, list) for column in columns.values()) and not first.features:
        columns["y_pred"] = [null] * len(events)  # else it had no rows
    tree: dict[str, Any] = {"seq": seq}
    tree |= {k: first.parts[k] for k in ("project_id", "model_id", "endpoint") if k in first.parts}
    return NumberedBatch(seq, msgspec.json.encode(tree | {"columns": columns}), len(events))


def _single(line: NumberedLine, parts: dict[str, Raw] | None) -> NumberedBatch:
    seq = seq_of(line.position, line.digest)
    if parts is None:
        return NumberedBatch(seq, b'{"seq":%d,%s%s' % (seq, _UNREADABLE, line.raw), 1)
    tree: dict[str, Any] = {"seq": seq}
    tree |= {name: value for name, value in parts.items() if name != "seq"}
    return NumberedBatch(seq, msgspec.json.encode(tree), _rows(parts))


def _rows(parts: dict[str, Raw]) -> int:
    """Return the number of rows of a batch or of outcomes."""
    inner = _parts(bytes(parts.get("columns", parts.get("outcome", b"")))) or {}
    values = [*inner.values(), *(_parts(bytes(inner.get("features", b""))) or {}).values()]
    return max((_length(bytes(value)) for value in values), default=1)


def _length(raw: bytes) -> int:
    if not raw.startswith(b"["):
        return 1
    try:
        return len(_columns.decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 1
