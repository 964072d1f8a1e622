"""Charts as geometry, which the templates draw as SVG.

The plot is stretched to the width of the page, so that lines keep their width and texts, which
stand around it, their size. Its coordinates run from 0 to WIDTH and, downwards, from 0 to HEIGHT.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_common.page import texts
from mlguard_common.page.paths import WIDTH, bars_path, line_path, y_of
from mlguard_common.page.scale import MAX, Scale, scale_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_MAX_SLOTS = 72
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Series:
    """Values of a chart.

    Attributes:
        name: name in the legend.
        values: one for each point of time; None where there is none.
        band: half the height of a band around each value; none by default.
    """

    name: str
    values: Sequence[float | None]
    band: Sequence[float | None] = ()


@dataclass(frozen=True)
class Limit:
    """Horizontal line that values are compared with."""

    name: str
    value: float


@dataclass(frozen=True)
class Shape:
    """Drawn series.

    Attributes:
        name: name in the legend; empty for a part without an entry.
        style: number of its style among those of the chart, from 0.
        path: data of the SVG path.
        kind: `line`, `band`, `bars` or `limit`.
    """

    name: str
    style: int
    path: str
    kind: str


@dataclass(frozen=True)
class Slot:
    """Part of the plot that belongs to a point of time, with the figures in it.

    Attributes:
        x: its left side.
        width: its width.
        text: the figures in words.
        is_marked: whether something happened then.
    """

    x: float
    width: float
    text: str
    is_marked: bool = False


@dataclass(frozen=True)
class Chart:
    """Chart over time.

    Attributes:
        title: what it shows.
        marks: texts of the axis of values, the highest first, evenly spaced.
        grid: heights of these.
        times: epoch seconds of the axis of time, evenly spaced, the earliest first.
        shapes: what is drawn.
        slots: the points of time.
        step: seconds between two points.
        is_empty: whether there are no values at all.
    """

    title: str
    marks: Sequence[str]
    grid: Sequence[float]
    times: Sequence[float]
    shapes: Sequence[Shape]
    slots: Sequence[Slot]
    step: float
    is_empty: bool

    @property
    def summary(self) -> str:
        """The last figures in words, for those who cannot see it."""
        known = [slot.text for slot in self.slots if slot.text]
        return f"last, {known[-1]}" if known else "nothing"

    @property
    def legend(self) -> list[Shape]:
        """Shapes that have an entry in the legend."""
        return [shape for shape in self.shapes if shape.name]


def time_chart(
    title: str,
    times: Sequence[float],
    step: float,
    series: Sequence[Series],
    text: Callable[[float | None], str],
    *,
    kind: str = "line",
    limits: Iterable[Limit] = (),
    marked: frozenset[float] = frozenset(),
    top: float | None = None,
    from_zero: bool = True,
) -> Chart:
    """Return a chart over time.

    Args:
        title: what it shows.
        times: epoch seconds at which the points begin, in order.
        step: seconds of a point.
        series: the values; of kind `stack` they are shares that are stacked, of `bars` one series.
        text: returns a value as a text.
        kind: `line`, `bars` or `stack`.
        limits: lines to compare with.
        marked: points at which something happened.
        top: upper end of the axis; from the values by default.
        from_zero: whether the axis begins at zero.
    """
    lines = list(limits)
    series = [_drawable(each) for each in series]
    scale = _scale(series, lines, kind, top, from_zero=from_zero)
    width = WIDTH / max(len(times), 1)
    shapes: list[Shape] = []
    if kind == "stack":
        shapes += _stacked(series, scale, width)
    elif kind == "bars":
        shapes += [
            Shape(each.name, i, bars_path(_tops(each.values, scale), width), "bars")
            for i, each in enumerate(series)
        ]
    else:
        for i, each in enumerate(series):
            if each.band:
                shapes.append(Shape("", i, _band(each, scale, width), "band"))
            shapes.append(Shape(each.name, i, line_path(each.values, scale, width), "line"))
    for i, limit in enumerate(lines):
        y = y_of(limit.value, scale)
        shapes.append(Shape(f"{limit.name} {text(limit.value)}", i, f"M0 {y}H{WIDTH}", "limit"))
    stride = -(-len(times) // _MAX_SLOTS)
    slots = [
        Slot(
            round(i * width, 1),
            round(width * min(stride, len(times) - i), 1),
            _last_words(series, range(i, min(i + stride, len(times))), times, step, text),
            not marked.isdisjoint(times[i : i + stride]),
        )
        for i in range(0, len(times), stride or 1)
    ]
    known = any(value is not None for each in series for value in each.values)
    ends = _ends(times, step)
    marks = scale.marks[::-1]
    return Chart(
        title,
        _mark_texts(marks, scale.step, text),
        [y_of(mark, scale) for mark in marks],
        ends,
        shapes,
        slots,
        step,
        not known,
    )


def _scale(
    series: Sequence[Series],
    limits: Sequence[Limit],
    kind: str,
    top: float | None,
    *,
    from_zero: bool,
) -> Scale:
    if kind == "stack":
        return Scale(0.0, 1.0, 0.5)
    found = [limit.value for limit in limits]
    for each in series:
        bands = each.band or [None] * len(each.values)
        for value, band in zip(each.values, bands, strict=True):
            if value is not None:
                found += [value - (band or 0.0), value + (band or 0.0)]
    low, high = min(found, default=0.0), max(found, default=1.0)
    low = min(low, 0.0) if from_zero else low
    return scale_of(low, high if top is None else max(top, high), is_whole=kind == "bars")


def _drawable(series: Series) -> Series:
    """Return a series without the values that no axis can show."""

    def kept(values: Sequence[float | None]) -> list[float | None]:
        return [value if value is not None and abs(value) <= MAX else None for value in values]

    return Series(series.name, kept(series.values), kept(series.band))


def _mark_texts(
    marks: Sequence[float], step: float, text: Callable[[float | None], str]
) -> list[str]:
    """Return the texts of marks, with as many digits as tell them apart."""
    found = [text(mark) for mark in marks]
    if len(set(found)) == len(found):
        return found
    decimals = max(-math.floor(math.log10(step)), 0)
    return [f"{mark:,.{decimals}f}" for mark in marks]


def _tops(values: Sequence[float | None], scale: Scale) -> list[tuple[float, float]]:
    ground = y_of(0.0, scale)
    return [(ground, ground if value is None else y_of(value, scale)) for value in values]


def _stacked(series: Sequence[Series], scale: Scale, width: float) -> list[Shape]:
    points = max((len(each.values) for each in series), default=0)
    ground, shapes = [0.0] * points, []
    for i, each in enumerate(series):
        above = [below + (value or 0.0) for below, value in zip(ground, each.values, strict=True)]
        ends = [
            (y_of(low, scale), y_of(high, scale)) for low, high in zip(ground, above, strict=True)
        ]
        shapes.append(Shape(each.name, i, bars_path(ends, width), "bars"))
        ground = above
    return shapes


def _band(series: Series, scale: Scale, width: float) -> str:
    """Return the path of the areas around a line, one for each run of values."""
    path, run = "", []
    for i, (value, band) in enumerate(
        zip([*series.values, None], [*series.band, None], strict=True)
    ):
        if value is not None:
            x = round((i + 0.5) * width, 1)
            run.append((x, y_of(value + (band or 0), scale), y_of(value - (band or 0), scale)))
        elif run:
            over = "L".join(f"{x} {high}" for x, high, _ in run)
            under = "L".join(f"{x} {low}" for x, _, low in reversed(run))
            path += f"M{over}L{under}z"
            run = []
    return path


def _last_words(
    series: Sequence[Series],
    points: range,
    times: Sequence[float],
    step: float,
    text: Callable[[float | None], str],
) -> str:
    found = (_words(series, i, times, step, text) for i in reversed(points))
    return next(filter(None, found), "")


def _words(
    series: Sequence[Series],
    i: int,
    times: Sequence[float],
    step: float,
    text: Callable[[float | None], str],
) -> str:
    found = [f"{each.name} {text(each.values[i])}" for each in series if each.values[i] is not None]
    if not found:
        return ""
    when = texts.day(times[i]) if step >= _DAY_SECONDS else f"{texts.clock(times[i])} UTC"
    return f"{when}: {', '.join(found)}"


def _ends(times: Sequence[float], step: float, parts: int = 4) -> list[float]:
    """Return evenly spaced times from the begin of the first point to the end of the last."""
    if not times:
        return []
    begin, end = times[0], times[-1] + step
    return [begin + (end - begin) * i / parts for i in range(parts + 1)]
