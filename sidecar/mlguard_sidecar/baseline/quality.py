"""Quality of the predictions in a baseline's data, and its form in a baseline file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np

from mlguard_sidecar.histogram import Pane, no_moments
from mlguard_sidecar.outcomes import (
    FIRST_PAIR,
    MAX_CLASSES,
    Mean,
    Tally,
    confusion_matrix,
    pair_place,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Moments = tuple[float, float, float, float, float]


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
    if len(set(file.classes)) >= width or width > MAX_CLASSES + 1:
        raise ValueError(f"quality.classes: expected at most {MAX_CLASSES}, each once")
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
