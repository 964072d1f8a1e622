"""Sums of outcomes: predictions beside their truths, counted so that they merge by addition.

They are kept in a `Pane`, as histograms are, and so are stored, folded and moved by the same code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlguard_sidecar.histogram import CLASS_LIMIT, OTHER, Pane, moments_of
from mlguard_sidecar.histogram.values import (
    MAX_EXCESS,
    as_number,
    category,
    is_missing,
    plain_number,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

MAX_CLASSES = CLASS_LIMIT
"""Classes that are told apart; further ones are pooled."""

EPSILON = float(np.finfo(np.float64).eps)
"""Probabilities are clipped to this, and to 1 minus this, in log loss, as scikit-learn does."""

_MAX_ERROR = 1e150
"""Largest error of a value, as larger ones cannot be squared."""

_BOOLS = {"false": "0", "true": "1"}
_NUMBERS = {"0": "false", "1": "true"}

_MAX_SUM_EXCESS = 1e-3
"""How far the probabilities of an outcome may be from a sum of 1, as rounding leaves them."""


class Tally(IntEnum):
    """Counts of outcomes, by their place in a pane.

    OUTCOMES: truths that were counted. CORRECT: those whose class was predicted. FRACTIONS: those
    with a number that is not whole, which no class has. POSITIVES: those that are the positive
    class, among those with its probability. UNKNOWN_ID to BAD_PROBA: why others were not counted,
    or only in part. PREDICTIONS: predictions with an ID. COVERED: those that have got a truth.
    """

    OUTCOMES = 0
    CORRECT = 1
    FRACTIONS = 2
    POSITIVES = 3
    UNKNOWN_ID = 4
    REPEATED = 5
    NO_PREDICTION = 6
    WRONG_KIND = 7
    BAD_PROBA = 8
    PREDICTIONS = 9
    COVERED = 10


UNCOUNTED = {
    place.name.lower(): place
    for place in (
        Tally.UNKNOWN_ID,
        Tally.REPEATED,
        Tally.NO_PREDICTION,
        Tally.WRONG_KIND,
        Tally.BAD_PROBA,
    )
}
"""Reason, a value of the label `reason` -> its place."""


FIRST_PAIR = 16
"""Place of the first pair of classes in the counts; the places before it are a `Tally`."""


class Mean(IntEnum):
    """Quantities of which moments are kept, by their place in a pane."""

    LOG_LOSS = 0
    BRIER = 1
    POSITIVE_SCORE = 2
    ABSOLUTE_ERROR = 3
    SQUARED_ERROR = 4


class Judged(NamedTuple):
    """Prediction and its truth.

    Attributes:
        y_true: raw value.
        y_pred: raw value.
        y_proba: probability of the positive class, or of each class, or None.
    """

    y_true: object
    y_pred: object
    y_proba: float | Mapping[str, float] | None


@dataclass
class Classes:
    """Numbers of classes: 0 pools those beyond the limit, the others are in order of appearance.

    Attributes:
        names: the classes; the number of the first is 1.
    """

    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = {name: i for i, name in enumerate(self.names, 1)}

    def number(self, name: str) -> int:
        """Return the number of a class, a new one if it is new and there is room."""
        found = self._numbers.get(name)
        if found is None:
            if len(self.names) >= MAX_CLASSES or name == OTHER:
                return 0
            self.names.append(name)
            found = self._numbers[name] = len(self.names)
        return found


def pair_place(truth: int, predicted: int) -> int:
    """Return the place of a pair of classes, such that further classes only add places."""
    largest = max(truth, predicted)
    inner = predicted if truth == largest else 2 * largest - truth
    return FIRST_PAIR + largest * largest + inner


def confusion_matrix(counts: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Return how often each class was the truth (row) and predicted (column), from 0, the others.

    Args:
        counts: counts of a pane.
        classes: number of classes without the pooled ones.
    """
    width = classes + 1
    matrix = np.zeros((width, width), dtype=np.int64)
    for truth in range(width):
        for predicted in range(width):
            place = pair_place(truth, predicted)
            if place < len(counts):
                matrix[truth, predicted] = counts[place]
    return matrix


def larger_class(names: Iterable[str]) -> str | None:
    """Return the larger of two classes, as numbers if both are, else as texts; None if not two."""
    two = sorted(set(names))
    if len(two) != 2:
        return None
    numbers = [plain_number(name) for name in two]
    if None not in numbers:
        return max(two, key=lambda name: plain_number(name) or 0)
    return two[1]


def positive_class(configured: str | None, names: Sequence[str]) -> str | None:
    """Return the positive class: the configured one, as it is predicted, else the larger of two."""
    if configured is None:
        return larger_class(names)
    other = _BOOLS.get(configured) or _NUMBERS.get(configured)
    return other if other in names and configured not in names else configured


def sums_of(
    judged: Sequence[Judged],
    classes: Classes,
    *,
    positive: str | None,
    are_values: bool | None,
) -> Pane:
    """Return the sums of outcomes.

    Args:
        judged: predictions and their truths.
        classes: numbers of the classes; new ones are added.
        positive: class whose probability a scalar is; None for the larger of two.
        are_values: whether predictions are values of a regression, not classes; None if that is
            not known yet, for which both are counted.
    """
    counts = np.zeros(FIRST_PAIR, dtype=np.int64)
    means: list[list[float]] = [[] for _ in Mean]
    places: list[int] = []
    pairs: list[tuple[str, float | Mapping[str, float] | None]] = []
    for each in judged:
        error = _error(each)
        if error is None and are_values:
            counts[Tally.WRONG_KIND] += 1
            continue
        counts[Tally.OUTCOMES] += 1
        if error is not None and are_values is not False:
            means[Mean.ABSOLUTE_ERROR].append(error)
            means[Mean.SQUARED_ERROR].append(error * error)
            counts[Tally.FRACTIONS] += _is_fraction(each.y_true) or _is_fraction(each.y_pred)
        if are_values:
            continue
        predicted = category(each.y_pred)
        truth = _in_words_of(predicted, category(each.y_true))
        counts[Tally.CORRECT] += truth == predicted
        places.append(pair_place(classes.number(truth), classes.number(predicted)))
        pairs.append((truth, each.y_proba))
    if not are_values:
        chosen = positive_class(positive, classes.names)
        for truth, proba in pairs:
            _add_scores(truth, proba, chosen, counts, means)
    if places:
        found = np.bincount(places)
        counts = np.concatenate([counts, np.zeros(max(len(found) - FIRST_PAIR, 0), np.int64)])
        counts[FIRST_PAIR : len(found)] += found[FIRST_PAIR:]
    return Pane(counts, np.stack([moments_of(np.array(column)) for column in means]))


def tally(counted: Mapping[Tally, int]) -> Pane:
    """Return a pane with some counts alone."""
    counts = np.zeros(FIRST_PAIR, dtype=np.int64)
    for place, n in counted.items():
        counts[place] = n
    return Pane(counts, Pane.zeros(0, len(Mean)).moments)


def _error(judged: Judged) -> float | None:
    """Return the absolute error of a value; None if one of both is no finite number."""
    truth, predicted = as_number(judged.y_true), as_number(judged.y_pred)
    if truth is None or predicted is None:
        return None
    error = abs(truth - predicted)
    return error if error <= _MAX_ERROR else None


def _is_fraction(value: object) -> bool:
    number = as_number(value)
    return number is not None and not number.is_integer()


def _in_words_of(predicted: str, truth: str) -> str:
    """Return a true class as 0 or 1, or as a bool, if that is how it would be predicted."""
    if predicted in _BOOLS and truth in _NUMBERS:
        return _NUMBERS[truth]
    if predicted in _NUMBERS and truth in _BOOLS:
        return _BOOLS[truth]
    return truth


def _add_scores(
    truth: str,
    proba: float | Mapping[str, float] | None,
    positive: str | None,
    counts: NDArray[np.int64],
    means: list[list[float]],
) -> None:
    """Add what follows from the probabilities of one outcome."""
    if proba is None:
        return
    if isinstance(proba, (int, float)):
        if positive is None or not -MAX_EXCESS <= proba <= 1 + MAX_EXCESS:
            counts[Tally.BAD_PROBA] += 1
            return
        score = min(max(float(proba), 0.0), 1.0)
        of_class = {positive: score}
        own = score if truth == positive else 1 - score
        brier = (1 - own) ** 2
    else:
        found = _distribution(proba)
        if found is None:
            counts[Tally.BAD_PROBA] += 1
            return
        own = found.setdefault(truth, 0.0)  # a class that the model does not know
        of_class = found
        brier = sum((p - (name == truth)) ** 2 for name, p in found.items())
        brier = brier / 2 if len(found) == 2 else brier
        positive = positive or larger_class(found)
    means[Mean.LOG_LOSS].append(-math.log(min(max(own, EPSILON), 1 - EPSILON)))
    means[Mean.BRIER].append(brier)
    if positive in of_class:
        means[Mean.POSITIVE_SCORE].append(of_class[positive])
        counts[Tally.POSITIVES] += truth == positive


def _distribution(proba: Mapping[str, float]) -> dict[str, float] | None:
    """Return the probability of each class, of a sum of 1; None if they are far from it."""
    found: dict[str, float] = {}
    for name, p in proba.items():
        if is_missing(p) or not -MAX_EXCESS <= p <= 1 + MAX_EXCESS:
            return None
        found[category(name)] = min(max(float(p), 0.0), 1.0)
    total = math.fsum(found.values())
    if abs(total - 1) > _MAX_SUM_EXCESS:
        return None
    return {name: p / total for name, p in found.items()}
