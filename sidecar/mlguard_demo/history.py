"""The sidecar's snapshots during the year: peaks of drift, and since when there is drift."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from mlguard_demo.flights import FEATURES, YEAR_HOURS
from mlguard_demo.snapshot import ColumnDrift, Snapshot

PREDICTIONS = ("y_proba", "y_pred")
COLUMNS = (*FEATURES, *PREDICTIONS)

_MIN_PSI, _DECADES = 0.01, 3.0


class DriftStatus(Enum):
    """What a PSI means: too little data, no alert, or an alert."""

    LEARNING = "learning"
    STEADY = "steady"
    SHIFTED = "shifted"


@dataclass(frozen=True)
class HistoryPoint:
    """The snapshot at an hour of the year."""

    hour: float
    snapshot: Snapshot


@dataclass(frozen=True)
class Peak:
    """The highest PSI of a column, with the critical value and the hour of the year."""

    name: str
    psi: float
    critical: float
    hour: float


def drift_status(drift: ColumnDrift | None, threshold: float) -> DriftStatus:
    """Return the status by the bundled alert: shifted above both the threshold and chance."""
    if drift is None or drift.psi is None:
        return DriftStatus.LEARNING
    limit = max(threshold, drift.critical or 0.0)
    return DriftStatus.SHIFTED if drift.psi > limit else DriftStatus.STEADY


def drifts_by_psi(snapshot: Snapshot) -> list[ColumnDrift]:
    """Return the drift of every column, the largest PSI first, those without a PSI last."""

    def psi(drift: ColumnDrift) -> float:
        return -math.inf if drift.psi is None else drift.psi

    drifts = (snapshot.drifts.get(name, ColumnDrift(name, None, None, None)) for name in COLUMNS)
    return sorted(drifts, key=psi, reverse=True)


def find_peaks(history: Sequence[HistoryPoint]) -> list[Peak]:
    """Return the peak of each column that has a PSI, the highest first."""
    highest: dict[str, Peak] = {}
    for point in history:
        for name, drift in point.snapshot.drifts.items():
            known = highest.get(name)
            if drift.psi is not None and (known is None or drift.psi > known.psi):
                highest[name] = Peak(name, drift.psi, drift.critical or 0.0, point.hour)
    return sorted(highest.values(), key=lambda peak: peak.psi, reverse=True)


def shifted_since(history: Sequence[HistoryPoint], peak: Peak, threshold: float) -> float | None:
    """Return the hour since which a column was shifted without interruption until its peak.

    None if it was not shifted at its peak.
    """
    since = None
    for point in history:
        status = drift_status(point.snapshot.drifts.get(peak.name), threshold)
        if status is not DriftStatus.SHIFTED:
            since = None
        elif since is None:
            since = point.hour
        if point.hour >= peak.hour:
            break
    return since


def psi_by_interval(history: Sequence[HistoryPoint], name: str, count: int) -> list[float | None]:
    """Return the last PSI of a column in each of `count` equal intervals of the year.

    None for an interval that was not reached or had too little data.
    """
    found: list[float | None] = [None] * count
    for point in history:
        drift = point.snapshot.drifts.get(name)
        if drift is not None and drift.psi is not None:
            found[min(count - 1, int(point.hour / YEAR_HOURS * count))] = drift.psi
    return found


def relative_height(psi: float) -> float:
    """Return the height of a PSI in a chart, 0 to 1: logarithmic from 0.01 to 10.

    One scale for all columns keeps one that hardly moves flat beside one that moves a lot.
    """
    return min(1.0, max(0.0, math.log10(max(psi, _MIN_PSI) / _MIN_PSI) / _DECADES))
