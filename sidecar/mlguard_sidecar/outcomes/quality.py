"""Quality of predictions, read from sums of outcomes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from mlguard_sidecar.outcomes.sums import (
    FIRST_PAIR,
    Mean,
    Tally,
    confusion_matrix,
    positive_class,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mlguard_sidecar.histogram import Pane


class MeanQuality(NamedTuple):
    """Mean of a quantity over outcomes.

    Attributes:
        n: number of outcomes that have it.
        mean: its mean.
        variance: its variance, of the population.
    """

    n: int
    mean: float
    variance: float


@dataclass(frozen=True)
class Quality:
    """Quality over some outcomes; what cannot be told is None.

    Attributes:
        outcomes: truths that were counted.
        predictions: predictions with an ID, by when they were counted.
        covered: those of them that have got a truth.
        correct: truths whose class was predicted; None for values.
        accuracy: share of correct predictions.
        precision: of the positive class, else the mean of those of all classes.
        recall: likewise.
        positive: the positive class.
        log_loss: mean of the negative logarithm of the truth's probability.
        brier: Brier score.
        positive_score: mean probability of the positive class.
        positive_ratio: share of it among the truths of the same outcomes.
        absolute_error: absolute error of values.
        squared_error: squared error of values.
    """

    outcomes: int
    predictions: int
    covered: int = 0
    correct: int | None = None
    accuracy: float | None = None
    precision: float | None = None
    recall: float | None = None
    positive: str | None = None
    log_loss: MeanQuality | None = None
    brier: MeanQuality | None = None
    positive_score: float | None = None
    positive_ratio: float | None = None
    absolute_error: MeanQuality | None = None
    squared_error: MeanQuality | None = None


def quality_of(
    pane: Pane, classes: Sequence[str], *, positive: str | None, are_values: bool | None
) -> Quality:
    """Return the quality that sums of outcomes show.

    Args:
        pane: the sums.
        classes: the classes, in the order of their numbers.
        positive: the positive class; None for the larger of two.
        are_values: whether predictions are values; None to judge by whether all are whole.
    """
    if len(pane.counts) < FIRST_PAIR:
        return Quality(0, 0)
    outcomes, predictions = int(pane.counts[Tally.OUTCOMES]), int(pane.counts[Tally.PREDICTIONS])
    covered = int(pane.counts[Tally.COVERED])
    if are_values is None:
        are_values = bool(pane.counts[Tally.FRACTIONS])
    if not outcomes:
        return Quality(0, predictions, covered)
    if are_values:
        return Quality(
            outcomes,
            predictions,
            covered,
            absolute_error=_mean(pane, Mean.ABSOLUTE_ERROR),
            squared_error=_mean(pane, Mean.SQUARED_ERROR),
        )
    matrix = confusion_matrix(pane.counts, len(classes))
    pairs, correct = int(matrix.sum()), int(pane.counts[Tally.CORRECT])
    chosen = positive_class(positive, classes)
    if chosen is not None and chosen not in classes:  # it was neither true nor predicted
        precision, recall = 0.0, 0.0
    else:
        index = None if chosen is None else classes.index(chosen) + 1
        precision, recall = _precision_and_recall(matrix, index)
    score = _mean(pane, Mean.POSITIVE_SCORE)
    return Quality(
        outcomes,
        predictions,
        covered,
        correct=correct,
        accuracy=correct / pairs if pairs else None,
        precision=precision,
        recall=recall,
        positive=chosen,
        log_loss=_mean(pane, Mean.LOG_LOSS),
        brier=_mean(pane, Mean.BRIER),
        positive_score=score.mean if score else None,
        positive_ratio=int(pane.counts[Tally.POSITIVES]) / score.n if score else None,
    )


def _precision_and_recall(matrix: NDArray[np.int64], positive: int | None) -> tuple[float, float]:
    """Return precision and recall, 0 where nothing was predicted, or nothing was true.

    Args:
        matrix: confusion matrix; the first row and column are the pooled classes.
        positive: number of the positive class; None for the mean over the classes that occur.
    """
    truths, predicted = matrix.sum(axis=1).tolist(), matrix.sum(axis=0).tolist()
    occurring = [i for i in range(1, len(matrix)) if truths[i] or predicted[i]]
    numbers = occurring if positive is None else [positive]
    if not numbers:  # all classes are beyond the limit
        return 0.0, 0.0
    hits = matrix.diagonal().tolist()
    return (
        sum(hits[i] / predicted[i] if predicted[i] else 0.0 for i in numbers) / len(numbers),
        sum(hits[i] / truths[i] if truths[i] else 0.0 for i in numbers) / len(numbers),
    )


def _mean(pane: Pane, quantity: Mean) -> MeanQuality | None:
    if len(pane.moments) <= quantity:
        return None
    n, mean, m2 = pane.moments[quantity][:3].tolist()
    return MeanQuality(int(n), mean, m2 / n) if n else None


def accuracy_drop_critical(now: Quality, usual: Quality, alpha: float) -> float | None:
    """Return the drop of accuracy that chance alone exceeds with probability `alpha`.

    It is that of two binomial shares, with the variance of the shares pooled.
    """
    if now.accuracy is None or usual.accuracy is None:
        return None
    n, m = now.outcomes, usual.outcomes
    pooled = (now.accuracy * n + usual.accuracy * m) / (n + m)
    return _quantile(alpha) * math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))


def error_rise_critical(now: Quality, usual: Quality, alpha: float) -> float | None:
    """Return the rise of the mean absolute error that chance exceeds with probability `alpha`."""
    one, other = now.absolute_error, usual.absolute_error
    if one is None or other is None:
        return None
    return _quantile(alpha) * math.sqrt(one.variance / one.n + other.variance / other.n)


def _quantile(alpha: float) -> float:
    return NormalDist().inv_cdf(1 - alpha)
