"""Decoding of lines of the event socket."""

from __future__ import annotations

import json
import math
import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from mlguard.protocol import DEFAULT_ENDPOINT, MAX_SEQ
from mlguard_sidecar.wire.errors import Reason, RejectedError

Value = int | float | bool | str | None
Proba = float | dict[str, float] | None


class Hello(msgspec.Struct, gc=False):
    """First line of a client that wants acknowledgements."""

    client: str
    version: int


class Batch(msgspec.Struct, gc=False):
    """Columns of one length; a column that is left out is missing in every row."""

    timestamp: list[float | str | None] | None = None
    latency_ms: list[float | None] | None = None
    y_pred: list[Value] | None = None
    y_proba: list[Proba] | None = None
    features: dict[str, list[Value]] | None = None


class Stats(msgspec.Struct, gc=False):
    """Number of events that a client has dropped since its last report."""

    dropped: Annotated[int, Meta(ge=0, le=2**31)] = 0


class Line(msgspec.Struct, gc=False):
    """Line of any type: an event, a batch, a hello or stats."""

    project_id: str | None = None
    model_id: str | None = None
    endpoint: str = DEFAULT_ENDPOINT
    timestamp: float | str | None = None
    latency_ms: float | None = None
    y_pred: Value = None
    y_proba: Proba = None
    features: dict[str, Value] | None = None
    columns: Batch | None = None
    seq: Annotated[int, Meta(ge=1, le=MAX_SEQ)] | None = None
    hello: Hello | None = None
    stats: Stats | None = None


_decoder = msgspec.json.Decoder(Line)
_NOT_FINITE = re.compile(rb"NaN|Infinity|[eE]\+?\d{3}")


def decode_block(block: bytes) -> list[Line] | None:
    """Decode many lines at once; return None if any of them is bad.

    `decode_line` then finds it.
    """
    try:
        return _decoder.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decode_line(line: bytes) -> Line:
    """Decode one line.

    NaN and infinities, which Python writes although JSON lacks them, are read as missing.

    Raises:
        RejectedError: the line is not an object of the wire format.
    """
    try:
        return _decoder.decode(line)
    except UnicodeDecodeError as error:
        raise RejectedError(
            Reason.BAD_UTF8, f"not UTF-8 at byte {error.start} of a text"
        ) from error
    except (msgspec.MsgspecError, RecursionError) as error:
        if _NOT_FINITE.search(line):
            return _decode_not_finite(line)
        raise _rejection(error) from error


def _rejection(error: Exception) -> RejectedError:
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return RejectedError(Reason.BAD_JSON, text)
    if text.startswith("Expected `object`") and " - at " not in text:
        return RejectedError(Reason.NOT_AN_OBJECT, text)
    return RejectedError(Reason.WRONG_TYPE, text)


def _decode_not_finite(line: bytes) -> Line:
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RejectedError(Reason.BAD_JSON, str(error)[:200]) from error
    if isinstance(tree, dict):
        if _not_finite(tree.get("latency_ms")):
            raise RejectedError(Reason.BAD_LATENCY, "latency_ms is not finite")
        if _not_finite(tree.get("timestamp")):
            raise RejectedError(Reason.BAD_TIMESTAMP, "timestamp is not finite")
    try:
        return msgspec.convert(_finite(tree), Line)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _rejection(error) from error


def _not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _finite(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {_encodable(name): _finite(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_finite(value) for value in tree]
    if isinstance(tree, str):
        return _encodable(tree)
    return None if _not_finite(tree) else tree


def _encodable(text: str) -> str:
    """Replace lone surrogates, which Python reads from JSON, but cannot encode."""
    return text.encode("utf-8", "replace").decode()
