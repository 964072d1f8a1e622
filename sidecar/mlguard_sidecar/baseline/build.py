"""Building of baselines: the choice of edges and categories."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mlguard_sidecar.baseline import bins
from mlguard_sidecar.baseline.baseline import Baseline, ColumnBaseline
from mlguard_sidecar.baseline.file import baseline_of
from mlguard_sidecar.histogram import OTHER, Column, Kind, Partition, Role
from mlguard_sidecar.histogram.column import kind_of
from mlguard_sidecar.histogram.values import category, finite_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_CATEGORIES = 100


class Method(StrEnum):
    """Method of choosing the edges between PSI bins."""

    QUANTILE = "quantile"
    UNIFORM = "uniform"


@dataclass(frozen=True)
class Binning:
    """Settings of the bins of one column.

    Attributes:
        bins: number of PSI bins of a numeric column.
        method: bins of equal shares of the data, or of equal widths.
        edges: edges between the PSI bins, instead of `bins` and `method`.
        kind: numeric or categorical; None for that of the first value.
    """

    bins: int = 10
    method: Method = Method.QUANTILE
    edges: tuple[float, ...] = ()
    kind: Kind | None = None


def build(
    features: Mapping[str, Sequence[object]],
    predictions: Mapping[str, Sequence[object]],
    *,
    samples: int,
    source: str,
    created: float,
    default: Binning,
    binnings: Mapping[str, Binning] | None = None,
) -> Baseline:
    """Build a baseline from columns of values.

    A column without a valid value is left out.

    Args:
        features: name -> values, each a number, bool, string or None.
        predictions: likewise, of `y_pred` and `y_proba`.
        samples: number of rows.
        source: origin of the rows.
        created: current time, epoch seconds.
        default: binning of all columns that `binnings` does not name.
        binnings: feature -> its binning.
    """
    named = binnings or {}
    columns = [
        _column(name, Role.FEATURE, features[name], named.get(name, default))
        for name in sorted(features)
    ] + [_column(name, Role.PREDICTION, predictions[name], default) for name in sorted(predictions)]
    return baseline_of(
        tuple(c for c in columns if c is not None),
        samples=samples,
        source=source,
        created=created,
    )


def _column(
    name: str, role: Role, values: Sequence[object], binning: Binning
) -> ColumnBaseline | None:
    first = next((v for v in values if v is not None), None)
    if first is None:
        return None
    kind = binning.kind or kind_of(first, role)
    if kind is Kind.NUMERIC:
        return _numeric(name, role, values, binning)
    codes = role is Role.PREDICTION or binning.kind is Kind.CATEGORICAL
    return _categorical(name, role, values, codes=codes)


def _categorical(
    name: str, role: Role, values: Sequence[object], *, codes: bool
) -> ColumnBaseline | None:
    valid = Counter(
        category(v)
        for v in values
        if isinstance(v, str | bool) or (codes and isinstance(v, int | float) and v == v)  # noqa: PLR0124 - NaN differs
    )
    del valid[OTHER]
    if not valid:
        return None
    most_common = sorted(valid.items(), key=lambda item: (-item[1], item[0]))
    categories = tuple(text for text, _ in most_common[:MAX_CATEGORIES])
    column = Column(name, Kind.CATEGORICAL, role, categories=categories, codes=codes)
    counts, _ = column.fold(values, Partition.whole(len(values)))
    return ColumnBaseline(column, counts[0])


def _numeric(
    name: str, role: Role, values: Sequence[object], binning: Binning
) -> ColumnBaseline | None:
    numbers = finite_numbers(values)
    if not len(numbers):
        return None
    uniform = binning.method is Method.UNIFORM
    psi_edges = bins.psi_edges(numbers, binning.bins, uniform=uniform, given=binning.edges)
    edges = bins.column_edges(numbers, psi_edges, binning.bins)
    column = Column(name, Kind.NUMERIC, role, edges=edges)
    counts, moments = column.fold(values, Partition.whole(len(values)))
    assert moments is not None  # noqa: S101 - of numbers
    n, mean, m2, low, high = moments[0].tolist()
    return ColumnBaseline(column, counts[0], (n, mean, m2, low, high), psi_edges)
