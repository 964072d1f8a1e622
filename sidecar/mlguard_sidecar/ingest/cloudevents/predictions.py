"""The prediction and its probability among the outputs of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mlguard_sidecar.ingest.cloudevents.tensors import unwrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Y_PRED_NAMES = (
    *("y_pred", "predict", "prediction", "predictions", "predicted_label"),
    *("label", "class", "classes", "output_label"),
)
"""Names of outputs that are the prediction, the best first."""

Y_PROBA_NAMES = (
    *("y_proba", "predict_proba", "probability", "probabilities", "proba"),
    *("output_probability", "score", "scores"),
)
"""Names of outputs that are the probability, or that of each class, the best first."""

MAX_DEVIATION = 1e-3
"""How far the sum of the probabilities of all classes may be from 1."""

_NUMBERS = (int, float)


class Predictions(NamedTuple):
    """Predictions of some rows.

    Attributes:
        rows: number of rows.
        y_pred: raw values; None if missing.
        y_proba: raw values, of each class by its name or of one; None if missing.
    """

    rows: int
    y_pred: list[Any] | None
    y_proba: list[Any] | None


def predictions_of(
    rows: int,
    outputs: Mapping[str, list[Any]],
    y_pred: str | None = None,
    y_proba: str | None = None,
    classes: Sequence[str] = (),
) -> Predictions:
    """Find the predictions among outputs.

    Without names, outputs are known by the usual ones, else the first is the prediction. Vectors of
    probabilities are those of the classes 0, 1, ..., and the class of the largest is the prediction
    where no other output is.

    Args:
        rows: number of rows.
        outputs: name -> what the row has: a value, a list or an object.
        y_pred: name of the prediction.
        y_proba: name of the probability.
        classes: names of classes; used if there are as many as probabilities.
    """
    proba_name = _first([y_proba] if y_proba else Y_PROBA_NAMES, outputs)
    pred_name = _first([y_pred] if y_pred else Y_PRED_NAMES, outputs)
    if pred_name is None and proba_name is None and y_pred is None:
        pred_name = next(iter(outputs), None)
    pred = None if pred_name is None else unwrapped(outputs[pred_name])
    proba = None if proba_name is None else unwrapped(outputs[proba_name])
    if pred is None and proba is not None and y_proba is None and not _may_be_proba(proba):
        pred, proba = proba, None  # a score of another scale
    if pred is not None and proba is None and _are_distributions(pred):
        pred, proba = None, pred
    if proba is not None and list in set(map(type, proba)):
        proba = [_by_class(value, classes) for value in proba]
    if pred is None and proba is not None and {dict} == set(map(type, proba)):
        pred = [_largest(value) for value in proba]
    return Predictions(rows, pred, proba)


def _first(names: Sequence[str], outputs: Mapping[str, object]) -> str | None:
    return next((name for name in names if name in outputs), None)


def _may_be_proba(values: Sequence[Any]) -> bool:
    return all(
        isinstance(value, list | dict)
        or value is None
        or (isinstance(value, _NUMBERS) and 0 <= value <= 1)
        for value in values
    )


def _are_distributions(values: Sequence[Any]) -> bool:
    """Return whether each value is a list of the probabilities of all classes."""
    return bool(values) and all(
        type(value) is list
        and len(value) > 1
        and {int, float}.issuperset(map(type, value))
        and min(value) >= 0
        and max(value) <= 1
        and abs(sum(value) - 1) <= MAX_DEVIATION
        for value in values
    )


def _by_class(value: Any, classes: Sequence[str]) -> Any:
    """Return probabilities by class; what is no list as it is."""
    if type(value) is not list:
        return value
    names = classes if len(classes) == len(value) else range(len(value))
    return {str(name): part for name, part in zip(names, value, strict=True)}


def _largest(probabilities: dict[str, Any]) -> str | int | None:
    """Return the class of the largest probability; None if there is none."""
    numbers = {name: p for name, p in probabilities.items() if isinstance(p, _NUMBERS)}
    return max(numbers, key=numbers.__getitem__) if numbers else None
