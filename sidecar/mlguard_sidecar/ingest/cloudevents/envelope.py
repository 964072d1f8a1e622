"""Envelopes of CloudEvents 1.0 in the binary, structured and batched mode of HTTP."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

import msgspec

from mlguard_sidecar.ingest.cloudevents.dropped import DroppedError
from mlguard_sidecar.wire import epoch_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

STRUCTURED_TYPE = "application/cloudevents+json"
BATCHED_TYPE = "application/cloudevents-batch+json"
HEADER_PREFIX = "ce-"

MAX_BATCH_BYTES = 2 << 20
MAX_BATCH_EVENTS = 10_000
"""Limits of one batch, which counts as one event beyond them."""

_MAX_KEY_LENGTH = 1024
_JSON = msgspec.json.Decoder(dict[str, msgspec.Raw])
_JSON_LIST = msgspec.json.Decoder(list[msgspec.Raw])


class CloudEvent(NamedTuple):
    """Logged request or response of a model server.

    Attributes:
        key: what the request and the response of one inference of a model have in common, and
            no others of that model.
        is_response: whether it is the response.
        time: `time`, epoch seconds; None if it is missing or unreadable.
        is_timed: whether `time` says when the request or response passed, and not when the event
            was sent.
        attributes: all attributes, by their names in lower case.
        data: the body that was logged.
    """

    key: tuple[str, str]
    is_response: bool
    time: float | None
    is_timed: bool
    attributes: Mapping[str, str]
    data: bytes


def read_binary(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    """Return the event of a request in binary mode.

    Args:
        headers: headers by their names in lower case; others than `ce-*` do not matter.
        body: the body.

    Raises:
        DroppedError: it is no logged request or response.
    """
    start = len(HEADER_PREFIX)
    attributes = {
        name[start:]: unquote(value) if "%" in value else value
        for name, value in headers.items()
        if name.startswith(HEADER_PREFIX)
    }
    return _event(attributes, body)


def read_structured(body: bytes) -> CloudEvent:
    """Return the event of a request in structured mode.

    Raises:
        DroppedError: it is no logged request or response.
    """
    try:
        members = _JSON.decode(body)
        attributes = {}
        for name, raw in members.items():
            if name not in ("data", "data_base64"):
                value = msgspec.json.decode(raw)
                if value is not None:
                    attributes[name.lower()] = value if isinstance(value, str) else str(value)
        data = _data(members)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        text = f"structured CloudEvent: {error}"
        raise DroppedError("unparsable", text[:200]) from error
    return _event(attributes, data)


def split_batch(body: bytes) -> list[bytes]:
    """Return the structured events of a request in batched mode.

    Raises:
        DroppedError: it is no JSON array, or a large one.
    """
    text = f"batch of over {MAX_BATCH_BYTES >> 20} MiB or {MAX_BATCH_EVENTS} CloudEvents"
    if len(body) > MAX_BATCH_BYTES:
        raise DroppedError("too_large", text)
    try:
        parts = _JSON_LIST.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        text = f"batch of CloudEvents: {error}"
        raise DroppedError("unparsable", text[:200]) from error
    if len(parts) > MAX_BATCH_EVENTS:
        raise DroppedError("too_large", text)
    return list(map(bytes, parts))


def _data(members: Mapping[str, msgspec.Raw]) -> bytes:
    packed = members.get("data_base64")
    if packed is not None:
        return base64.b64decode(msgspec.json.decode(packed, type=str), validate=True)
    data = bytes(members.get("data", b""))
    if data.startswith(b'"'):  # JSON as text
        return msgspec.json.decode(data, type=str).encode()
    return data


def _event(attributes: dict[str, str], data: bytes) -> CloudEvent:
    source, kind = attributes.get("source"), attributes.get("type")
    # Seldon's own ID of a request is of the nodes of its graph together
    name = attributes.get("requestid")
    name = attributes.get("id") if name is None else f"{attributes.get('modelid', '')}/{name}"
    if not source or not name or not kind:
        missing = [key for key in ("id", "source", "type") if not attributes.get(key)]
        text = f"no CloudEvent: found no {', '.join(missing)}"
        raise DroppedError("unparsable", text)
    if len(source) + len(name) > _MAX_KEY_LENGTH:
        text = f"id and source are longer than {_MAX_KEY_LENGTH} characters"
        raise DroppedError("unparsable", text)
    end = kind.rpartition(".")[2]
    if end not in ("request", "response"):
        text = f"type: found {kind[:100]!r}, expected one that ends with .request or .response"
        raise DroppedError("unsupported", text)
    time = epoch_seconds(attributes["time"]) if "time" in attributes else None
    return CloudEvent(
        (source, name),
        end == "response",
        time if time == time else None,  # noqa: PLR0124 - NaN is unreadable
        "recordedtime" in attributes,
        attributes,
        data,
    )
