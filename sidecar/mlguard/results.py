"""Predictions in the result of a predict function."""

from collections.abc import Mapping, Sequence
from typing import Any


def predictions_of(result: Any, rows: int) -> dict[str, Any] | None:
    """Return the predictions of many inferences as arguments of `Guard.log_batch`.

    They are the result if it has one element for each row; the probabilities, if it is a matrix
    of numbers from 0 to 1; both, if it is a tuple of both. None if it is none of these.
    """
    if type(result) is tuple and result and all(_has_length(each, rows) for each in result):
        return dict(zip(("y_pred", "y_proba"), result, strict=False))
    if _has_length(result, rows):
        if len(getattr(result, "columns", ())) > 1:
            return {}  # which of them is the prediction is not known
        return {"y_proba" if _is_probabilities(result) else "y_pred": result}
    if rows == 1 and (only := prediction_of(result)) is not None:
        return {"y_pred": [only]}
    return None


def prediction_of(result: Any) -> Any:
    """Return the prediction of one inference: a scalar, or the element of an array of size one."""
    if isinstance(result, (str, int, float)):
        return result
    try:
        return result.item()
    except Exception:  # noqa: BLE001 - it has no item, or more than one
        return None


class YieldedItems:
    """What a generator yields, as far as it may be predictions: one for each row.

    Args:
        rows: how many inferences the call is.
    """

    def __init__(self, rows: int) -> None:
        self._limit = rows + 1
        self._items: list[Any] = []

    def add(self, item: Any) -> None:
        """Keep an item, unless there are more than there are rows."""
        if len(self._items) < self._limit:
            self._items.append(item)

    def result(self, returned: Any, *, many: bool) -> Any:
        """Return what stands for the result of the call.

        Args:
            returned: what the generator returned.
            many: whether the call is inferences with rows.
        """
        if len(self._items) != self._limit - 1 or returned is not None:
            return returned
        return self._items if many else next(iter(self._items), None)


def _has_length(result: Any, rows: int) -> bool:
    """Return whether a result is one prediction for each row."""
    return (
        not isinstance(result, (str, bytes, Mapping))
        and hasattr(result, "__len__")
        and getattr(result, "ndim", 1) != 0
        and len(result) == rows
    )


def _is_probabilities(result: Any) -> bool:
    """Return whether a result is a matrix of several probabilities for each row."""
    shape: Sequence[int] = getattr(result, "shape", ())
    if len(shape) != 2 or shape[1] < 2 or hasattr(result, "columns"):
        return False
    return bool(float(result.min()) >= 0 and float(result.max()) <= 1)
