"""Building of baselines: the choice of edges and categories."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline.baseline import Baseline, ColumnBaseline
from mlguard_sidecar.baseline.file import baseline_of
from mlguard_sidecar.histogram import OTHER, Column, Kind, Partition, Role
from mlguard_sidecar.histogram.column import kind_of
from mlguard_sidecar.histogram.values import category, finite_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MAX_EDGES = 64
MAX_CATEGORIES = 100
_LARGEST = float(np.finfo(np.float64).max)


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
    psi_edges = _psi_edges(numbers, binning)
    edges = _edges(numbers, psi_edges, binning)
    column = Column(name, Kind.NUMERIC, role, edges=edges)
    counts, moments = column.fold(values, Partition.whole(len(values)))
    assert moments is not None  # noqa: S101 - of numbers
    n, mean, m2, low, high = moments[0].tolist()
    return ColumnBaseline(column, counts[0], (n, mean, m2, low, high), psi_edges)


def _psi_edges(numbers: NDArray[np.float64], binning: Binning) -> tuple[float, ...]:
    low, high = numbers.min(), numbers.max()
    if binning.edges:
        edges = np.array(binning.edges)
    elif low == high:  # a bin for the constant, one below and one above
        edges = np.array([math.nextafter(low, -_LARGEST), low])
    else:
        levels = np.arange(1, binning.bins) / binning.bins
        if binning.method is Method.QUANTILE:
            edges = _quantiles(numbers, levels)
        else:
            edges = low * (1 - levels) + high * levels  # a difference might overflow
        edges = edges[edges < high]
        if not len(edges):  # nearly all values equal the maximum
            edges = numbers[numbers < high].max(keepdims=True)
    return tuple(np.unique(edges).tolist())


def _edges(
    numbers: NDArray[np.float64], psi_edges: tuple[float, ...], binning: Binning
) -> tuple[float, ...]:
    """Return the PSI edges, both ends of the data, and as many quantiles as there is room for."""
    room = MAX_EDGES - 2
    if binning.edges or binning.method is not Method.QUANTILE:
        steps = max(room - len(psi_edges), 1)
    else:
        steps = max(room // binning.bins, 1) * binning.bins  # the PSI levels are among these
    quantiles = _quantiles(numbers, np.arange(1, steps) / steps)
    ends = [math.nextafter(numbers.min(), -_LARGEST), numbers.max()]
    return tuple(np.unique(np.concatenate([psi_edges, quantiles, ends])).tolist())


def _quantiles(numbers: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quantiles that are values of the data, so that no bin of the baseline is empty."""
    return np.quantile(numbers, levels, method="inverted_cdf")
