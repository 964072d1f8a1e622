"""The type of a model's predictions, and how it is decided before there is a baseline."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from mlguard_sidecar.baseline import ColumnSample, decide_prediction
from mlguard_sidecar.histogram import Kind
from mlguard_sidecar.histogram.values import is_plain_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_sidecar.histogram.encoded_column import Values


class Prediction(StrEnum):
    """Type of `y_pred`: a class, or the value of a regression."""

    CLASS = "class"
    VALUE = "value"


def prediction_after(
    values: Values, known: Prediction | None, classes: Sequence[str]
) -> Prediction | None:
    """Return the type of predictions after further ones, without a configuration or a baseline.

    Whole numbers are classes until a number that is not whole, or too many different ones, show
    that they are values. The baseline then decides from all of its rows.

    Args:
        values: `y_pred` of the new events.
        known: type before them; None if there were none.
        classes: classes before them.
    """
    if known is Prediction.VALUE or not all(map(is_plain_number, classes)):
        return known
    sample = ColumnSample.of(values)
    sample.add([float(text) for text in classes])
    kind = decide_prediction(sample).kind
    if kind is None:
        return known
    return Prediction.VALUE if kind is Kind.NUMERIC else Prediction.CLASS
