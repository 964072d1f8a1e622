"""The wire format: bytes of the socket in, checked columns of events out."""

from mlguard_sidecar.wire.check import checked
from mlguard_sidecar.wire.message import (
    LINE_LIMIT,
    Batch,
    Hello,
    Line,
    decode_block,
    decode_line,
)
from mlguard_sidecar.wire.reasons import Reason, Refused
from mlguard_sidecar.wire.rows import (
    FEATURE_LIMIT,
    ModelKey,
    Rows,
    is_name,
    rows_of_batch,
    rows_of_events,
)

__all__ = [
    "FEATURE_LIMIT",
    "LINE_LIMIT",
    "Batch",
    "Hello",
    "Line",
    "ModelKey",
    "Reason",
    "Refused",
    "Rows",
    "checked",
    "decode_block",
    "decode_line",
    "is_name",
    "rows_of_batch",
    "rows_of_events",
]
