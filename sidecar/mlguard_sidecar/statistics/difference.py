"""Differences between two baselines: which columns moved, by how much, and in sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mlguard_sidecar.baseline import outside_of, rebinned, share_outside
from mlguard_sidecar.drift import DriftSettings, measure_drift
from mlguard_sidecar.histogram import Kind
from mlguard_sidecar.statistics.columns import ColumnStatistics, is_judged
from mlguard_sidecar.statistics.explain import explain

if TYPE_CHECKING:
    from mlguard_sidecar.baseline import Baseline, ColumnBaseline
    from mlguard_sidecar.drift import Drift
    from mlguard_sidecar.histogram import Column

DEFAULT_DRIFT = DriftSettings(smoothing=0.5, alpha=0.01, min_samples=100)
"""Settings with which two files are compared."""

_LABEL = "baseline"


class Change(StrEnum):
    """What became of a column."""

    MOVED = "moved"
    WITHIN_CHANCE = "within_chance"
    TOO_FEW = "too_few"
    NEW = "new"
    GONE = "gone"
    OTHER_KIND = "other_kind"


@dataclass(frozen=True)
class ColumnDifference:
    """Difference of one column.

    Attributes:
        column: the column in the later baseline; in the earlier one if it is gone.
        change: what became of it.
        drift: drift of the later from the earlier one; None with too few values, or without both.
        samples: number of valid values in the later one.
        outside: share of these outside the earlier one's range or categories; None without both.
        sentences: what moved.
    """

    column: Column
    change: Change
    drift: Drift | None
    samples: int
    outside: float | None
    sentences: tuple[str, ...]

    @property
    def has_changed(self) -> bool:
        """Whether there is more than chance between the two."""
        return self.change not in {Change.WITHIN_CHANCE, Change.TOO_FEW}


def difference(
    before: Baseline, after: Baseline, settings: DriftSettings = DEFAULT_DRIFT
) -> list[ColumnDifference]:
    """Return the difference of each column, the largest drift first.

    PSI is that of the later baseline's values in the earlier one's bins.

    Args:
        before: the earlier baseline, or the one in use.
        after: the later one.
        settings: settings of the measurement of drift.
    """
    earlier = {(p.column.role, p.column.name): p for p in before.columns}
    later = {(p.column.role, p.column.name): p for p in after.columns}
    found = [_alone(part, Change.GONE) for name, part in earlier.items() if name not in later]
    found += [_alone(part, Change.NEW) for name, part in later.items() if name not in earlier]
    both = [(part, later[name]) for name, part in earlier.items() if name in later]
    found += [_other_kind(*pair) for pair in both if pair[0].column.kind is not pair[1].column.kind]
    alike = [pair for pair in both if pair[0].column.kind is pair[1].column.kind]
    found += _compared(alike, settings)
    return sorted(found, key=_order)


def _order(found: ColumnDifference) -> tuple[bool, float, str]:
    psi = found.drift.psi if found.drift else math.inf if found.has_changed else -math.inf
    return not found.has_changed, -psi, found.column.name


def _alone(part: ColumnBaseline, change: Change) -> ColumnDifference:
    text = "is gone" if change is Change.GONE else "is new"
    samples = int(part.counts[: part.column.bins].sum())
    return ColumnDifference(
        part.column, change, None, samples, None, (f"{part.column.name} {text}.",)
    )


def _other_kind(before: ColumnBaseline, after: ColumnBaseline) -> ColumnDifference:
    text = f"{after.column.name} was {before.column.kind}, and is {after.column.kind}."
    samples = int(after.counts[: after.column.bins].sum())
    return ColumnDifference(after.column, Change.OTHER_KIND, None, samples, None, (text,))


def _compared(
    pairs: list[tuple[ColumnBaseline, ColumnBaseline]], settings: DriftSettings
) -> list[ColumnDifference]:
    judged = sum(is_judged(part.column, settings) for part, _ in pairs)
    counts = [rebinned(after, before) for before, after in pairs]
    bins = [before.psi_counts(c) for (before, _), c in zip(pairs, counts, strict=True)]
    drifts = measure_drift(
        [before.psi_baseline for before, _ in pairs],
        bins,
        smoothing=settings.smoothing,
        alpha=settings.alpha / max(judged, 1),
        min_samples=settings.min_samples,
    )
    found = []
    for (before, after), own, psi_bins, drift in zip(pairs, counts, bins, drifts, strict=True):
        column, valid = before.column, int(own[: before.column.bins].sum())
        n, mean, m2, low, high = after.moments or (0.0,) * 5
        statistics = ColumnStatistics(
            window=_LABEL,
            column=column,
            rows=int(own.sum()),
            count=valid,
            missing=int(own[column.missing]),
            invalid=int(own[column.invalid]),
            mean=mean if n else None,
            stddev=math.sqrt(m2 / n) if n else None,
            minimum=low if n else None,
            maximum=high if n else None,
            out_of_range=before.out_of_range(own) if column.kind is Kind.NUMERIC else None,
            unseen=int(own[column.bins - 1]) if column.kind is Kind.CATEGORICAL else None,
            outside=outside_of(after, before),
            bins=psi_bins,
            baseline=before,
            drift=drift,
            counts=own,
        )
        sentences = [text for e in explain([statistics], ()) for text in e.sentences]
        change = Change.MOVED if statistics.has_drifted else Change.WITHIN_CHANCE
        found.append(
            ColumnDifference(
                column,
                Change.TOO_FEW if drift is None else change,
                drift,
                valid,
                share_outside(before, own),
                tuple(sentences),
            )
        )
    return found
