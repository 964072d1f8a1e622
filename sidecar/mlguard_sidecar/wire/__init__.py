"""The wire format: decoding and validation of events."""

from mlguard_sidecar.wire.columns import epoch_seconds
from mlguard_sidecar.wire.decode import decode_block, decode_line, find_seq
from mlguard_sidecar.wire.errors import (
    REJECTION_REASONS,
    VALUE_REASONS,
    InvalidValues,
    Reason,
    RejectedError,
)
from mlguard_sidecar.wire.lenient import clean_text, line_of, read_score
from mlguard_sidecar.wire.messages import Batch, Hello, Line
from mlguard_sidecar.wire.outcomes import (
    IdentifiedPrediction,
    OutcomeRow,
    OutcomeRows,
    identified,
    rows_of_outcome,
)
from mlguard_sidecar.wire.prediction_ids import read_id
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
    "REJECTION_REASONS",
    "VALUE_REASONS",
    "Batch",
    "Hello",
    "IdentifiedPrediction",
    "InvalidValues",
    "Line",
    "ModelKey",
    "OutcomeRow",
    "OutcomeRows",
    "Positions",
    "Reason",
    "RejectedError",
    "Rows",
    "clean_text",
    "decode_block",
    "decode_line",
    "epoch_seconds",
    "find_seq",
    "identified",
    "is_name",
    "line_of",
    "read_id",
    "read_score",
    "rows_of_batch",
    "rows_of_events",
    "rows_of_outcome",
    "validate",
]
