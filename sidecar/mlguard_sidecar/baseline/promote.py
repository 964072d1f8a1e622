"""Baselines of what a window counted in the bins of another one.

A new baseline keeps the old edges between the smallest and the largest value of the window, where
they are the only places at which its values are known to be divided. The ends and the tails beyond
are the window's own. Bins of drift are chosen again among these edges. So every count is exact, and
the values of the window, sent again, have a PSI of 0. But a bin is never narrower than one of the
old baseline, which is why a window with many values outside its range is not promoted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline import bins
from mlguard_sidecar.baseline.baseline import Baseline, ColumnBaseline
from mlguard_sidecar.baseline.build import MAX_CATEGORIES, Binning, Method
from mlguard_sidecar.baseline.file import baseline_of
from mlguard_sidecar.histogram import OTHER, Column, Kind, Pane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlguard_sidecar.histogram import OutsideCounts

PROMOTED = "promoted"
"""Source of the baselines that are promoted."""

MAX_OUTSIDE_SHARE = 0.1
"""Maximum share of values outside the old baseline, above its own share of other categories."""


@dataclass(frozen=True)
class Promotion:
    """Result of a promotion.

    Attributes:
        baseline: the new baseline.
        outside: column -> share of its values outside the old one, of those with too many.
    """

    baseline: Baseline
    outside: Mapping[str, float]


def promote(
    old: Baseline,
    pane: Pane,
    *,
    created: float,
    default: Binning,
    binnings: Mapping[str, Binning],
) -> Promotion:
    """Return a baseline with the counts of a window.

    Args:
        old: baseline in whose bins the window was counted.
        pane: the merged panes of the window.
        created: current time, epoch seconds.
        default: binning of all columns that `binnings` does not name.
        binnings: feature -> its binning.
    """
    columns: list[ColumnBaseline] = []
    outside: dict[str, float] = {}
    reasons = dict(old.not_watched)
    rows = 0
    for i, part in enumerate(old.columns):
        name = part.column.name
        counts = pane.counts[old.layout.slots(i)].astype(np.int64)
        found = None
        if counts.any():
            rows = max(rows, int(counts.sum()))
            share = share_outside(part, counts)
            if share > MAX_OUTSIDE_SHARE:
                outside[name] = share
            if part.column.kind is Kind.CATEGORICAL:
                found = _categorical(part, counts, pane.outside.get(i, {}))
            else:
                found = _numeric(part, counts, pane.moments[i], binnings.get(name, default))
        if found is None:
            reasons[name] = "no values in the window"
        else:
            columns.append(found)
    baseline = baseline_of(
        tuple(columns),
        samples=rows,
        source=PROMOTED,
        created=created,
        not_watched=dict(sorted(reasons.items())),
    )
    return Promotion(baseline, outside)


def share_outside(part: ColumnBaseline, counts: NDArray[np.integer]) -> float:
    """Return the share of values out of a column's range, or in none of its categories.

    Of categories, the share that the baseline itself has in none of them is subtracted.

    Args:
        part: baseline of the column.
        counts: counts of its slots.
    """
    valid = int(counts[: part.column.bins].sum())
    if not valid:
        return 0.0
    if part.column.kind is Kind.NUMERIC:
        return part.out_of_range(counts) / valid
    other = part.column.bins - 1
    usual = int(part.counts[other]) / max(int(part.counts[: part.column.bins].sum()), 1)
    return max(int(counts[other]) / valid - usual, 0.0)


def _categorical(
    part: ColumnBaseline, counts: NDArray[np.int64], outside: OutsideCounts
) -> ColumnBaseline | None:
    column, other = part.column, part.column.bins - 1
    known = dict(zip(column.categories, counts[:other].tolist(), strict=True))
    known |= {str(text): n for text, n in outside.items() if text not in known and text != OTHER}
    used = [(text, n) for text, n in known.items() if n]
    used = sorted(used, key=lambda item: (-item[1], item[0]))[:MAX_CATEGORIES]
    if not used:
        return None
    valid = int(counts[: column.bins].sum())
    named = [n for _, n in used]
    slots = [*named, max(valid - sum(named), 0), counts[column.missing], counts[column.invalid]]
    new = Column(
        column.name,
        column.kind,
        column.role,
        categories=tuple(text for text, _ in used),
        missing_words=column.missing_words,
    )
    return ColumnBaseline(new, np.array(slots, dtype=np.int64))


def _numeric(
    part: ColumnBaseline,
    counts: NDArray[np.int64],
    moments: NDArray[np.float64],
    binning: Binning,
) -> ColumnBaseline | None:
    column = part.column
    sums = np.cumsum(counts[: column.bins])
    if not sums[-1]:
        return None
    n, mean, m2, low, high = moments.tolist()
    old = np.array(column.edges)
    inside = (old >= low) & (old < high)
    below, above = bins.ends(low, high)
    is_kept = bool(binning.edges) or binning.method is Method.UNIFORM
    kept = part.psi_edges if is_kept else ()
    edges = np.unique([*old[inside], below, above, *bins.tail_edges(low, high), *kept])
    edges = edges[(edges < low) | (edges >= high) | np.isin(edges, old)]
    at_old = sums[np.minimum(np.searchsorted(old, edges), len(old))]
    at_edges = np.where(edges < low, 0, np.where(edges >= high, sums[-1], at_old))
    own = np.diff(at_edges, prepend=0, append=sums[-1])
    psi = kept or _psi_edges(old[inside], sums[:-1][inside], int(sums[-1]), binning.bins)
    new = Column(
        column.name,
        column.kind,
        column.role,
        edges=tuple(edges.tolist()),
        missing_words=column.missing_words,
    )
    slots = np.concatenate([own, counts[[column.missing, column.invalid]]])
    psi = psi or tuple(e for e in (below, above) if e in new.edges)
    return ColumnBaseline(new, slots, (n, mean, m2, low, high), psi)


def _psi_edges(
    edges: NDArray[np.float64], sums: NDArray[np.int64], total: int, number: int
) -> tuple[float, ...]:
    """Return the edges between bins of drift: of equal shares, as far as the edges permit.

    Args:
        edges: the edges between the smallest and the largest value.
        sums: number of values at or below each.
        total: number of all values.
        number: number of bins of drift.
    """
    shares = np.diff(sums, prepend=0, append=total)
    used = np.flatnonzero(shares)
    last = bins.split(shares[used].tolist(), number)
    return tuple(edges[used[last]].tolist())
