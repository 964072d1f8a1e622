"""Values of a window that lie outside a baseline."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import Kind, most_frequent
from mlguard_sidecar.histogram.encoded_column import mapped
from mlguard_sidecar.histogram.values import as_numbers, category

if TYPE_CHECKING:
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
    found: defaultdict[int, Counter[str | float]] = defaultdict(Counter)
    if column.kind is Kind.CATEGORICAL:
        unseen = column.bins - 1
        if not counts[:, unseen].any():
            return {}
        rows = np.flatnonzero(mapped(values, column.category_slot) == unseen)
        for row, of in zip(rows.tolist(), parts.of_row[rows].tolist(), strict=True):
            found[of][category(values[row])] += 1
    else:
        if not part.out_of_range(counts.sum(axis=0)):
            return {}
        numbers, _ = as_numbers(values, column.missing_words)
        rows = np.flatnonzero(part.is_out_of_range(numbers))
        for number, of in zip(numbers[rows].tolist(), parts.of_row[rows].tolist(), strict=True):
            found[of][number] += 1
    return {of: most_frequent([counter]) for of, counter in found.items()}
