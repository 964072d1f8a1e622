"""Outcomes: truths that arrive after their predictions, as sums from which quality follows."""

from mlguard_sidecar.outcomes.quality import (
    MeanQuality,
    Quality,
    accuracy_drop_critical,
    error_rise_critical,
    quality_of,
)
from mlguard_sidecar.outcomes.sums import (
    FIRST_PAIR,
    MAX_CLASSES,
    UNCOUNTED,
    Classes,
    Judged,
    Mean,
    Tally,
    confusion_matrix,
    larger_class,
    pair_place,
    sums_of,
    tally,
)

__all__ = [
    "FIRST_PAIR",
    "MAX_CLASSES",
    "UNCOUNTED",
    "Classes",
    "Judged",
    "Mean",
    "MeanQuality",
    "Quality",
    "Tally",
    "accuracy_drop_critical",
    "confusion_matrix",
    "error_rise_critical",
    "larger_class",
    "pair_place",
    "quality_of",
    "sums_of",
    "tally",
]
