"""Why a line or an event is refused."""

from __future__ import annotations

from enum import StrEnum


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


class Refused(ValueError):  # noqa: N818 - it is what happened to an event
    """Some events are not counted.

    Attributes:
        reason: under which they are counted as rejected.
        rows: how many events, where that can be known, else 1.
    """

    def __init__(self, reason: Reason, message: str, rows: int = 1) -> None:
        super().__init__(message)
        self.reason = reason
        self.rows = rows
