"""Parts of sentences about bins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def largest_gain(gain: NDArray[np.float64]) -> tuple[int, int]:
    """Return begin and end of the run of neighbouring bins that gained the most."""
    best, begin = (0, 0), 0
    for i in range(len(gain) + 1):
        if i == len(gain) or gain[i] <= 0:
            if gain[begin:i].sum() > gain[best[0] : best[1]].sum():
                best = (begin, i)
            begin = i + 1
    return best if best[1] else (0, 1)


def range_of(edges: tuple[float, ...], first: int, end: int) -> str:
    """Return where the values of a run of bins lie, such as `lie above 3, up to 5`."""
    if first == 0:
        return f"are at most {number(edges[end - 1])}" if end <= len(edges) else "are anywhere"
    if end > len(edges):
        return f"lie above {number(edges[first - 1])}"
    low, high = edges[first - 1], edges[end - 1]
    texts = number(low), number(high)
    if texts[0] == texts[1]:  # a bin of one value, whose edges lie close around it
        return f"are {texts[1]}" if low < float(texts[1]) <= high else f"lie about {texts[1]}"
    return f"lie above {texts[0]}, up to {texts[1]}"


def number(value: float) -> str:
    """Return a number with six digits, of large ones all before the point."""
    return f"{value:.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:.6g}"


def percent(share: float) -> str:
    """Return a share in percent, with a decimal below 10 %."""
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
