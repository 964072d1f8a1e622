"""Columns to JSON, with the fastest encoder that is installed."""

import json
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, TypeAlias

from mlguard import values

Encode: TypeAlias = Callable[[dict[str, Any]], bytes]

_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
)


def fastest_encoder() -> Encode:
    """Return an encoder for the columns of a clean table; NaN and infinities become null.

    It uses orjson or msgspec if they are installed. The JSON of all encoders decodes to the same
    values.
    """
    for load in (_orjson, _msgspec):
        try:
            return _with_fallback(load())
        except Exception:  # noqa: BLE001, PERF203, S112 - a broken library counts as absent
            continue
    return _with_fallback(encode_json)


def encode_json(columns: dict[str, Any]) -> bytes:
    """Encode with the standard library.

    Raises:
        ValueError: a value is NaN, infinite, or a string with a lone surrogate.
    """
    return _json.encode(columns).encode()


def _with_fallback(fast: Encode) -> Encode:
    """Return an encoder that checks each value if the fast one fails."""

    def encode(columns: dict[str, Any]) -> bytes:
        try:
            return fast(columns)
        except Exception:  # noqa: BLE001 - the fallback removes the cause
            return encode_json(_encodable_columns(columns))

    return encode


def _encodable_columns(columns: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: _encodable(each) for key, each in column.items()}
        if name == "features"
        else _encodable(column)
        for name, column in columns.items()
    }


def _encodable(column: Sequence[Any]) -> Sequence[Any]:
    """Return a clean column without values that only some encoders accept."""
    kinds = set(map(type, column))
    if float in kinds and not (kinds <= {float, int} and isfinite(sum(column))):
        column = [None if type(each) is float and not isfinite(each) else each for each in column]
    if str in kinds:
        column = [values.text(each) if type(each) is str else each for each in column]
    return column


def _orjson() -> Encode:
    import orjson  # noqa: PLC0415 - optional, and loaded only when a Guard is made

    return orjson.dumps  # type: ignore[no-any-return, unused-ignore]


def _msgspec() -> Encode:
    import msgspec  # noqa: PLC0415 - the same

    return msgspec.json.Encoder().encode
