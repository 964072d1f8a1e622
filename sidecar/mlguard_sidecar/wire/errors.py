"""Why a line or an event is rejected."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reason(StrEnum):
    """The values of the label `reason` of `mlguard_sidecar_events_rejected_total`."""

    BAD_JSON = "bad_json"
    BAD_UTF8 = "bad_utf8"
    NOT_AN_OBJECT = "not_an_object"
    WRONG_TYPE = "wrong_type"
    MISSING_ID = "missing_id"
    BAD_ID = "bad_id"
    BAD_TIMESTAMP = "bad_timestamp"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    BAD_LATENCY = "bad_latency"
    BAD_PROBA = "bad_proba"
    TOO_MANY_FEATURES = "too_many_features"
    TOO_MANY_ROWS = "too_many_rows"
    UNEVEN_COLUMNS = "uneven_columns"
    LINE_TOO_LONG = "line_too_long"
    INCOMPLETE_LINE = "incomplete_line"
    INTERNAL = "internal"


class RejectedError(ValueError):
    """Some events are not counted.

    Attributes:
        reason: under which they are counted as rejected.
        indices: where they stand among the events that came together, from 0. Where it cannot be
            known how many events were in a line, it is one.
    """

    def __init__(self, reason: Reason, message: str, indices: Sequence[int] = (0,)) -> None:
        super().__init__(message)
        self.reason = reason
        self.indices = indices

    @property
    def rows(self) -> int:
        """How many events are rejected."""
        return len(self.indices)
