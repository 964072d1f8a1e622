"""Reasons for which lines and events are rejected, and values are invalid."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reason(StrEnum):
    """Reason of a rejection or of an invalid value, a value of the label `reason`."""

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
    BAD_PREDICTION = "bad_prediction"
    BAD_PREDICTION_ID = "bad_prediction_id"
    BAD_OUTCOME = "bad_outcome"
    UNKNOWN_MODEL = "unknown_model"
    FORBIDDEN_PROJECT = "forbidden_project"
    BAD_FEATURE = "bad_feature"
    BAD_FEATURE_NAME = "bad_feature_name"
    TOO_MANY_FEATURES = "too_many_features"
    TOO_MANY_ROWS = "too_many_rows"
    UNEVEN_COLUMNS = "uneven_columns"
    LINE_TOO_LONG = "line_too_long"
    INCOMPLETE_LINE = "incomplete_line"
    INTERNAL = "internal"


VALUE_REASONS = frozenset(
    {
        Reason.BAD_UTF8,
        Reason.BAD_LATENCY,
        Reason.BAD_PROBA,
        Reason.BAD_PREDICTION,
        Reason.BAD_PREDICTION_ID,
        Reason.BAD_FEATURE,
        Reason.BAD_FEATURE_NAME,
        Reason.TOO_MANY_FEATURES,
    }
)
"""Reasons of invalid values."""

REJECTION_REASONS = frozenset(Reason) - VALUE_REASONS
"""Reasons of rejections."""


class InvalidValues(NamedTuple):
    """Values that mean nothing, in events that are counted otherwise.

    Attributes:
        reason: reason under which the values are counted.
        message: what was found and what is expected, for the first of them.
        values: number of values.
    """

    reason: Reason
    message: str
    values: int


class RejectedError(ValueError):
    """Rejection of some events.

    Attributes:
        reason: reason under which they are counted.
        indices: indices of the events in their submission, from 0. A line that cannot be decoded
            counts as one event.
    """

    def __init__(self, reason: Reason, message: str, indices: Sequence[int] = (0,)) -> None:
        super().__init__(message)
        self.reason = reason
        self.indices = indices

    @property
    def rows(self) -> int:
        """Number of rejected events."""
        return len(self.indices)
