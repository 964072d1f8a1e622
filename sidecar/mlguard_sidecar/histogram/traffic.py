"""The pane that every model has, with or without features: traffic, latency, classes, scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram.column import bin_counts
from mlguard_sidecar.histogram.pane import COUNT, M2, MEAN, Pane, moments_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASS_LIMIT = 20
"""Classes that are counted by name; the rest are counted as `__other__`."""

LATENCY_BUCKETS_SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds of the exported latency histogram, in seconds."""

_RELATIVE_ERROR = 0.01
LONGEST_LATENCY_MS = 1e8
"""Over a day: what is longer is no latency."""

_SHORTEST_MS = 1e-3


def _latency_edges() -> NDArray[np.float64]:
    """Logarithmic edges in milliseconds, with the exported buckets' bounds among them.

    Bins whose bounds have the ratio (1 + a) / (1 - a) hold any value to a relative error of a:
    Masson, Rim and Lee, "DDSketch" (2019), section 2.
    """
    ratio = (1 + _RELATIVE_ERROR) / (1 - _RELATIVE_ERROR)
    steps = math.ceil(math.log(LONGEST_LATENCY_MS / _SHORTEST_MS, ratio))
    logarithmic = _SHORTEST_MS * ratio ** np.arange(steps + 1)
    buckets = [_milliseconds(bound) for bound in LATENCY_BUCKETS_SECONDS]
    return np.union1d(logarithmic, buckets)


def _milliseconds(seconds: float) -> float:
    return float(f"{seconds * 1000:.9g}")  # 2.5, not 2.5000000000000004


_EDGES = _latency_edges()
_BUCKETS = np.searchsorted(_EDGES, [_milliseconds(bound) for bound in LATENCY_BUCKETS_SECONDS])
_LARGEST = np.iinfo(np.int64).max
_ROWS, _NANOSECONDS = 0, 1
_LATENCY = slice(2, 2 + len(_EDGES) + 1)
_CLASSES = slice(_LATENCY.stop, _LATENCY.stop + CLASS_LIMIT + 1)
_LATENCY_MOMENTS, _SCORE_MOMENTS = 0, 1
# what stands for the values of a bin: off by at most the relative error at either bound
_MIDDLES = np.concatenate(
    [[_EDGES[0]], 2 * _EDGES[:-1] * _EDGES[1:] / (_EDGES[:-1] + _EDGES[1:]), [_EDGES[-1]]]
)


@dataclass(frozen=True)
class Traffic:
    """What a traffic pane says, in the units of the metrics."""

    pane: Pane

    @staticmethod
    def zeros() -> Traffic:
        """Traffic of nothing."""
        return Traffic(Pane.zeros(_CLASSES.stop, 2))

    @staticmethod
    def of(
        rows: int,
        latency_ms: NDArray[np.float64],
        classes: NDArray[np.intp],
        scores: NDArray[np.float64],
    ) -> Traffic:
        """Traffic of some events.

        Args:
            rows: how many events.
            latency_ms: the latencies that there are, finite.
            classes: the number of each predicted class, CLASS_LIMIT for any other.
            scores: the scores that there are, finite.
        """
        new = Traffic.zeros()
        counts = new.pane.counts
        counts[_ROWS] = rows
        # whole nanoseconds, so that the sum is exact, merges by addition and never goes back
        counts[_NANOSECONDS] = min(int(np.rint(latency_ms * 1e6).sum()), _LARGEST)
        counts[_LATENCY] = bin_counts(latency_ms, _EDGES)
        counts[_CLASSES] = np.bincount(classes, minlength=CLASS_LIMIT + 1)
        new.pane.moments[_LATENCY_MOMENTS] = moments_of(latency_ms)
        new.pane.moments[_SCORE_MOMENTS] = moments_of(scores)
        return new

    def merged(self, other: Traffic) -> Traffic:
        """Both as one."""
        return Traffic(self.pane.merged(other.pane))

    @property
    def rows(self) -> int:
        """Events."""
        return int(self.pane.counts[_ROWS])

    @property
    def latency_sum_seconds(self) -> float:
        """Sum of all latencies."""
        return int(self.pane.counts[_NANOSECONDS]) / 1e9

    @property
    def classes(self) -> list[int]:
        """Events of each class, then those of any other."""
        counts: list[int] = self.pane.counts[_CLASSES].tolist()
        return counts

    def latency_buckets(self) -> list[int]:
        """Cumulative counts for LATENCY_BUCKETS_SECONDS, then for +Inf."""
        cumulative = np.cumsum(self.pane.counts[_LATENCY])
        return [*cumulative[_BUCKETS].tolist(), int(cumulative[-1])]

    def latency_quantiles_seconds(self, *levels: float) -> list[float] | None:
        """Quantiles as numpy's default defines them, to a relative error of 1 %.

        None where there is no latency.
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
        """Mean and standard deviation (of the population) of the scores, None without any."""
        n, mean, m2 = self.pane.moments[_SCORE_MOMENTS][[COUNT, MEAN, M2]]
        return (float(mean), math.sqrt(m2 / n)) if n else None
