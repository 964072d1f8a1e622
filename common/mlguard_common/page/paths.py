"""Paths of SVG: lines, dots, bands and bars, given where values lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_common.page.scale import Scale

WIDTH, HEIGHT = 1000, 100
"""Size of a plot, in the units of its paths; downwards, they run from 0 to HEIGHT."""


def y(value: float, scale: Scale, height: float = HEIGHT) -> float:
    """Return the height at which a value lies, downwards."""
    return round(height * (1 - scale.position(value)), 1)


def tops(values: Sequence[float | None], scale: Scale) -> list[tuple[float, float]]:
    """Return the lower and upper end of the bar of each value, which stands on zero."""
    ground = y(0.0, scale)
    return [(ground, ground if value is None else y(value, scale)) for value in values]


def bars(ends: Sequence[tuple[float, float]], width: float) -> str:
    """Return the path of bars, given the lower and upper end of each."""
    return "".join(
        f"M{round((i + 0.1) * width, 1)} {low}V{high}h{round(0.8 * width, 1)}V{low}z"
        for i, (low, high) in enumerate(ends)
        if low != high
    )


def line(values: Sequence[float | None], scale: Scale, width: float, height: float = HEIGHT) -> str:
    """Return the path of a line, interrupted where values are missing."""
    parts, is_down = [], False
    for i, value in enumerate(values):
        if value is not None:
            x = round((i + 0.5) * width, 1)
            parts.append(f"{'L' if is_down else 'M'}{x} {y(value, scale, height)}")
        is_down = value is not None
    return "".join(parts)


def dots(values: Sequence[float | None], scale: Scale, width: float, height: float = HEIGHT) -> str:
    """Return the path of the values without a neighbour, which no line shows."""
    return "".join(
        f"M{round((i + 0.5) * width, 1)} {y(value, scale, height)}h0.01"
        for i, value in enumerate(values)
        if value is not None
        and (i == 0 or values[i - 1] is None)
        and (i + 1 == len(values) or values[i + 1] is None)
    )


def band(
    values: Sequence[float | None], spread: Sequence[float | None], scale: Scale, width: float
) -> str:
    """Return the path of the areas around a line, one for each run of values."""
    path, run = "", []
    for i, (value, half) in enumerate(zip([*values, None], [*spread, None], strict=True)):
        if value is not None:
            x = round((i + 0.5) * width, 1)
            run.append((x, y(value + (half or 0), scale), y(value - (half or 0), scale)))
        elif run:
            over = "L".join(f"{x} {high}" for x, high, _ in run)
            under = "L".join(f"{x} {low}" for x, _, low in reversed(run))
            path += f"M{over}L{under}z"
            run = []
    return path
