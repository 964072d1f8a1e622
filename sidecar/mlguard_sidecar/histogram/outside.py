"""Most frequent values outside a baseline: unseen categories, and numbers out of its range.

A summary of at most `MAX_OUTSIDE` values a column, which merges. Each count is a lower bound, too
low by at most a 21st of all such values: Agarwal et al., "Mergeable summaries" (2012), section 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_OUTSIDE = 20
"""Maximum number of values that are kept for a column."""

OutsideCounts = Mapping[str | float, int]
"""Value -> a lower bound of its count."""

Outside = Mapping[int, OutsideCounts]
"""Index of a column -> its values."""


def merge_outside(parts: Sequence[Outside]) -> Outside:
    """Return the values of all parts."""
    used = [part for part in parts if part]
    if len(used) <= 1:
        return used[0] if used else {}
    columns = sorted({column for part in used for column in part})
    return {
        column: most_frequent([part[column] for part in used if column in part])
        for column in columns
    }


def most_frequent(parts: Sequence[OutsideCounts]) -> dict[str | float, int]:
    """Return the sum of counts, reduced to at most `MAX_OUTSIDE` values."""
    total: Counter[str | float] = Counter()
    for part in parts:
        total.update(part)
    if len(total) <= MAX_OUTSIDE:
        return dict(total)
    ranked = total.most_common(MAX_OUTSIDE + 1)
    surplus = ranked[-1][1]
    return {value: n - surplus for value, n in ranked if n > surplus}


def subtract_outside(total: Outside, parts: Sequence[Outside]) -> Outside:
    """Return what is left of a total without some of its parts."""
    left = {}
    for column, counts in total.items():
        rest = Counter(dict(counts))
        for part in parts:
            rest.subtract(part.get(column, {}))
        if kept := {value: n for value, n in rest.items() if n > 0}:
            left[column] = kept
    return left
