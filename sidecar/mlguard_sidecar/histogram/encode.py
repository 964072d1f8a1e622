"""Encoding of panes as bytes: counts in the narrowest integers, deflated."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import numpy as np

from mlguard_sidecar.histogram.pane import Pane

VERSION = b"\x01"
"""First byte of a stored pane: the version of the encoding."""

VERSION_OUTSIDE = b"\x02"
"""Version of a pane with values outside the baseline; their length precedes the rest."""

_OutsideRows = list[tuple[int, list[tuple[str | float, int]]]]
_outside_decoder = msgspec.json.Decoder(_OutsideRows)

_TYPES: dict[bytes, np.dtype[Any]] = {
    b"1": np.dtype("<u1"),
    b"2": np.dtype("<u2"),
    b"4": np.dtype("<u4"),
    b"8": np.dtype("<i8"),
}


def encode(pane: Pane) -> bytes:
    """Return the bytes of a pane; `decode` is the inverse."""
    largest = int(pane.counts.max(initial=0))
    mark = (
        b"1" if largest < 2**8 else b"2" if largest < 2**16 else b"4" if largest < 2**32 else b"8"
    )
    counts = pane.counts.astype(_TYPES[mark]).tobytes()
    body = pane.moments.astype("<f8").tobytes() + counts
    version, outside = VERSION, b""
    if pane.outside:
        rows = [(column, list(values.items())) for column, values in pane.outside.items()]
        outside = msgspec.json.encode(rows)
        version, outside = VERSION_OUTSIDE, len(outside).to_bytes(4, "little") + outside
    header = version + mark + len(pane.moments).to_bytes(4, "little")
    return header + zlib.compress(outside + body, level=1)


def decode(data: bytes) -> Pane:
    """Return the pane that `encode` encoded.

    Raises:
        ValueError: the bytes are not an encoded pane.
    """
    version = data[:1]
    if version not in (VERSION, VERSION_OUTSIDE):
        raise ValueError(
            f"a stored pane of {len(data)} bytes cannot be read: found version {version!r},"
            f" expected {VERSION!r} or {VERSION_OUTSIDE!r}"
        )
    try:
        kind, columns = _TYPES[data[1:2]], int.from_bytes(data[2:6], "little")
        body = zlib.decompress(data[6:])
        outside: _OutsideRows = []
        if version == VERSION_OUTSIDE:
            end = 4 + int.from_bytes(body[:4], "little")
            outside, body = _outside_decoder.decode(body[4:end]), body[end:]
        moments = np.frombuffer(body, dtype="<f8", count=columns * 5).reshape(columns, 5).copy()
        counts = np.frombuffer(body, dtype=kind, offset=columns * 40).astype(np.int64)
    except (KeyError, ValueError, zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(f"a stored pane of {len(data)} bytes cannot be read: {error}") from error
    return Pane(counts, moments, {column: dict(values) for column, values in outside})
