"""Counts of one baseline in the bins of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import MAX_OUTSIDE, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlguard_sidecar.baseline.baseline import ColumnBaseline

_SMALLEST = float(np.finfo(np.float64).smallest_subnormal)


def rebinned(part: ColumnBaseline, target: ColumnBaseline) -> NDArray[np.int64]:
    """Return the counts of a column in the slots of another one of the same kind.

    A numeric count is exact where the edges coincide and beyond the ends of the data. Between two
    edges, values are taken to be spread evenly. Categories that the target does not have are
    counted with its other values.

    Args:
        part: the column whose values are counted.
        target: the column whose slots are returned.
    """
    counts = np.zeros(target.column.slots, dtype=np.int64)
    known = part.column
    counts[target.column.missing] = part.counts[known.missing]
    counts[target.column.invalid] = part.counts[known.invalid]
    if target.column.kind is Kind.CATEGORICAL:
        slots = [target.column.category_slot(text) for text in known.categories]
        np.add.at(counts, [*slots, target.column.bins - 1], part.counts[: known.bins])
    else:
        counts[: target.column.bins] = _spread(part, np.array(target.column.edges))
    return counts


def outside_of(part: ColumnBaseline, target: ColumnBaseline) -> dict[str | float, int]:
    """Return the most frequent categories of a column that another one does not have."""
    if target.column.kind is not Kind.CATEGORICAL:
        return {}
    other = target.column.bins - 1
    pairs = zip(part.column.categories, part.counts.tolist(), strict=False)
    unseen = [(text, n) for text, n in pairs if n and target.column.category_slot(text) == other]
    return dict(sorted(unseen, key=lambda pair: -pair[1])[:MAX_OUTSIDE])


def _spread(part: ColumnBaseline, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the counts between other edges, from the cumulative counts at the column's own."""
    assert part.moments is not None  # noqa: S101 - of numbers
    own = np.array(part.column.edges)
    sums = np.cumsum(part.counts[: part.column.bins])
    total, low, high = int(sums[-1]), part.moments[3], part.moments[4]
    inside = (own >= low) & (own < high)
    knots, heights = own[inside], sums[:-1][inside].astype(np.float64)
    if not len(knots) or knots[0] > low:
        knots, heights = np.append(low, knots), np.append(0.0, heights)
    knots, heights = np.append(knots, high), np.append(heights, float(total))
    # as quarters, of which no difference overflows
    inner = np.clip(edges, low, high)
    left = np.clip(np.searchsorted(knots, inner, side="right") - 1, 0, len(knots) - 2)
    widths = np.maximum(knots[left + 1] / 4 - knots[left] / 4, _SMALLEST)
    shares = np.clip((inner / 4 - knots[left] / 4) / widths, 0.0, 1.0)
    between = heights[left] + shares * (heights[left + 1] - heights[left])
    found = np.where(edges < low, 0.0, np.where(edges >= high, total, between))
    return np.diff(np.rint(found), prepend=0, append=total).astype(np.int64)
