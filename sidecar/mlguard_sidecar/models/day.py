"""Recorded days: what a model showed on one UTC day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlguard_sidecar.histogram import Kind, Role


@dataclass(frozen=True)
class DayColumn:
    """One column on one day.

    Attributes:
        role: feature or prediction.
        name: its name.
        kind: numeric or categorical.
        rows: number of events; of a feature, of those with features.
        count: number of valid values, from which drift is computed.
        missing: number of events without a value.
        invalid: number of values of the wrong kind.
        mean: mean of a numeric column; None without values, as the next three.
        stddev: population standard deviation.
        minimum: smallest value.
        maximum: largest value.
        out_of_range: number of values outside the baseline's range; None if categorical.
        unseen: number of values in no category of the baseline; None if numeric.
        psi: population stability index; None if drift was not measured, as the next two.
        psi_critical: PSI that chance alone would rarely exceed.
        js_distance: Jensen-Shannon distance to base 2.
        reference_psi: PSI against the days before it; None without a reference, as the next one.
        reference_psi_critical: its value that chance alone would rarely exceed.
    """

    role: Role
    name: str
    kind: Kind
    rows: int
    count: int
    missing: int
    invalid: int
    mean: float | None = None
    stddev: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    out_of_range: int | None = None
    unseen: int | None = None
    psi: float | None = None
    psi_critical: float | None = None
    js_distance: float | None = None
    reference_psi: float | None = None
    reference_psi_critical: float | None = None

    def has_drifted(self, *, is_sliding: bool) -> bool | None:
        """Return whether an index exceeds its critical value; None if it was not measured.

        Args:
            is_sliding: whether it is that of the sliding reference.
        """
        psi, critical = self.psi, self.psi_critical
        if is_sliding:
            psi, critical = self.reference_psi, self.reference_psi_critical
        return None if psi is None or critical is None else psi > critical


@dataclass(frozen=True)
class Day:
    """One model on one UTC day.

    Attributes:
        start: start of the day, epoch seconds.
        inferences: number of inferences.
        latency_quantiles: latency at p50, p95 and p99, in seconds; None without latencies.
        prediction_ratios: class -> its share of the predictions.
        score: mean and population standard deviation of the scores; None without scores.
        baseline: ID of the baseline with which the day is compared; None if there was none.
        columns: each column of it, features by name, then predictions.
    """

    start: int
    inferences: int
    latency_quantiles: tuple[float, float, float] | None
    prediction_ratios: Mapping[str, float]
    score: tuple[float, float] | None
    baseline: str | None
    columns: tuple[DayColumn, ...]

    def only(self, column: tuple[str, str]) -> Day:
        """Return this day with one column, given its role and name."""
        kept = tuple(each for each in self.columns if (each.role, each.name) == column)
        return replace(self, columns=kept)
