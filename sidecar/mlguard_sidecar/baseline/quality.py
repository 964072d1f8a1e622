"""Quality of the predictions in a baseline's data, and its form in a baseline file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np

from mlguard_sidecar.histogram import OTHER, Pane, no_moments
from mlguard_sidecar.histogram.values import MAX_CATEGORY_LENGTH
from mlguard_sidecar.outcomes import (
    FIRST_PAIR,
    MAX_CLASSES,
    Mean,
    Tally,
    confusion_matrix,
    pair_place,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Moments = tuple[float, float, float, float, float]
_MAX_COUNT = 2**53
_MAX = {
    "log_loss": math.inf,
    "brier": 2.0,
    "positive_score": 1.0,
    "absolute_error": math.inf,
    "squared_error": math.inf,
}
"""Quantity -> its largest value; the smallest is 0."""


@dataclass(frozen=True)
class BaselineQuality:
    """Sums of the outcomes in a baseline's data.

    Attributes:
        pane: the sums.
        classes: classes, in the order of their numbers.
    """

    pane: Pane
    classes: Sequence[str]


class QualityFile(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Sums of outcomes in a baseline file.

    `confusion` has a row for each true and a column for each predicted class, first for those
    beyond the limit. Moments are count, mean, sum of squared deviations, minimum and maximum.
    """

    outcomes: _Count
    correct: _Count = 0
    fractions: _Count = 0
    positives: _Count = 0
    classes: list[str] = []
    confusion: list[list[_Count]] = []
    moments: dict[str, _Moments] = {}


def quality_to_file(quality: BaselineQuality) -> QualityFile:
    """Return the form of the sums in a file."""
    pane, classes = quality.pane, list(quality.classes)
    matrix = confusion_matrix(pane.counts, len(classes))
    return QualityFile(
        int(pane.counts[Tally.OUTCOMES]),
        int(pane.counts[Tally.CORRECT]),
        int(pane.counts[Tally.FRACTIONS]),
        int(pane.counts[Tally.POSITIVES]),
        classes,
        matrix.tolist() if matrix.any() else [],
        {
            place.name.lower(): tuple(pane.moments[place].tolist())
            for place in Mean
            if pane.moments[place][0]
        },
    )


def quality_from_file(file: QualityFile) -> BaselineQuality:
    """Return the sums of a file.

    Raises:
        ValueError: they are invalid.
    """
    width = len(file.classes) + 1
    if width > MAX_CLASSES + 1:
        raise ValueError(f"quality.classes: found {width - 1}, expected at most {MAX_CLASSES}")
    if file.confusion and [len(row) for row in file.confusion] != [width] * width:
        raise ValueError(f"quality.confusion: expected {width} rows of {width} counts")
    counts = np.zeros(FIRST_PAIR + width * width, dtype=np.int64)
    counts[Tally.OUTCOMES], counts[Tally.CORRECT] = file.outcomes, file.correct
    counts[Tally.FRACTIONS], counts[Tally.POSITIVES] = file.fractions, file.positives
    for truth, row in enumerate(file.confusion):
        for predicted, n in enumerate(row):
            counts[pair_place(truth, predicted)] = n
    moments = no_moments(len(Mean))
    for place in Mean:
        moments[place] = file.moments.get(place.name.lower(), moments[place])
    return BaselineQuality(Pane(counts, moments), tuple(file.classes))


def check_moments(tree: object) -> None:
    """Check the form of the moments of one quantity, given as decoded JSON.

    Raises:
        msgspec.ValidationError: they have another form.
    """
    msgspec.convert(tree, _Moments)


def quality_damages(tree: object) -> Iterator[str]:
    """Yield where the sums of a file are not those of outcomes, what was found and expected.

    Args:
        tree: the sums as decoded JSON, of a form that can be read; None if there are none.
    """
    if tree is None:
        return
    file = msgspec.convert(tree, QualityFile)
    for damage in (*_class_damages(file), *_moments_damages(file), *_count_damages(file)):
        yield f"quality.{damage}"


def _class_damages(file: QualityFile) -> Iterator[str]:
    for i, name in enumerate(file.classes):
        if not 0 < len(name) <= MAX_CATEGORY_LENGTH or name == OTHER:
            expected = f"1 to {MAX_CATEGORY_LENGTH} characters, and not {OTHER}"
            yield f"classes[{i}]: found {len(name)} characters, expected {expected}"
    if len(set(file.classes)) < len(file.classes):
        yield "classes: found one twice, expected each once"
    pairs = sum(map(sum, file.confusion))
    if file.confusion and pairs != file.outcomes:
        yield f"confusion: found a sum of {pairs}, expected the outcomes, {file.outcomes}"
    hits = sum(row[i] for i, row in enumerate(file.confusion))
    pooled = file.confusion[0][0] if file.confusion else 0
    if not hits - pooled <= file.correct <= hits:
        expected = f"{hits - pooled} to {hits}, by the diagonal of confusion"
        yield f"correct: found {file.correct}, expected {expected}"


def _moments_damages(file: QualityFile) -> Iterator[str]:
    for name, (n, mean, m2, low, high) in file.moments.items():
        where, most = f"moments.{name}", _MAX.get(name)
        if most is None:
            yield f"{where}: found a quantity, expected {', '.join(_MAX)} alone"
            continue
        if not (1 <= n <= _MAX_COUNT and n.is_integer()):
            yield f"{where}[0]: found {n}, expected a whole number from 1 to 2^53"
        if m2 < 0:
            yield f"{where}[2]: found {m2}, expected 0 or more"
        if not low <= mean <= high:
            found = f"minimum {low}, mean {mean}, maximum {high}"
            yield f"{where}: found {found}, expected them in this order"
        if low < 0 or high > most:
            yield f"{where}: found {low} to {high}, expected 0 to {most:g}"


def _count_damages(file: QualityFile) -> Iterator[str]:
    """Yield which count exceeds another of which it is a part."""
    counts = {name: file.moments[name][0] if name in file.moments else 0 for name in _MAX}
    scored, judged = counts["log_loss"], counts["absolute_error"]
    pairs = file.outcomes if file.confusion else 0
    for name, found, most, of in (
        ("positives", file.positives, counts["positive_score"], "that of moments.positive_score"),
        ("fractions", file.fractions, judged, "that of moments.absolute_error"),
        ("moments.positive_score[0]", counts["positive_score"], scored, "that of log_loss"),
        ("moments.log_loss[0]", scored, pairs, "the sum of confusion"),
        ("moments.absolute_error[0]", judged, file.outcomes, "the outcomes"),
    ):
        if found > most:
            yield f"{name}: found {found:.0f}, expected at most {most:.0f}, {of}"
    for name, found, same, of in (
        ("brier", counts["brier"], scored, "log_loss"),
        ("squared_error", counts["squared_error"], judged, "absolute_error"),
    ):
        if found != same:
            yield f"moments.{name}[0]: found {found:.0f}, expected {same:.0f}, that of {of}"
