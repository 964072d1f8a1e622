"""Statistics of one column in one window."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlguard_sidecar.baseline import NUMERIC_SHARE
from mlguard_sidecar.drift import Drift, DriftSettings, measure_drift
from mlguard_sidecar.histogram import Column, Kind, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.baseline import ColumnBaseline
    from mlguard_sidecar.histogram import OutsideCounts, Pane
    from mlguard_sidecar.models import Schema, Window


class BinShare(NamedTuple):
    """Bin of drift, with its shares of the values.

    Attributes:
        label: its label in metrics.
        before: share in what alerts compare with; None where that has no values.
        now: share in the window.
    """

    label: str
    before: float | None
    now: float


@dataclass(frozen=True)
class ColumnStatistics:
    """Statistics of a feature, of `y_pred` or of `y_proba` in one window.

    Attributes:
        window: label of the window.
        column: name, role, kind and bins.
        rows: number of events; of a feature, of those with features.
        count: number of valid values.
        missing: number of events without a value.
        invalid: number of values of the wrong kind.
        mean: mean of a numeric column; None without values, as the next three.
        stddev: population standard deviation.
        minimum: smallest value.
        maximum: largest value.
        out_of_range: number of values outside the baseline's range; None if categorical.
        unseen: number of values in no category of the baseline; None if numeric.
        outside: most frequent values outside the baseline, and lower bounds of their counts.
        bins: counts of the PSI bins; None without a baseline.
        baseline: baseline of the column; None if there is none.
        drift: drift from the baseline; None with too little data, or if it is not measured.
        counts: counts of the column's slots.
        reference: counts of the slots in the sliding reference; None if there is none.
        reference_drift: drift from it; None with too little data, or if it is not measured.
        is_sliding_judged: whether alerts compare with it, not with the baseline.
    """

    window: str
    column: Column
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
    outside: OutsideCounts = field(default_factory=dict)
    bins: NDArray[np.int64] | None = None
    baseline: ColumnBaseline | None = None
    drift: Drift | None = None
    counts: NDArray[np.integer] | None = None
    reference: NDArray[np.int64] | None = None
    reference_drift: Drift | None = None
    is_sliding_judged: bool = False

    @property
    def samples(self) -> int:
        """Number of values from which drift is computed."""
        return self.count

    @property
    def judged_drift(self) -> Drift | None:
        """Drift from what alerts compare with."""
        return self.reference_drift if self.is_sliding_judged else self.drift

    @cached_property
    def compared(self) -> ColumnBaseline | None:
        """What alerts compare with: the baseline, or its bins with the counts of the reference."""
        if self.baseline is None or not self.is_sliding_judged or self.reference is None:
            return self.baseline
        return replace(self.baseline, counts=self.reference)

    @cached_property
    def bin_shares(self) -> list[BinShare]:
        """Bins of drift, with their shares; empty without a baseline."""
        if self.compared is None or self.bins is None:
            return []
        before, now = self.compared.psi_baseline, self.bins
        n, m = int(before.sum()), max(int(now.sum()), 1)
        return [
            BinShare(label, was / n if n else None, is_now / m)
            for label, was, is_now in zip(
                self.compared.psi_labels, before.tolist(), now.tolist(), strict=True
            )
        ]

    @property
    def evidence(self) -> float | None:
        """How many times the judged PSI is its critical value; None if it was not measured."""
        drift = self.judged_drift
        return None if drift is None else drift.psi / max(drift.critical, 1e-12)

    @property
    def has_drifted(self) -> bool:
        """Whether the judged PSI exceeds its critical value."""
        return self.judged_drift is not None and self.judged_drift.psi > self.judged_drift.critical


def column_statistics(
    schema: Schema,
    window: Window,
    settings: DriftSettings,
    reference: NDArray[np.int64] | None = None,
) -> list[ColumnStatistics]:
    """Return the statistics of all columns of a model in one window.

    Columns that are newer than all panes of the window are left out.

    Args:
        schema: columns, and the baseline.
        window: the window.
        settings: settings of the measurement of drift.
        reference: counts of the baseline's slots in the window's sliding reference.
    """
    baselines = schema.baseline.columns if schema.baseline else ()
    layout, label, pane = schema.layout, window.span.label, window.pane
    found: list[ColumnStatistics] = []
    befores: list[NDArray[np.int64]] = []
    references: list[NDArray[np.int64]] = []
    judged: list[int] = []
    for i, column in enumerate(layout.columns):
        slots = layout.slots(i)
        if slots.stop > len(pane.counts):
            break
        baseline = baselines[i] if i < len(baselines) else None
        if baseline is not None and is_judged(column, settings):
            judged.append(i)
            befores.append(baseline.psi_baseline)
            if reference is not None:
                references.append(baseline.psi_counts(reference[slots]))
        found.append(_column(label, column, pane, slots, i, baseline))
    alpha = settings.alpha / max(sum(is_judged(b.column, settings) for b in baselines), 1)
    bins = [part.bins for part in map(found.__getitem__, judged) if part.bins is not None]
    drifts = _measure(befores, bins, settings, alpha)
    from_reference = (
        _measure(references, bins, settings, alpha) if references else [None] * len(bins)
    )
    for i, drift, reference_drift in zip(judged, drifts, from_reference, strict=True):
        found[i] = replace(
            found[i],
            drift=drift,
            reference=None if reference is None else reference[layout.slots(i)],
            reference_drift=reference_drift,
            is_sliding_judged=settings.is_sliding_judged,
        )
    return found


def _measure(
    befores: Sequence[NDArray[np.int64]],
    bins: Sequence[NDArray[np.int64]],
    settings: DriftSettings,
    alpha: float,
) -> list[Drift | None]:
    return measure_drift(
        befores,
        bins,
        smoothing=settings.smoothing,
        alpha=alpha,
        min_samples=settings.min_samples,
    )


def decided(column: Column, counts: NDArray[np.integer]) -> tuple[Column, NDArray[np.integer]]:
    """Return a column with its kind decided by its counts, and these as counts of that kind."""
    if column.kind is not Kind.UNDECIDED:
        return column, counts
    numbers, texts, missing, invalid = counts.tolist()
    kind = Kind.NUMERIC if numbers >= NUMERIC_SHARE * (numbers + texts) else Kind.CATEGORICAL
    if kind is Kind.NUMERIC:
        valid, invalid = numbers, invalid + texts
    else:
        valid = numbers + texts
    return Column(column.name, kind, column.role), np.array([valid, missing, invalid])


def is_judged(column: Column, settings: DriftSettings) -> bool:
    """Return whether the drift of a column is measured, if there is a baseline of it."""
    return column.role is not Role.FEATURE or column.name not in settings.not_judged


def _column(
    label: str,
    column: Column,
    pane: Pane,
    slots: slice,
    i: int,
    baseline: ColumnBaseline | None,
) -> ColumnStatistics:
    counts = pane.counts[slots]
    bins = None if baseline is None else baseline.psi_counts(counts)
    column, counts = decided(column, counts)
    valid = int(counts[: column.bins].sum())
    missing, invalid = int(counts[column.missing]), int(counts[column.invalid])
    out_of_range = unseen = None
    if baseline is not None and column.kind is Kind.NUMERIC:
        out_of_range = baseline.out_of_range(counts)
    elif baseline is not None:
        unseen = int(counts[column.bins - 1])
    n, mean, m2, low, high = pane.moments[i].tolist()
    n = n if column.kind is Kind.NUMERIC else 0
    stddev = math.sqrt(m2 / n) if n else None
    return ColumnStatistics(
        label,
        column,
        valid + missing + invalid,
        valid,
        missing,
        invalid,
        mean if n else None,
        stddev,
        low if n else None,
        high if n else None,
        out_of_range,
        unseen,
        pane.outside.get(i, {}),
        bins,
        baseline,
        counts=counts,
    )
