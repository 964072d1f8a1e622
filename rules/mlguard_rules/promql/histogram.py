"""histogram_quantile: a quantile of classic buckets (prometheus/promql/quantile.go)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from mlguard_rules.promql.arithmetic import divide
from mlguard_rules.promql.nodes import EvalContext, ScalarNode, VectorNode
from mlguard_rules.promql.values import vector_of, without_name

if TYPE_CHECKING:
    from mlguard_rules.promql.values import Labels, Vector

_BOUND = "le"
_DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?", re.IGNORECASE)
_HEXADECIMAL = re.compile(
    r"[-+]?0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)p[-+]?[0-9]+", re.IGNORECASE
)
_SPECIAL = re.compile(r"[-+]?inf(?:inity)?|nan", re.IGNORECASE)
_SEPARATOR = re.compile(r"(?<=[0-9])_(?=[0-9])")
_HEX_SEPARATOR = re.compile(r"(?<=[0-9a-fx])_(?=[0-9a-f])", re.IGNORECASE)

_Buckets: TypeAlias = "list[tuple[float, float]]"


@dataclass(frozen=True)
class HistogramQuantile(VectorNode):
    """histogram_quantile(ratio, argument).

    Attributes:
        ratio: 0 to 1.
        argument: the buckets, with their upper bounds in the label `le`.
    """

    ratio: ScalarNode
    argument: VectorNode

    def vector(self, context: EvalContext) -> Vector:
        """Return the quantile of each histogram; elements without a bound are ignored."""
        ratio = self.ratio.scalar(context)
        histograms: dict[Labels, _Buckets] = {}
        for labels, value in self.argument.vector(context).items():
            bound = parse_float(next((text for name, text in labels if name == _BOUND), ""))
            if bound is not None:
                key = tuple([pair for pair in labels if pair[0] != _BOUND])
                histograms.setdefault(key, []).append((bound, value))
        return vector_of(
            (without_name(labels), bucket_quantile(ratio, buckets))
            for labels, buckets in histograms.items()
        )


@lru_cache(maxsize=1024)
def parse_float(text: str) -> float | None:
    """Return a number as Go's ParseFloat reads it, None if it is none or out of range."""
    if _SPECIAL.fullmatch(text):
        return float(text)
    plain = _SEPARATOR.sub("", text)
    if _DECIMAL.fullmatch(plain):
        number = float(plain)
        return number if math.isfinite(number) else None
    plain = _HEX_SEPARATOR.sub("", text)
    if not _HEXADECIMAL.fullmatch(plain):
        return None
    try:
        return float.fromhex(plain)
    except OverflowError:
        return None


def bucket_quantile(ratio: float, buckets: _Buckets) -> float:
    """Return a quantile of buckets, each an upper bound and a cumulated count."""
    if math.isnan(ratio):
        return math.nan
    if ratio < 0 or ratio > 1:
        return math.copysign(math.inf, ratio)
    ordered = _monotonic(_joined(buckets))
    total = ordered[-1][1]
    if ordered[-1][0] != math.inf or len(ordered) < 2 or total == 0:
        return math.nan
    rank = ratio * total
    found = _first_reaching(rank, ordered)
    if found == len(ordered) - 1:
        return ordered[-2][0]
    return _interpolated(rank, ordered, found)


def _interpolated(rank: float, buckets: _Buckets, found: int) -> float:
    """Return the value of a rank within a bucket; the first one begins at 0."""
    end, count = buckets[found]
    if found > 0:
        start, below = buckets[found - 1]
        return start + (end - start) * divide(rank - below, count - below)
    return end * divide(rank, count) if end > 0 else end


def _joined(buckets: _Buckets) -> _Buckets:
    """Return the buckets by bound, those of the same bound added up."""
    ordered = sorted(buckets, key=itemgetter(0))
    return [
        (bound, sum(count for _, count in same)) for bound, same in groupby(ordered, itemgetter(0))
    ]


def _monotonic(buckets: _Buckets) -> _Buckets:
    """Return the buckets with counts that never fall, as those of one scrape may do."""
    highest = buckets[0][1]
    found = buckets[:1]
    for bound, count in buckets[1:]:
        highest = max(highest, count)
        found.append((bound, max(count, highest)))
    return found


def _first_reaching(rank: float, buckets: _Buckets) -> int:
    """Return the first bucket, if any but the last, whose count is the rank (Go's sort.Search)."""
    low, high = 0, len(buckets) - 1
    while low < high:
        middle = (low + high) // 2
        if buckets[middle][1] >= rank:
            high = middle
        else:
            low = middle + 1
    return low
