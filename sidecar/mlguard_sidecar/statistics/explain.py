"""Explanations of drift in sentences: which values moved, and what it looks like."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import OTHER, Kind
from mlguard_sidecar.statistics.guesses import guess
from mlguard_sidecar.statistics.wording import largest_gain, percent, range_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.baseline import ColumnBaseline
    from mlguard_sidecar.models import Day, DayColumn
    from mlguard_sidecar.statistics.change import ChangeKind, Guess
    from mlguard_sidecar.statistics.columns import ColumnStatistics

_MAX_CATEGORIES = 3
_MIN_MISSING_CHANGE = 0.02
_MIN_GONE = 0.5
"""Standard deviations of the baseline from which a mean has gone somewhere."""


@dataclass(frozen=True)
class Explanation:
    """Explanation of the drift of one column.

    Attributes:
        column: its statistics in the window that has the most values of those in which it drifted.
        since: first day of the drift that lasts, as `2026-03-16`; None if it is not known.
        guess: kind of change that it looks like; None if nothing fits.
        sentences: what moved, the evidence, and what it looks like.
    """

    column: ColumnStatistics
    since: str | None
    guess: ChangeKind | None
    sentences: tuple[str, ...]


def explain(
    columns: Iterable[ColumnStatistics], days: Sequence[Day], baseline: str | None = None
) -> list[Explanation]:
    """Return an explanation of each column that has drifted beyond chance, the largest first.

    Args:
        columns: statistics of all columns in all windows.
        days: the last days, the oldest first.
        baseline: ID of the baseline; days that were compared with another one tell nothing.
    """
    drifted: dict[tuple[str, str], ColumnStatistics] = {}
    for column in columns:
        name = (column.column.role.value, column.column.name)
        known = drifted.get(name)
        if column.has_drifted and (known is None or column.samples > known.samples):
            drifted[name] = column
    found = []
    for column in sorted(drifted.values(), key=_index, reverse=True):
        since, guessed = _since(column, days, baseline), guess(column)
        sentences = tuple(_sentences(column, since, guessed))
        found.append(Explanation(column, since, guessed.kind if guessed else None, sentences))
    return found


def moved_together(explanations: Sequence[Explanation]) -> list[str]:
    """Return a sentence for each day on which several columns began to drift.

    Args:
        explanations: those of one model.
    """
    groups: dict[str, list[str]] = {}
    for each in explanations:
        if each.since is not None:
            groups.setdefault(each.since, []).append(each.column.column.name)
    return [
        f"{len(names)} columns began to move on {since}: {', '.join(sorted(names))}."
        for since, names in sorted(groups.items())
        if len(names) > 1
    ]


def _index(column: ColumnStatistics) -> float:
    return column.judged_drift.psi if column.judged_drift else 0.0


def _sentences(column: ColumnStatistics, since: str | None, guessed: Guess | None) -> Iterator[str]:
    compared, drift, bins = column.compared, column.judged_drift, column.bins
    if compared is None or drift is None or bins is None:
        return
    then_is = "in the days before" if column.is_sliding_judged else "in the baseline"
    now, then = _shares(bins), _shares(compared.psi_baseline)
    if column.column.kind is Kind.CATEGORICAL:
        yield _moved_categories(compared.psi_labels, now, then, then_is)
    else:
        yield _moved_range(column.column.name, compared.psi_edges, now, then, then_is)
    began = f"Began on {since}. " if since else ""
    yield (
        f"{began}Chance would reach {drift.critical:.2g}, this is {drift.psi:.2g}"
        f" ({column.samples:,} values)."
    )
    yield from _missing(column, compared, then_is)
    if guessed is not None:
        yield guessed.sentence


def _shares(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = counts / max(int(counts.sum()), 1)
    return shares


def _moved_range(
    name: str,
    edges: tuple[float, ...],
    now: NDArray[np.float64],
    then: NDArray[np.float64],
    then_is: str,
) -> str:
    """Return the runs of neighbouring bins that gained and lost the most, with their shares."""
    sentences: list[str] = []
    for first, end in (largest_gain(now - then), largest_gain(then - now)):
        here, before = percent(now[first:end].sum()), percent(then[first:end].sum())
        where = range_of(edges, first, end)
        of = "" if sentences else f" of {name}"
        sentences.append(f"{here}{of} {where}; {then_is} {before}.")
    return " ".join(sentences)


def _moved_categories(
    labels: Sequence[str], now: NDArray[np.float64], then: NDArray[np.float64], then_is: str
) -> str:
    order = np.argsort(-np.abs(now - then))[:_MAX_CATEGORIES]
    parts = [
        f"{'any other value' if labels[i] == OTHER else repr(labels[i])} has {percent(now[i])},"
        f" {then_is} {percent(then[i])}"
        for i in order.tolist()
        if now[i] != then[i]
    ]
    return "; ".join(parts) + "."


def _missing(column: ColumnStatistics, compared: ColumnBaseline, then_is: str) -> Iterator[str]:
    then = int(compared.counts[column.column.missing]) / max(int(compared.counts.sum()), 1)
    now = column.missing / max(column.rows, 1)
    if abs(now - then) >= _MIN_MISSING_CHANGE:
        yield f"{percent(now)} are missing, {then_is} {percent(then)}."


def _since(column: ColumnStatistics, days: Sequence[Day], baseline: str | None) -> str | None:
    """Return the first of the last days in a row on which a column had drifted in the same way.

    None if it has on all days that are known: what varies from day to day more than by chance, as
    the weather does, drifts from a baseline of many days on each of them.
    """
    begin, name = None, (column.column.role, column.column.name)
    for day in reversed(days):
        if baseline is not None and day.baseline != baseline:
            if begin is None:
                continue  # the baseline was replaced on this day, the last one
            return _date(begin)
        found = next((c for c in day.columns if (c.role, c.name) == name), None)
        if found is None:
            continue
        has_drifted = found.has_drifted(is_sliding=column.is_sliding_judged)
        if has_drifted is None:
            continue
        if not has_drifted or not _has_moved_alike(found, column):
            return None if begin is None else _date(begin)
        begin = day.start
    return None


def _date(start: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(start))


def _has_moved_alike(day: DayColumn, column: ColumnStatistics) -> bool:
    """Return whether a day's mean went at least half of the way that it has gone by now.

    True where it has hardly gone at all, as another spread moves no mean.
    """
    moments = column.baseline.moments if column.baseline else None
    if moments is None or column.mean is None or day.mean is None or not moments[0]:
        return True
    gone = column.mean - moments[1]
    if abs(gone) < _MIN_GONE * math.sqrt(moments[2] / moments[0]):
        return True
    return (day.mean - moments[1]) / gone >= 0.5
