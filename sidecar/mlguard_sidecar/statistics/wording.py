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
        return f"are at most {edges[end - 1]:.6g}" if end <= len(edges) else "are anywhere"
    if end > len(edges):
        return f"lie above {edges[first - 1]:.6g}"
    return f"lie above {edges[first - 1]:.6g}, up to {edges[end - 1]:.6g}"


def percent(share: float) -> str:
    """Return a share in percent, with a decimal below 10 %."""
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
