"""Traffic panes, which every model has: number of events, latency, classes and scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram.column import bin_counts
from mlguard_sidecar.histogram.pane import COUNT, M2, MAX_COUNT, MEAN, Pane, moments_by_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlguard_sidecar.histogram.partition import Partition

CLASS_LIMIT = 20
"""Number of classes counted by name; further ones are counted as `__other__`."""

NO_CLASS = -1
"""Class number of an event without a class."""

LATENCY_BUCKETS_SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds of the buckets of the exported latency histogram, in seconds."""

_RELATIVE_ERROR = 0.01
MAX_LATENCY_MS = 1e8
"""Maximum latency, more than a day."""

_MIN_LATENCY_MS = 1e-3


def _latency_edges() -> NDArray[np.float64]:
    """Return logarithmic edges in milliseconds, and the bounds of the exported buckets.

    Bins whose bounds have the ratio (1 + a) / (1 - a) represent a value with a relative error of
    at most a: Masson, Rim and Lee, "DDSketch" (2019), section 2.
    """
    ratio = (1 + _RELATIVE_ERROR) / (1 - _RELATIVE_ERROR)
    steps = math.ceil(math.log(MAX_LATENCY_MS / _MIN_LATENCY_MS, ratio))
    logarithmic = _MIN_LATENCY_MS * ratio ** np.arange(steps + 1)
    buckets = [_milliseconds(bound) for bound in LATENCY_BUCKETS_SECONDS]
    return np.union1d(logarithmic, buckets)


def _milliseconds(seconds: float) -> float:
    return float(f"{seconds * 1000:.9g}")  # 2.5, not 2.5000000000000004


_EDGES = _latency_edges()
_BUCKETS = np.searchsorted(_EDGES, [_milliseconds(bound) for bound in LATENCY_BUCKETS_SECONDS])
_ROWS, _NANOSECONDS = 0, 1
_LATENCY_BINS = len(_EDGES) + 1
_LATENCY = slice(2, 2 + _LATENCY_BINS)
_CLASSES = slice(_LATENCY.stop, _LATENCY.stop + CLASS_LIMIT + 1)
_LATENCY_MOMENTS, _SCORE_MOMENTS = 0, 1
# representative value of each bin, within the relative error of both of its bounds
_MIDDLES = np.concatenate(
    [[_EDGES[0]], 2 * _EDGES[:-1] * _EDGES[1:] / (_EDGES[:-1] + _EDGES[1:]), [_EDGES[-1]]]
)


def fold_traffic(
    latency_ms: NDArray[np.float64],
    classes: NDArray[np.intp],
    scores: NDArray[np.float64],
    parts: Partition,
) -> list[Traffic]:
    """Return the traffic of each part.

    Args:
        latency_ms: latency of each event, not finite if it has none; in the order of the parts.
        classes: number of each event's predicted class; CLASS_LIMIT for a class beyond the limit,
            NO_CLASS for no class.
        scores: score of each event, not finite if it has none.
        parts: the parts of the events.
    """
    counts = np.zeros((len(parts), _CLASSES.stop), dtype=np.int64)
    moments = np.empty((len(parts), 2, 5))
    counts[:, _ROWS] = parts.lengths
    has_latency = np.isfinite(latency_ms)
    present = None if has_latency.all() else has_latency
    moments[:, _LATENCY_MOMENTS] = moments_by_part(latency_ms, present, parts)
    # integer nanoseconds, so that the sum is exact, merges by addition and never decreases
    nanoseconds = np.rint(np.where(has_latency, latency_ms, 0.0) * 1e6)
    sums = np.add.reduceat(nanoseconds, parts.starts)
    counts[:, _NANOSECONDS] = [min(int(total), MAX_COUNT) for total in sums.tolist()]
    if len(parts) == 1:
        counts[0, _LATENCY] = bin_counts(latency_ms[has_latency], _EDGES)
    else:
        bins = np.searchsorted(_EDGES, latency_ms)
        bins[~has_latency] = _LATENCY_BINS
        counts[:, _LATENCY] = parts.count(bins, _LATENCY_BINS + 1)[:, :-1]
    has_class = classes != NO_CLASS
    if has_class.any():
        numbers = np.where(has_class, classes, CLASS_LIMIT + 1)
        counts[:, _CLASSES] = parts.count(numbers, CLASS_LIMIT + 2)[:, :-1]
    has_score = np.isfinite(scores)
    present = None if has_score.all() else has_score
    moments[:, _SCORE_MOMENTS] = moments_by_part(scores, present, parts)
    return [Traffic(Pane(*pair)) for pair in zip(counts, moments, strict=True)]


@dataclass(frozen=True)
class Traffic:
    """Traffic pane, read in the units of the metrics."""

    pane: Pane

    @staticmethod
    def zeros() -> Traffic:
        """Return empty traffic."""
        return Traffic(Pane.zeros(_CLASSES.stop, 2))

    def merged(self, other: Traffic) -> Traffic:
        """Return the traffic of the events of both."""
        return Traffic(self.pane.merged(other.pane))

    def without_rows(self) -> Traffic:
        """Return the same classes and scores without the number of events."""
        counts = self.pane.counts.copy()
        counts[_ROWS] = 0
        return Traffic(Pane(counts, self.pane.moments))

    @property
    def rows(self) -> int:
        """Number of events."""
        return int(self.pane.counts[_ROWS])

    @property
    def latency_sum_seconds(self) -> float:
        """Sum of all latencies, in seconds."""
        return int(self.pane.counts[_NANOSECONDS]) / 1e9

    @property
    def classes(self) -> list[int]:
        """Number of events of each class, then of the classes beyond the limit."""
        counts: list[int] = self.pane.counts[_CLASSES].tolist()
        return counts

    def latency_buckets(self) -> list[int]:
        """Return the cumulative counts up to each of LATENCY_BUCKETS_SECONDS, then up to +Inf."""
        cumulative = np.cumsum(self.pane.counts[_LATENCY])
        return [*cumulative[_BUCKETS].tolist(), int(cumulative[-1])]

    def latency_quantiles_seconds(self, *levels: float) -> list[float] | None:
        """Return quantiles of latency in seconds, to a relative error of 1 %; None if empty.

        They are interpolated linearly between ranks, as numpy does by default.

        Args:
            levels: between 0 and 1.
        """
        counts = self.pane.counts[_LATENCY]
        n, _, _, low, high = self.pane.moments[_LATENCY_MOMENTS]
        if n == 0:
            return None
        cumulative = np.cumsum(counts)
        rank = np.array(levels) * (n - 1)
        below, above = np.floor(rank), np.ceil(rank)
        at = [
            np.clip(_MIDDLES[np.searchsorted(cumulative, r, side="right")], low, high)
            for r in (below, above)
        ]
        values = at[0] + (at[1] - at[0]) * (rank - below)
        return [float(v) / 1000 for v in values]

    def score(self) -> tuple[float, float] | None:
        """Return mean and population standard deviation of the scores; None without scores."""
        n, mean, m2 = self.pane.moments[_SCORE_MOMENTS][[COUNT, MEAN, M2]]
        return (float(mean), math.sqrt(m2 / n)) if n else None
