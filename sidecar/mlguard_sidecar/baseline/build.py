"""Building of baselines: the choice of edges and categories."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline import bins
from mlguard_sidecar.baseline.baseline import Baseline, ColumnBaseline
from mlguard_sidecar.baseline.file import baseline_of
from mlguard_sidecar.baseline.kinds import decide_feature, decide_prediction
from mlguard_sidecar.histogram import (
    OTHER,
    Column,
    Kind,
    Partition,
    Role,
)
from mlguard_sidecar.histogram.pane import moments_of
from mlguard_sidecar.histogram.values import INVALID, as_numbers, category, is_missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.baseline.sample import ColumnSample

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
        kind: numeric or categorical; None to decide from the values.
    """

    bins: int = 10
    method: Method = Method.QUANTILE
    edges: tuple[float, ...] = ()
    kind: Kind | None = None


def build(
    features: Mapping[str, ColumnSample],
    predictions: Mapping[str, ColumnSample],
    *,
    samples: int,
    source: str,
    created: float,
    default: Binning,
    binnings: Mapping[str, Binning] | None = None,
    prediction: Kind | None = None,
    missing_words: Sequence[str] = (),
    not_watched: Mapping[str, str] | None = None,
) -> Baseline:
    """Build a baseline from columns of values.

    A feature that cannot be watched is left out, and named with the reason.

    Args:
        features: name -> values.
        predictions: likewise, of `y_pred` and `y_proba`.
        samples: number of rows.
        source: origin of the rows.
        created: current time, epoch seconds.
        default: binning of all columns that `binnings` does not name.
        binnings: feature -> its binning.
        prediction: kind of `y_pred`; None to decide from its values.
        missing_words: texts that mean a missing value, besides those of every column.
        not_watched: further columns that are not watched -> why.
    """
    words = tuple(missing_words)
    reasons = dict(not_watched or {})
    columns: list[ColumnBaseline] = []
    for name in sorted(features):
        binning = (binnings or {}).get(name, default)
        decision = decide_feature(features[name], binning.kind, words)
        part = _column(name, Role.FEATURE, features[name], decision.kind, binning, words)
        if part is None:
            reasons[name] = decision.why if decision.kind is None else f"no {decision.kind} values"
        else:
            columns.append(part)
    for name in sorted(predictions):
        sample = predictions[name]
        is_score = name == "y_proba"
        kind = Kind.NUMERIC if is_score else decide_prediction(sample, prediction, words).kind
        found = _column(name, Role.PREDICTION, sample, kind, default, words)
        columns += [found] if found else []
    return baseline_of(
        tuple(columns),
        samples=samples,
        source=source,
        created=created,
        not_watched=dict(sorted(reasons.items())),
    )


def _column(
    name: str,
    role: Role,
    sample: ColumnSample,
    kind: Kind | None,
    binning: Binning,
    words: tuple[str, ...],
) -> ColumnBaseline | None:
    """Return the baseline of a column; None without a valid value."""
    if kind is Kind.CATEGORICAL:
        return _categorical(name, role, sample, words)
    return None if kind is None else _numeric(name, role, sample, binning, words)


def _categorical(
    name: str, role: Role, sample: ColumnSample, words: tuple[str, ...]
) -> ColumnBaseline | None:
    valid: Counter[str] = Counter()
    for value, n in sample.distinct():
        if not is_missing(value, words) and value is not INVALID:
            valid[category(value)] += n
    del valid[OTHER]
    if not valid:
        return None
    most_common = sorted(valid.items(), key=lambda item: (-item[1], item[0]))
    categories = tuple(text for text, _ in most_common[:MAX_CATEGORIES])
    column = Column(name, Kind.CATEGORICAL, role, categories=categories, missing_words=words)
    return ColumnBaseline(column, _fold(column, sample))


def _numeric(
    name: str, role: Role, sample: ColumnSample, binning: Binning, words: tuple[str, ...]
) -> ColumnBaseline | None:
    read = [as_numbers(values, words)[0] for values in sample.parts()]
    numbers = np.concatenate([*read, np.zeros(0)])
    numbers = np.sort(numbers[np.isfinite(numbers)])
    if not len(numbers):
        return None
    uniform = binning.method is Method.UNIFORM
    psi_edges = bins.psi_edges(numbers, binning.bins, uniform=uniform, given=binning.edges)
    edges = bins.column_edges(numbers, psi_edges, binning.bins)
    column = Column(name, Kind.NUMERIC, role, edges=edges, missing_words=words)
    # in the order of size, so that the same values give the same file
    n, mean, m2, low, high = moments_of(numbers).tolist()
    return ColumnBaseline(column, _fold(column, sample), (n, mean, m2, low, high), psi_edges)


def _fold(column: Column, sample: ColumnSample) -> NDArray[np.int64]:
    """Return the counts of the slots, as events are counted."""
    counts = np.zeros(column.slots, dtype=np.int64)
    for values in sample.parts():
        counts += column.fold(values, Partition.whole(len(values)))[0][0]
    return counts
