"""Columns to JSON, by the fastest encoder that is installed."""

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
    """Return an encoder for a cleaned table's columns: NaN and infinities become null.

    All of them decode to the same. None of the libraries is needed.
    """
    for choose in (_orjson, _msgspec):
        try:
            return _forgiving(choose())
        except Exception:  # noqa: BLE001, PERF203, S112 - a broken library is as good as none
            continue
    return _forgiving(encode_json)


def encode_json(columns: dict[str, Any]) -> bytes:
    """Encode with the standard library.

    Raises:
        ValueError: NaN, an infinity or a lone surrogate is somewhere.
    """
    return _json.encode(columns).encode()


def _forgiving(fast: Encode) -> Encode:
    """Return an encoder that looks at each value where the fast one fails."""

    def encode(columns: dict[str, Any]) -> bytes:
        try:
            return fast(columns)
        except Exception:  # noqa: BLE001 - whatever it was, the slow way leaves it out
            return encode_json(_each_cleaned(columns))

    return encode


def _each_cleaned(columns: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: _fit(each) for key, each in column.items()}
        if name == "features"
        else _fit(column)
        for name, column in columns.items()
    }


def _fit(column: Sequence[Any]) -> Sequence[Any]:
    """Return a cleaned column without what only some encoders take."""
    kinds = set(map(type, column))
    if float in kinds and not (kinds <= {float, int} and isfinite(sum(column))):
        column = [None if type(each) is float and not isfinite(each) else each for each in column]
    if str in kinds:
        column = [values.text(each) if type(each) is str else each for each in column]
    return column


def _orjson() -> Encode:
    import orjson  # noqa: PLC0415 - only where the host has it, and not before a Guard is made

    return orjson.dumps  # type: ignore[no-any-return, unused-ignore]


def _msgspec() -> Encode:
    import msgspec  # noqa: PLC0415 - the same

    return msgspec.json.Encoder().encode
