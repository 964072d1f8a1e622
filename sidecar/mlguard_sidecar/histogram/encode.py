"""Encoding of panes as bytes: counts in the narrowest integers, deflated."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from mlguard_sidecar.histogram.pane import Pane

VERSION = b"\x01"
"""First byte of every stored pane: the version of the encoding."""

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
    header = VERSION + mark + len(pane.moments).to_bytes(4, "little")
    return header + zlib.compress(pane.moments.astype("<f8").tobytes() + counts, level=1)


def decode(data: bytes) -> Pane:
    """Return the pane that `encode` encoded.

    Raises:
        ValueError: the bytes are not an encoded pane.
    """
    if data[:1] != VERSION:
        raise ValueError(
            f"a stored pane of {len(data)} bytes cannot be read: found version {data[:1]!r},"
            f" expected {VERSION!r}"
        )
    try:
        kind, columns = _TYPES[data[1:2]], int.from_bytes(data[2:6], "little")
        body = zlib.decompress(data[6:])
        moments = np.frombuffer(body, dtype="<f8", count=columns * 5).reshape(columns, 5).copy()
        counts = np.frombuffer(body, dtype=kind, offset=columns * 40).astype(np.int64)
    except (KeyError, ValueError, zlib.error) as error:
        raise ValueError(f"a stored pane of {len(data)} bytes cannot be read: {error}") from error
    return Pane(counts, moments)
