"""Sliding references: the days before one, with which it can be compared instead of a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from mlguard_sidecar.drift import SlidingReference
    from mlguard_sidecar.histogram import Layout, Pane, Role

    FiredColumns = Mapping[int, frozenset[tuple[Role, str]]]
    """Start of a day -> role and name of the columns that fired on it."""


@dataclass(frozen=True)
class References:
    """Sliding references of a model.

    Attributes:
        binning: baseline in whose bins they are counted.
        reference: which days they have.
        counts: start of a day -> int64, one for each slot, of the days before it; 0 in the slots of
            a column that has no reference.
    """

    binning: str
    reference: SlidingReference
    counts: Mapping[int, NDArray[np.int64]]


def merge_reference(
    days: Iterable[tuple[int, Pane | None]], fired: FiredColumns, layout: Layout, wanted: int
) -> NDArray[np.int64]:
    """Return the counts of the latest days on which a column had values and did not fire.

    Args:
        days: start and features of each candidate, the latest first; read as far as needed.
        fired: columns that fired; these days are left out, column by column.
        layout: layout of the baseline.
        wanted: number of days to merge.
    """
    total = np.zeros(layout.width, dtype=np.int64)
    left = dict.fromkeys(range(len(layout.columns)), wanted)
    budget = wanted
    for start, pane in days:
        if pane is None:
            continue
        names = fired.get(start, frozenset())
        for i in [i for i, n in left.items() if n]:
            column, slots = layout.columns[i], layout.slots(i)
            counts = pane.counts[slots]
            if (column.role, column.name) in names or not counts[: column.bins].any():
                continue
            total[slots] += counts
            left[i] -= 1
        # a column without values must not have all days read
        budget += bool(names) - 1
        if budget <= 0 or not any(left.values()):
            break
    return total
