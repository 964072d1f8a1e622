"""The wire format: decoding and validation of events."""

from mlguard_sidecar.wire.errors import Reason, RejectedError
from mlguard_sidecar.wire.messages import (
    Batch,
    Hello,
    Line,
    decode_block,
    decode_line,
)
from mlguard_sidecar.wire.rows import (
    ModelKey,
    Positions,
    Rows,
    is_name,
    rows_of_batch,
    rows_of_events,
)
from mlguard_sidecar.wire.validate import validate

__all__ = [
    "Batch",
    "Hello",
    "Line",
    "ModelKey",
    "Positions",
    "Reason",
    "RejectedError",
    "Rows",
    "decode_block",
    "decode_line",
    "is_name",
    "rows_of_batch",
    "rows_of_events",
    "validate",
]
