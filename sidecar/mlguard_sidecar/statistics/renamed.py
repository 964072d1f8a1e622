"""Guesses that categories have other names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlguard_sidecar.histogram import OTHER
from mlguard_sidecar.statistics.change import MIN_MOVED, SIZE_ALIKE, ChangeKind, Guess

if TYPE_CHECKING:
    from mlguard_sidecar.baseline import ColumnBaseline
    from mlguard_sidecar.statistics.columns import ColumnStatistics


def renamed(column: ColumnStatistics, baseline: ColumnBaseline) -> Guess | None:
    """Return a guess that a category has another name: one is gone, a new one has its size."""
    assert column.counts is not None  # noqa: S101 - checked by the caller
    bins = column.column.bins
    then = baseline.counts[:bins] / max(int(baseline.counts[:bins].sum()), 1)
    now = column.counts[:bins] / max(column.samples, 1)
    gone = [
        (label, float(share))
        for label, share, left in zip(column.column.categories, then, now, strict=False)
        if label != OTHER and share >= MIN_MOVED and left < share / 20
    ]
    pairs = []
    for value, n in sorted(column.outside.items(), key=lambda item: -item[1]):
        share = n / max(column.samples, 1)
        alike = [name for name, before in gone if math.isclose(share, before, rel_tol=SIZE_ALIKE)]
        same = [name for name in alike if _folded(name) == _folded(str(value))]
        if len(same or alike) == 1:
            pairs.append(((same or alike)[0], value))
    names = [name for name, _ in pairs]
    pairs = [(name, value) for name, value in pairs if names.count(name) == 1]
    if not pairs:
        return None
    listed = ", ".join(f"{name!r} is now called {value!r}" for name, value in pairs[:3])
    more = f" and {len(pairs) - 3} more are renamed" if len(pairs) > 3 else ""
    return Guess(ChangeKind.RENAMED, f"It looks as if {listed}{more}.")


def _folded(name: str) -> str:
    """Return a name without what mostly changes: case, spaces and signs."""
    return "".join(c for c in name.casefold() if c.isalnum())
