"""Edges between the bins of numeric columns.

All functions are pure. Bins are closed on the right: between edges a and b lie the values
a < v <= b.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

MAX_EDGES = 64
"""Maximum number of edges from end to end of the data; those of the tails are in addition."""

MARGIN = 2.0**-22
"""Distance of an edge above its lower neighbour, relative to it: four roundings to float32."""

TAIL_STEPS = tuple(2.0**k for k in range(-3, 7))
"""Distances of the tails' edges from the ends of the data, in widths of the data."""

_MAX = float(np.finfo(np.float64).max)
_MIN_FLOAT32 = float(np.finfo(np.float32).tiny)
_MAX_FLOAT32 = float(np.finfo(np.float32).max)


def psi_edges(
    numbers: NDArray[np.float64], bins: int, *, uniform: bool, given: Sequence[float] = ()
) -> tuple[float, ...]:
    """Return the edges between the bins of drift; the outer bins are open.

    A constant has a bin of its own, one below and one above.

    Args:
        numbers: finite numbers, at least one.
        bins: number of bins.
        uniform: whether bins have equal widths rather than equal shares of the data.
        given: edges to use instead, unchanged.
    """
    values, counts = np.unique(numbers, return_counts=True)
    if given:
        edges: NDArray[np.float64] = np.unique(np.array(given, dtype=np.float64))
    elif len(values) == 1:
        edges = np.unique(ends(float(values[0]), float(values[0])))
    elif uniform:
        levels = np.arange(1, bins) / bins
        edges = np.unique(values[0] * (1 - levels) + values[-1] * levels)  # no overflow
        edges = edges[edges < values[-1]]
        if not len(edges):  # the ends are neighbours among floats
            edges = values[:1]
    else:
        edges = _between(values, split(counts.tolist(), bins))
    return tuple(edges.tolist())


def column_edges(
    numbers: NDArray[np.float64], psi: Sequence[float], bins: int
) -> tuple[float, ...]:
    """Return the edges of a column: those of drift, both ends, quantiles, and the tails.

    Args:
        numbers: finite numbers, at least one.
        psi: edges between the bins of drift.
        bins: number of those bins; the quantiles include theirs if there is room.
    """
    values, counts = np.unique(numbers, return_counts=True)
    lowest, highest = float(values[0]), float(values[-1])
    room = MAX_EDGES - 2
    steps = max(room // bins, 1) * bins
    inner = np.union1d(psi, _between(values, _quantiles(counts, steps)))
    if len(inner) > room:
        steps = max(room - len(psi) + 1, 1)
        inner = np.union1d(psi, _between(values, _quantiles(counts, steps)))
    outer = [*ends(lowest, highest), *tail_edges(lowest, highest)]
    return tuple(np.unique(np.concatenate([inner, outer])).tolist())


def ends(low: float, high: float) -> tuple[float, float]:
    """Return the edges below the smallest and at or above the largest value of the data."""
    below = min(low - MARGIN * abs(low), math.nextafter(low, -math.inf))
    above = high + MARGIN * abs(high)
    return max(below, -_MAX), min(above, _MAX)


def tail_edges(low: float, high: float) -> list[float]:
    """Return ascending edges beyond both ends, at distances that double.

    The distances from the `ends` are `TAIL_STEPS` times the width of the data, or of a constant
    times its size, or of zero times 1. Edges that are not finite are left out.

    Args:
        low: smallest value of the data.
        high: largest value.
    """
    width = high - low or abs(high) or 1.0
    below, above = ends(low, high)
    left = (below - width * step for step in TAIL_STEPS)
    right = (above + width * step for step in TAIL_STEPS)
    edges = {e for e in left if e < below} | {e for e in right if e > above}
    return sorted(e for e in edges if math.isfinite(e))


def split(counts: Sequence[int], bins: int) -> list[int]:
    """Divide ordered distinct values into bins of shares that are as equal as their ties permit.

    - With at most as many values as bins, each value has a bin.
    - A value that holds more than a bin's share has a bin of its own. The remaining bins are
      divided among the runs of values between, in proportion to the counts of these, and each run
      is then split in the same way.
    - Without such values, the bins end at quantiles.

    There are `bins` bins if there are that many values.

    Args:
        counts: how often each value occurs, at least once.
        bins: number of bins, at least 1.

    Returns:
        For each bin but the last, the index of its last value.

    Examples:
        >>> split([950, 10, 10, 10, 10, 10], 3)
        [0, 2]
    """
    if bins == 1:
        return []
    if len(counts) <= bins:
        return list(range(len(counts) - 1))
    heavy = _heavy(counts, bins)
    if not heavy:
        return _quantiles(counts, bins)
    runs = _runs(len(counts), heavy)
    if len(heavy) + len(runs) > bins:  # two bins, and one value in the middle that outweighs all
        (i,) = heavy
        return [i - 1 if sum(counts[:i]) >= sum(counts[i + 1 :]) else i]
    masses = [sum(counts[run.start : run.stop]) for run in runs]
    shares = _apportion(masses, [len(run) for run in runs], bins - len(heavy))
    last = {i for h in heavy for i in (h - 1, h)}
    for run, share in zip(runs, shares, strict=True):
        last |= {run.start + i for i in split(counts[run.start : run.stop], share)}
    return sorted(last & set(range(len(counts) - 1)))


_PIECE = 1 << 16


def close_values(numbers: NDArray[np.float64]) -> int:
    """Return how many neighbouring values may share a bin once they are rounded to float32.

    Counted are pairs of distinct values whose distance is less than 2^-21 of the larger, and values
    that float32 cannot hold to its relative precision: too large, or too small but not 0. Without
    any of these, float32 and float64 of the same data fall into the same bins.
    """
    values = np.sort(numbers)
    found = 0
    for start in range(0, len(values), _PIECE):  # in pieces, as a file may have millions
        piece = values[start : start + _PIECE + 1]
        sizes = np.abs(piece)
        with np.errstate(over="ignore"):
            gaps = np.diff(piece)
        close = (gaps > 0) & (gaps < 2 * MARGIN * np.maximum(sizes[1:], sizes[:-1]))
        is_new = np.append(gaps > 0, start + _PIECE >= len(values))
        odd = (sizes > _MAX_FLOAT32) | ((sizes < _MIN_FLOAT32) & (sizes > 0))
        found += int(close.sum() + (odd & is_new[: len(piece)]).sum())
    return found


def edge_label(edge: float) -> str:
    """Return the shortest decimal that stands for an edge, at it or just below.

    It is at most the `MARGIN` away, so that the edge above the value 39 is `39`.
    """
    lowest = edge - MARGIN * (1 + MARGIN) * abs(edge)
    for digits in range(1, 17):
        text = f"{edge:.{digits}g}"
        if lowest <= float(text) <= edge:
            return repr(float(text))
    return repr(edge)


def _between(values: NDArray[np.float64], last: Sequence[int]) -> NDArray[np.float64]:
    """Return the edges just above the values at some indices, none of which is the largest."""
    index = np.array(last, dtype=np.intp)
    lower, upper = values[index], values[index + 1]
    half = upper / 2 - lower / 2
    edges: NDArray[np.float64] = lower + np.minimum(half, MARGIN * np.abs(lower))
    return np.where(edges < upper, edges, lower)  # neighbours among floats


def _quantiles(counts: Sequence[int] | NDArray[np.intp], steps: int) -> list[int]:
    """Return the indices of the quantiles at multiples of 1 / steps, without the last value.

    Hyndman and Fan, "Sample quantiles in statistical packages" (1996), definition 1: the inverse
    of the empirical distribution, so that a quantile is a value of the data.
    """
    sums = np.cumsum(counts)
    ranks = -(-np.arange(1, steps) * int(sums[-1]) // steps)  # rounded up, in integers
    found = np.unique(np.searchsorted(sums, ranks))
    return [i for i in found.tolist() if i < len(sums) - 1]


def _heavy(counts: Sequence[int], bins: int) -> list[int]:
    """Return the values with more than a bin's share, the heaviest, as far as bins suffice."""
    total = sum(counts)
    order = sorted((i for i, n in enumerate(counts) if n * bins > total), key=lambda i: -counts[i])
    found: list[int] = []
    for i in order:
        if not found or len(found) + 1 + len(_runs(len(counts), [*found, i])) <= bins:
            found.append(i)
    return sorted(found)


def _runs(size: int, heavy: Iterable[int]) -> list[range]:
    """Return the runs of indices between some of them, without empty ones."""
    stops = [*sorted(heavy), size]
    starts = [0, *(i + 1 for i in stops[:-1])]
    return [range(a, b) for a, b in zip(starts, stops, strict=True) if a < b]


def _apportion(masses: Sequence[int], limits: Sequence[int], seats: int) -> list[int]:
    """Divide seats in proportion to masses, at least one each, none beyond its limit.

    Seat by seat to the mass with the most for each seat that it would then have (D'Hondt).
    """
    shares = [1] * len(masses)
    for _ in range(seats - len(masses)):
        open_ = [i for i, limit in enumerate(limits) if shares[i] < limit]
        if not open_:
            break
        shares[max(open_, key=lambda i: (masses[i] / (shares[i] + 1), -i))] += 1
    return shares
