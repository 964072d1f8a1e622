"""Draws figures of spend as they were published, as SVG."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH, HEIGHT = 900, 560
LEFT, RIGHT = 64, 20
COLOURS = ("#2563eb", "#0f9d76", "#b45309")
INK, FAINT, GRID, RED, PAPER = "#1f2937", "#6b7280", "#e5e7eb", "#dc2626", "#ffffff"


class Model(NamedTuple):
    """What was published of one model on one day."""

    name: str
    settled: float | None
    expected: float | None
    spike: bool


class Day(NamedTuple):
    """What was published on one day.

    Attributes:
        today: that day.
        judged: the settled day that models' figures are of.
        models: in the order of their colours.
        spent: of the budget's month, so far; None before a day of it is known.
        forecast: for its end; the same.
        budget: of that month.
    """

    today: date
    judged: date
    models: list[Model]
    spent: float | None
    forecast: float | None
    budget: float | None


class Panel(NamedTuple):
    """A place for lines over days."""

    top: float
    height: float
    most: float
    first: date
    last: date

    def x(self, day: date) -> float:
        return (
            LEFT + (WIDTH - LEFT - RIGHT) * (day - self.first).days / (self.last - self.first).days
        )

    def y(self, value: float) -> float:
        return self.top + self.height * (1 - value / self.most)

    def line(self, points: Iterable[tuple[date, float | None]], style: str) -> str:
        """A line that breaks where there is no value."""
        path, pen = [], "M"
        for day, value in points:
            if value is not None:
                path.append(f"{pen}{self.x(day):.1f} {self.y(value):.1f}")
            pen = "M" if value is None else "L"
        return f'<path d="{" ".join(path)}" fill="none" {style}/>'

    def frame(self, title: str, step: float) -> list[str]:
        """Title, grid and scales."""
        found = [text(LEFT, self.top - 12, title, INK, 14, weight="600")]
        value = 0.0
        while value <= self.most:
            y = self.y(value)
            found.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
            found.append(text(LEFT - 8, y + 4, f"${value:,.0f}", FAINT, 12, anchor="end"))
            value += step
        day = self.first
        while day <= self.last:
            if day.day in (1, 15):
                label = f"{day:%-d %b}"
                found.append(
                    text(
                        self.x(day), self.top + self.height + 18, label, FAINT, 12, anchor="middle"
                    )
                )
            day += timedelta(days=1)
        return found


def text(
    x: float, y: float, words: str, colour: str, size: int, anchor="start", weight="400"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" font-weight="{weight}"'
        f' text-anchor="{anchor}">{escape(words)}</text>'
    )


def legend(y: float, entries: Iterable[tuple[str, str]]) -> list[str]:
    """Samples of marks with their names, from the right."""
    found, x = [], float(WIDTH - RIGHT)
    for mark, name in reversed(list(entries)):
        x -= 6.8 * len(name)
        found.append(text(x, y, name, INK, 12))
        found.append(f'<g transform="translate({x - 30:.1f} {y - 4})">{mark}</g>')
        x -= 44
    return found


def stroke(style: str) -> str:
    """A line, as a legend shows it."""
    return f'<path d="M0 0L24 0" {style}/>'


def ring(x: float, y: float) -> str:
    """Mark a day that was reported."""
    place = f'cx="{x:.1f}" cy="{y:.1f}" r="5.5"'
    return f'<circle {place} fill="none" stroke="{RED}" stroke-width="2"/>'


def draw(days: list[Day]) -> str:
    """Two panels: settled days with what was expected of them, and a month with its forecast."""
    first, last = days[0].judged, days[-1].judged
    found = spend_of_days(days, Panel(48, 230, 310, first, last))
    found += month(days, Panel(356, 160, 6000, first, last))
    style = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {style}>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{PAPER}"/>\n'
        + "\n".join(found)
        + "\n</svg>\n"
    )


def spend_of_days(days: list[Day], panel: Panel) -> list[str]:
    """Each model's settled days, with what was expected of them and what was reported."""
    found = panel.frame("What settled days cost", 50)
    names = []
    for n, colour in enumerate(COLOURS):
        solid = f'stroke="{colour}" stroke-width="2"'
        dotted = f'stroke="{colour}" stroke-width="1.2" stroke-dasharray="2 3" opacity="0.8"'
        model = [(day.judged, day.models[n]) for day in days]
        found.append(panel.line(((day, each.expected) for day, each in model), dotted))
        found.append(panel.line(((day, each.settled) for day, each in model), solid))
        found += [
            ring(panel.x(day), panel.y(each.settled or 0)) for day, each in model if each.spike
        ]
        names.append((stroke(solid), days[0].models[n].name))
    dotted = stroke(f'stroke="{FAINT}" stroke-width="1.2" stroke-dasharray="2 3"')
    return found + legend(36, [*names, (dotted, "expected"), (ring(18, 0), "reported")])


def month(days: list[Day], panel: Panel) -> list[str]:
    """What a project has spent of its budget, and what it was said to spend."""
    found = panel.frame("What the project shop costs in a month", 2000)
    shown = [day for day in days if day.today <= panel.last]
    lines = (
        ("spent", f'stroke="{COLOURS[0]}" stroke-width="2"', [day.spent for day in shown]),
        (
            "forecast",
            f'stroke="{COLOURS[0]}" stroke-width="1.5" stroke-dasharray="5 3"',
            [day.forecast for day in shown],
        ),
        ("budget", f'stroke="{RED}" stroke-width="1.5"', [day.budget for day in shown]),
    )
    for _, style, values in lines:
        points: list[tuple[date, float | None]] = []
        for day, value in zip(shown, values, strict=True):
            points += [(day.today, None)] if day.today.day == 1 else []  # months are apart
            points.append((day.today, value))
        found.append(panel.line(points, style))
    return found + legend(344, [(stroke(style), name) for name, style, _ in lines])
