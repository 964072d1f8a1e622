"""Bodies of V2 whose tensors follow their JSON as binary data."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from mlguard_sidecar.ingest.cloudevents.dropped import DroppedError

_KEY = "binary_data_size"
_LENGTH_BYTES = 4
_DTYPES = {
    "BOOL": "?",
    **{f"INT{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"UINT{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}


def has_binary_tensors(body: bytes) -> bool:
    """Return whether a body that is no JSON may be JSON with binary data."""
    return f'"{_KEY}"'.encode() in body


def read_binary_tensors(body: bytes) -> dict[str, Any]:
    """Return the JSON of a body, the data of its tensors in it.

    How long the JSON is stands in a header of the request, which a logged body has no more.

    Raises:
        DroppedError: the data is not as long as the tensors say, or of another type.
        ValueError: there is no JSON.
    """
    _, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))  # a byte is a character
    tree: dict[str, Any] = json.loads(body[:end])
    place = end
    for tensor in tree.get("inputs", tree.get("outputs")) or []:
        size = tensor.get("parameters", {}).get(_KEY)
        if size is None:
            continue
        if type(size) is not int or not 0 <= size <= len(body) - place:
            text = f"{_KEY}: found {str(size)[:40]}, but {len(body) - place} bytes follow"
            raise DroppedError("unparsable", text)
        tensor["data"] = _values(body[place : place + size], str(tensor.get("datatype")))
        place += size
    if place != len(body):
        text = f"found {len(body) - place} bytes behind the last tensor"
        raise DroppedError("unparsable", text)
    return tree


def _values(data: bytes, datatype: str) -> list[Any]:
    if datatype == "BYTES":
        return _texts(data)
    dtype = _DTYPES.get(datatype)
    if dtype is None:
        raise DroppedError("unsupported", f"binary tensor of datatype {datatype[:40]!r}")
    if len(data) % np.dtype(dtype).itemsize:
        raise DroppedError("unparsable", f"binary tensor of {len(data)} bytes of {datatype}")
    values: list[Any] = np.frombuffer(data, dtype).tolist()
    return values


def _texts(data: bytes) -> list[str]:
    """Return texts, each with its length before it."""
    found, place = [], 0
    while place < len(data):
        start = place + _LENGTH_BYTES
        place = start + int.from_bytes(data[place:start], "little")
        if start > len(data) or place > len(data):
            raise DroppedError("unparsable", "binary tensor of texts that is cut off")
        found.append(data[start:place].decode("utf-8", "replace"))
    return found
