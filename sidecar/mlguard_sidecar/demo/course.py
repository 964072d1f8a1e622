"""The course of the year as the sidecar saw it: peaks, first shifts, a spark for each feature."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from mlguard_sidecar.demo.figures import Drift, Figures
from mlguard_sidecar.demo.flights import FEATURES, YEAR_HOURS

PREDICTIONS = ("y_proba", "y_pred")
ROWS = (*FEATURES, *PREDICTIONS)

_LOWEST_PSI, _DECADES = 0.01, 3.0


class Verdict(Enum):
    """What a PSI means: there is too little data yet, no alert would fire, or one would."""

    LEARNING = "learning"
    STEADY = "steady"
    SHIFTED = "shifted"


@dataclass(frozen=True)
class Reading:
    """The sidecar's figures when the replay had reached an hour of the year."""

    hour: float
    figures: Figures


@dataclass(frozen=True)
class Peak:
    """The highest PSI of a feature, with what chance would have reached, and its hour."""

    name: str
    psi: float
    critical: float
    hour: float


def verdict(drift: Drift | None, threshold: float) -> Verdict:
    """Judge as the bundled alert does: shifted above both the threshold and chance."""
    if drift is None or drift.psi is None:
        return Verdict.LEARNING
    return Verdict.SHIFTED if drift.psi > max(threshold, drift.critical or 0.0) else Verdict.STEADY


def by_psi(figures: Figures) -> list[Drift]:
    """Return a drift for each row of the table, the largest PSI first, unknown ones last."""
    rows = [figures.drifts.get(name, Drift(name, None, None, None)) for name in ROWS]
    return sorted(rows, key=lambda row: -math.inf if row.psi is None else row.psi, reverse=True)


def peaks(readings: Sequence[Reading]) -> list[Peak]:
    """Return the peak of each feature and prediction that has a PSI, the highest first."""
    highest: dict[str, Peak] = {}
    for reading in readings:
        for name, drift in reading.figures.drifts.items():
            known = highest.get(name)
            if drift.psi is not None and (known is None or drift.psi > known.psi):
                highest[name] = Peak(name, drift.psi, drift.critical or 0.0, reading.hour)
    return sorted(highest.values(), key=lambda peak: peak.psi, reverse=True)


def shifted_since(readings: Sequence[Reading], peak: Peak, threshold: float) -> float | None:
    """Return the hour since which a feature was judged shifted without a break up to its peak.

    None when it was not judged shifted at its peak either.
    """
    since = None
    for reading in readings:
        judged = verdict(reading.figures.drifts.get(peak.name), threshold)
        if judged is not Verdict.SHIFTED:
            since = None
        elif since is None:
            since = reading.hour
        if reading.hour >= peak.hour:
            break
    return since


def cells(readings: Sequence[Reading], name: str, count: int) -> list[float | None]:
    """Return a feature's PSI in each of `count` equal parts of the year, the last one in each.

    A part that has not been reached, or had too little data, is None.
    """
    found: list[float | None] = [None] * count
    for reading in readings:
        drift = reading.figures.drifts.get(name)
        if drift is not None and drift.psi is not None:
            found[min(count - 1, int(reading.hour / YEAR_HOURS * count))] = drift.psi
    return found


def height(psi: float) -> float:
    """Return how high a PSI stands between 0 and 1: logarithmic from 0.01 to 10 for all rows.

    One scale for all keeps a feature that hardly moves flat beside one that moves a lot.
    """
    return min(1.0, max(0.0, math.log10(max(psi, _LOWEST_PSI) / _LOWEST_PSI) / _DECADES))
