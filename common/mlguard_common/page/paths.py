"""SVG paths of lines and bars, and the charts without axes that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_common.page.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 1000, 100
_SPARK_WIDTH, _SPARK_HEIGHT = 100, 24


def y_of(value: float, scale: Scale, height: float = HEIGHT) -> float:
    """Return where a value is drawn, downwards from the upper end of the plot."""
    return round(height * (1 - scale.position(value)), 1)


def bars_path(ends: Sequence[tuple[float, float]], width: float) -> str:
    """Return the path of bars, given the lower and upper end of each."""
    return "".join(
        f"M{round((i + 0.1) * width, 1)} {low}V{high}h{round(0.8 * width, 1)}V{low}z"
        for i, (low, high) in enumerate(ends)
        if low != high
    )


def line_path(
    values: Sequence[float | None], scale: Scale, width: float, height: float = HEIGHT
) -> str:
    """Return the path of a line, interrupted where values are missing."""
    parts, is_down = [], False
    for i, value in enumerate(values):
        if value is None:
            is_down = False
            continue
        x, y = round((i + 0.5) * width, 1), y_of(value, scale, height)
        alone = not is_down and (i + 1 == len(values) or values[i + 1] is None)
        parts.append(f"{'L' if is_down else 'M'}{x} {y}{'h0.01' if alone else ''}")
        is_down = True
    return "".join(parts)


def sparkline(values: Sequence[float | None]) -> str:
    """Return the path of a small line without axes, 100 wide and 24 high; empty without values."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    scale = Scale(0.0, max(*known, 1e-12), 1.0)
    return line_path(values, scale, _SPARK_WIDTH / len(values), _SPARK_HEIGHT)


def paired_bars(before: Sequence[float], now: Sequence[float]) -> tuple[str, str]:
    """Return two paths of narrow bars side by side, 100 wide and 24 high.

    Args:
        before: shares of the bins, drawn first.
        now: shares of the same bins.
    """
    highest = max([*before, *now, 1e-12])
    width = _SPARK_WIDTH / max(len(before), 1)
    bar = round(0.4 * width, 1)

    def path(shares: Sequence[float], offset: float) -> str:
        return "".join(
            f"M{round(i * width + offset, 1)} {_SPARK_HEIGHT}"
            f"V{round(_SPARK_HEIGHT * (1 - share / highest), 1)}h{bar}V{_SPARK_HEIGHT}z"
            for i, share in enumerate(shares)
            if share > 0
        )

    return path(before, 0.08 * width), path(now, 0.52 * width)
