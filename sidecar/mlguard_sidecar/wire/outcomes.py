"""Outcomes on the wire: truths of one model, singly or as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mlguard.protocol import MAX_BATCH_ROWS
from mlguard_sidecar.histogram.values import INVALID, is_missing
from mlguard_sidecar.wire.errors import Reason, RejectedError
from mlguard_sidecar.wire.prediction_ids import EXPECTED, read_id
from mlguard_sidecar.wire.rows import model_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlguard_sidecar.wire.messages import Line, Outcome
    from mlguard_sidecar.wire.rows import ModelKey, Rows


class IdentifiedPrediction(NamedTuple):
    """Prediction that waits for its outcome.

    Attributes:
        id: ID of the prediction.
        time: when it was made, epoch seconds.
        y_pred: raw value.
        y_proba: raw value.
    """

    id: str
    time: float
    y_pred: object
    y_proba: float | Mapping[str, float] | None


class OutcomeRow(NamedTuple):
    """Truth of a prediction.

    Attributes:
        id: ID of the prediction.
        y_true: raw value.
        y_pred: raw value of the prediction; None if it has to be found by its ID.
        y_proba: raw value, of a prediction that is given.
    """

    id: str
    y_true: object
    y_pred: object
    y_proba: float | Mapping[str, float] | None


@dataclass(frozen=True)
class OutcomeRows:
    """Outcomes of one model.

    Attributes:
        key: key of the model.
        rows: the outcomes.
        rejected: rejections of all others.
    """

    key: ModelKey
    rows: Sequence[OutcomeRow]
    rejected: Sequence[RejectedError]


def rows_of_outcome(line: Line, outcome: Outcome) -> OutcomeRows:
    """Return the outcomes of a line.

    Args:
        line: the decoded line.
        outcome: its outcome, or its outcomes as columns of one length.

    Raises:
        RejectedError: none of them can be counted.
    """
    columns = [outcome.id, outcome.y_true, outcome.y_pred, outcome.y_proba]
    lists = [column for column in columns if isinstance(column, list)]
    lengths = outcome.lengths()
    n = lengths[-1]
    if len(lengths) > 1:
        found = ", ".join(map(str, lengths))
        text = f"outcome: columns of lengths {found}, expected one length"
        raise RejectedError(Reason.UNEVEN_COLUMNS, text, range(n))
    if n > MAX_BATCH_ROWS:
        text = f"{n} outcomes in a line, expected at most {MAX_BATCH_ROWS}"
        raise RejectedError(Reason.TOO_MANY_ROWS, text, range(n))
    if any(column is not None and not isinstance(column, list) for column in columns) and lists:
        text = "outcome: found values beside arrays, expected one or the other"
        raise RejectedError(Reason.BAD_OUTCOME, text, range(n))
    try:
        key = model_key(line.project_id, line.model_id, line.endpoint)
    except RejectedError as error:
        raise RejectedError(error.reason, str(error), range(n)) from None
    ids, truths, predictions = (_column(column, n) for column in columns[:3])
    scores: list[Any] = _column(outcome.y_proba, n)
    good: list[OutcomeRow] = []
    without_id: list[int] = []
    without_truth: list[int] = []
    for i, (raw, truth, prediction, score) in enumerate(
        zip(ids, truths, predictions, scores, strict=True)
    ):
        name = read_id(raw)
        if name is None:
            without_id.append(i)
        elif truth is INVALID or is_missing(truth):
            without_truth.append(i)
        else:
            given = None if prediction is INVALID or is_missing(prediction) else prediction
            good.append(OutcomeRow(name, truth, given, score))
    rejected = [
        RejectedError(Reason.BAD_OUTCOME, text, indices)
        for indices, text in (
            (without_id, f"outcome: id: {EXPECTED}"),
            (without_truth, "outcome: y_true: expected a number, string or bool"),
        )
        if indices
    ]
    return OutcomeRows(key, good, rejected)


def _column(values: object, n: int) -> list[Any]:
    return values if isinstance(values, list) else [values] * n


def identified(rows: Rows) -> list[IdentifiedPrediction]:
    """Return the predictions of rows that have an ID."""
    scores = rows.probas or [None] * len(rows)
    return [
        IdentifiedPrediction(name, time, None if y_pred is INVALID else y_pred, score)
        for name, time, y_pred, score in zip(
            rows.ids or (), rows.times.tolist(), rows.y_pred, scores, strict=True
        )
        if name is not None
    ]
