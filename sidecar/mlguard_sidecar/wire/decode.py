"""Decoding of lines of the event socket."""

from __future__ import annotations

import re

import msgspec

from mlguard.protocol import MAX_SEQ
from mlguard_sidecar.wire.lenient import decode_leniently
from mlguard_sidecar.wire.messages import Line, decoder

_SCALAR = rb'(?:"(?:[^"\\]|\\.)*"|[^\s,{}\[\]"]+)'
_SEQ_FIRST = re.compile(
    rb'\s*\{\s*(?:"(?:[^"\\]|\\.)*"\s*:\s*' + _SCALAR + rb'\s*,\s*)*?"seq"\s*:\s*(\d{1,19})\s*,'
)
_SEQ_LAST = re.compile(rb',\s*"seq"\s*:\s*(\d{1,19})\s*\}\s*$')
_HEAD_BYTES = 4096


def decode_block(block: bytes) -> list[Line] | None:
    """Decode many lines at once; return None if any of them is bad.

    `decode_line` then finds it.
    """
    try:
        return decoder.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decode_line(line: bytes) -> Line:
    """Decode one line, with odd values as INVALID.

    Raises:
        RejectedError: the line is no JSON object, or nothing in it can be counted.
    """
    try:
        return decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return decode_leniently(line)


def find_seq(line: bytes, *, is_whole: bool) -> int | None:
    """Return the number of a batch that cannot be decoded, if it can be told; else None.

    Args:
        line: the line, or its beginning.
        is_whole: whether it is the whole line, at whose end the number may be.
    """
    if b'"columns"' not in line and b'"outcome"' not in line:
        return None
    found = _SEQ_FIRST.match(line[:_HEAD_BYTES])
    if found is None and is_whole:
        found = _SEQ_LAST.search(line[-64:])
    seq = int(found[1]) if found else 0
    return seq if 1 <= seq <= MAX_SEQ else None
