"""Values of a window that lie outside a baseline."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import MAX_OUTSIDE, Kind, most_frequent
from mlguard_sidecar.histogram.encoded_column import mapped
from mlguard_sidecar.histogram.values import as_numbers, category

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlguard_sidecar.baseline.baseline import ColumnBaseline
    from mlguard_sidecar.histogram import OutsideCounts, Partition
    from mlguard_sidecar.histogram.encoded_column import Values


def values_outside(
    part: ColumnBaseline, values: Values, parts: Partition, counts: NDArray[np.int64]
) -> dict[int, OutsideCounts]:
    """Return the most frequent values outside a column's baseline, by part.

    Args:
        part: baseline of the column.
        values: raw values in the order of the parts.
        parts: the parts of the values.
        counts: counts of the slots of each part.
    """
    column = part.column
    if column.kind is Kind.CATEGORICAL:
        unseen = column.bins - 1
        if not counts[:, unseen].any():
            return {}
        rows = np.flatnonzero(mapped(values, column.category_slot) == unseen)
        names = [category(values[row]) for row in rows.tolist()]
        if len(parts) == 1:
            return _reduced({0: Counter(names)})
    else:
        if not part.out_of_range(counts.sum(axis=0)):
            return {}
        numbers, _ = as_numbers(values, column.missing_words)
        rows = part.rows_out_of_range(numbers)
        if len(parts) == 1:
            distinct, repeats = np.unique(numbers[rows], return_counts=True)
            if len(distinct) > MAX_OUTSIDE and repeats.max() == 1:
                return {}  # none is more frequent than another
            return _reduced(
                {0: Counter(dict(zip(distinct.tolist(), repeats.tolist(), strict=True)))}
            )
        names = numbers[rows].tolist()
    found: defaultdict[int, Counter[str | float]] = defaultdict(Counter)
    for name, of in zip(names, parts.of_row[rows].tolist(), strict=True):
        found[of][name] += 1
    return _reduced(found)


def _reduced(found: Mapping[int, OutsideCounts]) -> dict[int, OutsideCounts]:
    kept = {part: most_frequent([counter]) for part, counter in found.items()}
    return {part: counts for part, counts in kept.items() if counts}
