"""Explanations of drift in sentences: which values moved, and what it looks like."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import OTHER, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.baseline import ColumnBaseline
    from mlguard_sidecar.models import Day
    from mlguard_sidecar.statistics.columns import ColumnStatistics

_MAX_CATEGORIES = 3
_MIN_MISSING_CHANGE = 0.02
_MIN_SPIKE = 0.05
_MIN_RENAMED = 0.02
_ALIKE = 0.1
"""Relative difference of two figures that are taken for the same."""

_MIN_SHIFT = 0.25
"""Standard deviations of the baseline that a mean must move to be called a shift."""


@dataclass(frozen=True)
class Explanation:
    """Explanation of the drift of one column.

    Attributes:
        column: its statistics in the window that has the most values of those in which it drifted.
        since: first day of the drift that lasts, as `2026-03-16`; None if it began today.
        sentences: what moved, the evidence, and what it looks like.
    """

    column: ColumnStatistics
    since: str | None
    sentences: tuple[str, ...]


def explain(columns: Iterable[ColumnStatistics], days: Sequence[Day]) -> list[Explanation]:
    """Return an explanation of each column that has drifted beyond chance, the largest first.

    Args:
        columns: statistics of all columns in all windows.
        days: statistics of the last days, the oldest first.
    """
    drifted: dict[tuple[str, str], ColumnStatistics] = {}
    for column in columns:
        name = (column.column.role.value, column.column.name)
        known = drifted.get(name)
        if column.has_drifted and (known is None or column.samples > known.samples):
            drifted[name] = column
    found = []
    for column in sorted(drifted.values(), key=_index, reverse=True):
        since = _since(column, days)
        found.append(Explanation(column, since, tuple(_sentences(column, since))))
    return found


def _index(column: ColumnStatistics) -> float:
    return column.drift.psi if column.drift else 0.0


def _sentences(column: ColumnStatistics, since: str | None) -> Iterator[str]:
    baseline, drift, bins = column.baseline, column.drift, column.bins
    if baseline is None or drift is None or bins is None:
        return
    now, then = _shares(bins), _shares(baseline.psi_baseline)
    if column.column.kind is Kind.CATEGORICAL:
        yield _moved_categories(baseline.psi_labels, now, then)
    else:
        yield _moved_range(column.column.name, baseline.psi_edges, now, then)
    began = f"Began on {since}. " if since else ""
    yield (
        f"{began}Chance would reach {drift.critical:.2g}, this is {drift.psi:.2g}"
        f" ({column.samples:,} values)."
    )
    yield from _missing(column, baseline)
    if column.column.kind is Kind.CATEGORICAL:
        yield from _renamed(column, baseline)
    else:
        yield from _guess(column, baseline)


def _shares(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = counts / max(int(counts.sum()), 1)
    return shares


def _moved_range(
    name: str, edges: Sequence[float], now: NDArray[np.float64], then: NDArray[np.float64]
) -> str:
    """Return where a numeric column's values are now, and how many were there before.

    It is the run of neighbouring bins that gained the most.
    """
    gain = now - then
    best, begin = (0, 1), 0
    for i in range(1, len(gain) + 1):
        if i == len(gain) or gain[i] <= 0:
            if gain[begin:i].sum() > gain[best[0] : best[1]].sum():
                best = (begin, i)
            begin = i + 1
    first, end = best
    low = None if first == 0 else edges[first - 1]
    high = None if end > len(edges) else edges[end - 1]
    if low is None and high is not None:
        where = f"is at most {high:.6g}"
    elif high is None and low is not None:
        where = f"lies above {low:.6g}"
    else:
        where = f"lies above {low:.6g}, up to {high:.6g}"
    return (
        f"{_percent(now[first:end].sum())} of {name} {where};"
        f" in the baseline {_percent(then[first:end].sum())}."
    )


def _moved_categories(
    labels: Sequence[str], now: NDArray[np.float64], then: NDArray[np.float64]
) -> str:
    order = np.argsort(-np.abs(now - then))[:_MAX_CATEGORIES]
    parts = [
        f"{'any other value' if labels[i] == OTHER else repr(labels[i])} has {_percent(now[i])},"
        f" in the baseline {_percent(then[i])}"
        for i in order.tolist()
        if now[i] != then[i]
    ]
    return "; ".join(parts) + "."


def _missing(column: ColumnStatistics, baseline: ColumnBaseline) -> Iterator[str]:
    then = int(baseline.counts[baseline.column.missing]) / max(int(baseline.counts.sum()), 1)
    now = column.missing / max(column.rows, 1)
    if abs(now - then) >= _MIN_MISSING_CHANGE:
        yield f"{_percent(now)} are missing, in the baseline {_percent(then)}."


def _renamed(column: ColumnStatistics, baseline: ColumnBaseline) -> Iterator[str]:
    """Yield a guess that a category has another name: one is gone, a new one has its size."""
    now, then = _shares(column.bins), _shares(baseline.psi_baseline)  # type: ignore[arg-type]
    gone = [
        (label, share)
        for label, share, left in zip(baseline.psi_labels, then, now, strict=True)
        if label != OTHER and share >= _MIN_RENAMED and left < share / 20
    ]
    for value, n in column.outside.items():
        share = n / max(column.samples, 1)
        alike = [label for label, before in gone if math.isclose(share, before, rel_tol=0.25)]
        if len(alike) == 1:
            yield f"It looks as if {alike[0]!r} is now called {value!r}."


def _guess(column: ColumnStatistics, baseline: ColumnBaseline) -> Iterator[str]:
    """Yield a guess at the kind of change of a numeric column, where its moments prove one."""
    for value, n in sorted(column.outside.items(), key=lambda item: -item[1])[:1]:
        if n >= _MIN_SPIKE * column.samples:
            share = _percent(n / column.samples)
            yield f"A new spike: {share} or more are {value:.6g}, which the baseline does not have."
            return
    if baseline.moments is None or column.mean is None or column.stddev is None:
        return
    values, mean, m2 = baseline.moments[:3]
    stddev = math.sqrt(m2 / values)
    if not stddev or not column.stddev:
        return
    factor = column.stddev / stddev
    is_scaled = mean and math.isclose(column.mean / mean, factor, rel_tol=_ALIKE)
    if is_scaled and not math.isclose(factor, 1, rel_tol=2 * _ALIKE):
        yield f"It looks like a factor of {factor:.3g}: mean and deviation grew alike."
    elif math.isclose(factor, 1, rel_tol=_ALIKE) and abs(column.mean - mean) > _MIN_SHIFT * stddev:
        by = column.mean - mean
        yield f"It looks like a shift by {by:+.3g}: the mean moved, the deviation did not."


def _since(column: ColumnStatistics, days: Sequence[Day]) -> str | None:
    """Return the first of the last days in a row on which a column had drifted."""
    begin, name = None, (column.column.role, column.column.name)
    for day in reversed(days):
        found = next((c for c in day.columns if (c.role, c.name) == name), None)
        if found is None or found.psi is None:
            continue
        if not found.has_drifted:
            break
        begin = day.start
    return None if begin is None else time.strftime("%Y-%m-%d", time.gmtime(begin))


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
