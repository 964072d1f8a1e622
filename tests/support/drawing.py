"""Panels of a dashboard, drawn of the series that their queries returned."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from support.units import text_of

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from support.dashboards import Query

Answers = list[tuple["Query", list[dict[str, Any]]]]
COLUMNS, UNIT, WIDTH = 24, 0.28, 14.0
COLOURS = {
    "green": "#2f9e44",
    "yellow": "#b08900",
    "orange": "#e8590c",
    "red": "#e03131",
    "blue": "#1c5fb0",
    "text": "#495057",
}
INK, FAINT, PAPER, GROUND = "#212529", "#868e96", "#ffffff", "#f1f3f5"
REFERENCES = {"limit": ("red", "--"), "chance": ("orange", ":"), "baseline": ("text", "--"),
              "expected": ("text", "--")}  # fmt: skip


def draw(
    dashboard: dict[str, Any], answers: Answers, span: tuple[float, float], path: Path
) -> None:
    """Draw a dashboard as a PNG.

    Args:
        dashboard: as it is imported.
        answers: each query of its panels with its series.
        span: begin and end of the time range, epoch seconds.
        path: of the picture.
    """
    mpl.use("Agg")
    plt.rcParams.update({"font.size": 7, "axes.edgecolor": "#ced4da", "text.color": INK})
    rows = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in dashboard["panels"])
    figure = plt.figure(figsize=(WIDTH, rows * UNIT), dpi=100, facecolor=GROUND)
    for _, found in groupby(answers, key=lambda answer: answer[0].panel["id"]):
        of_panel = list(found)
        panel = of_panel[0][0].panel
        _frame(figure, panel, rows)
        at, pad = panel["gridPos"], 0.1
        top, bottom = 1.25, 0.3
        if panel["type"] in ("timeseries", "heatmap", "barchart"):
            bottom = 2.3
        left, right = (1.25, 0.25) if panel["type"] in ("timeseries", "heatmap") else (0.3, 0.3)
        if panel["type"] == "barchart":
            left = 0.9
        if panel["type"] == "bargauge":
            left = min(3.9, at["w"] / 3)
        axes = figure.add_axes(
            (
                (at["x"] + pad + left) / COLUMNS,
                1 - (at["y"] + at["h"] - pad - bottom) / rows,
                (at["w"] - 2 * pad - left - right) / COLUMNS,
                (at["h"] - 2 * pad - top - bottom) / rows,
            )
        )
        DRAWN[panel["type"]](axes, panel, of_panel, span)
    figure.savefig(path)
    plt.close(figure)
    with Image.open(path) as drawn:
        drawn.convert("RGB").quantize(96).save(path, optimize=True)


def _frame(figure: Any, panel: dict[str, Any], rows: int) -> None:
    at, pad = panel["gridPos"], 0.1
    axes = figure.add_axes(
        (
            (at["x"] + pad) / COLUMNS,
            1 - (at["y"] + at["h"] - pad) / rows,
            (at["w"] - 2 * pad) / COLUMNS,
            (at["h"] - 2 * pad) / rows,
        ),
        facecolor=PAPER,
    )
    axes.set(xticks=[], yticks=[])
    inches = (at["h"] - 2 * pad) * UNIT
    axes.text(
        0.12 / ((at["w"] - 2 * pad) * WIDTH / COLUMNS),
        1 - 0.08 / inches,
        panel["title"],
        va="top",
        weight="bold",
        transform=axes.transAxes,
    )


def _defaults(panel: dict[str, Any]) -> dict[str, Any]:
    return panel["fieldConfig"]["defaults"]


def _values(series: dict[str, Any]) -> tuple[list[datetime], np.ndarray]:
    points = series.get("values") or [series["value"]]
    times = [datetime.fromtimestamp(float(at), UTC) for at, _ in points]
    return times, np.array([float(value) for _, value in points])


def _name(query: Query, series: dict[str, Any]) -> str:
    labels = series["metric"]
    return re.sub(r"{{(\w+)}}", lambda m: labels.get(m[1], ""), query.legend) or "(none)"


def _colour(steps: list[dict[str, Any]], value: float) -> str:
    name = "text"
    for step in steps:
        if step["value"] is None or value >= step["value"]:
            name = step["color"]
    return COLOURS[name]


def _stat(axes: Axes, panel: dict[str, Any], answers: Answers, span: tuple[float, float]) -> None:
    axes.axis("off")
    defaults = _defaults(panel)
    (_, series), *limits = answers
    if not series:
        shown, colour = defaults.get("noValue", "no data"), FAINT
    else:
        times, values = _values(series[0])
        steps = list(defaults["thresholds"]["steps"])
        if limits and limits[0][1]:
            steps.append({"color": "red", "value": float(limits[0][1][0]["value"][1])})
        colour = _colour(steps, values[-1])
        shown = text_of(values[-1], defaults["unit"], defaults.get("decimals"))
        if len(values) > 1:
            axes.fill_between(times, values, color=colour, alpha=0.15, lw=0)
            axes.set_xlim(*(datetime.fromtimestamp(at, UTC) for at in span))
            axes.set_ylim(0, max(values.max() * 2.2, 1e-9))
    axes.text(0.5, 0.55, shown, size=17 if series else 11, color=colour, ha="center",
              va="center", weight="bold", transform=axes.transAxes)  # fmt: skip


def _graph(axes: Axes, panel: dict[str, Any], answers: Answers, span: tuple[float, float]) -> None:
    defaults = _defaults(panel)
    custom = defaults.get("custom", {})
    # values of a day are steps
    steps = "post" if custom.get("lineInterpolation") == "stepAfter" else None
    drawstyle = "steps-post" if steps else "default"
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    grid = np.array(sorted({t for _, s in answers for each in s for t in _values(each)[0]}))
    floor = np.zeros(len(grid))
    palette = iter([c for _ in range(5) for c in plt.get_cmap("tab10").colors])
    lines = []
    for query, found in answers:
        for series in found:
            times, values = _values(series)
            name = _name(query, series)
            label = f"{name}  {text_of(values[-1], defaults['unit'], None)}"
            kind = next((style for key, style in REFERENCES.items() if name.startswith(key)), None)
            if kind:
                (line,) = axes.plot(
                    times, values, kind[1], color=COLOURS[kind[0]], lw=1.1, drawstyle=drawstyle
                )
            elif stacked:
                colour, y = next(palette), dict(zip(times, values, strict=True))
                height = floor + np.array([y.get(t, 0.0) for t in grid])
                line = axes.fill_between(
                    grid, floor, height, color=colour, alpha=0.6, lw=0, step=steps
                )
                floor = height
            else:
                if not custom.get("spanNulls"):
                    times, values = _with_gaps(times, values)
                (line,) = axes.plot(times, values, color=next(palette), lw=1.1, drawstyle=drawstyle)
            lines.append((line, label))
    for step in defaults.get("thresholds", {}).get("steps", []):
        if step["value"] is not None:
            axes.axhline(step["value"], color=COLOURS[step["color"]], ls="--", lw=0.9)
    _time_axis(axes, span)
    axes.grid(color="#e9ecef", lw=0.6)
    _, largest = axes.get_ylim()
    smallest = defaults.get("min")
    if smallest is not None:
        axes.set_ylim(smallest, defaults.get("max", max(largest, 1e-9)))
    axes.yaxis.set_major_locator(plt.MaxNLocator(5))
    axes.yaxis.set_major_formatter(lambda value, _: text_of(value, defaults["unit"], None))
    _legend(axes, panel, lines)


def _legend(axes: Axes, panel: dict[str, Any], lines: list[tuple[Any, str]]) -> None:
    if not lines:
        axes.text(0.5, 0.5, "no data", color=FAINT, ha="center", transform=axes.transAxes)
        return
    width = panel["gridPos"]["w"] * 8.4
    columns, used = 0, 0
    for _, label in lines:
        used += len(label) + 6
        columns += used <= width
    shown = lines[: max(columns, 1)]
    more = len(lines) - len(shown)
    texts = [label for _, label in shown]
    if more:
        texts[-1] += f"   (+{more})"
    axes.legend(
        [line for line, _ in shown], texts, loc="upper left", ncols=len(shown), frameon=False,
        fontsize=6, bbox_to_anchor=(-0.03, -0.12), handlelength=1.4, columnspacing=1.0,
    )  # fmt: skip


def _with_gaps(times: list[datetime], values: np.ndarray) -> tuple[list[datetime], np.ndarray]:
    """Break a line where points are missing."""
    if len(times) < 3:
        return times, values
    steps = [(b - a).total_seconds() for a, b in pairwise(times)]
    gaps = [n + 1 for n, step in enumerate(steps) if step > 1.5 * min(steps)]
    for at in reversed(gaps):
        times = [*times[:at], times[at], *times[at:]]
        values = np.insert(values, at, np.nan)
    return times, values


def _time_axis(axes: Axes, span: tuple[float, float]) -> None:
    axes.set_xlim(*(datetime.fromtimestamp(at, UTC) for at in span))
    days = span[1] - span[0] > 2 * 86_400
    axes.xaxis.set_major_locator(plt.MaxNLocator(6) if days else mpl.dates.HourLocator(interval=2))
    axes.xaxis.set_major_formatter(mpl.dates.DateFormatter("%m-%d" if days else "%H:%M"))
    axes.tick_params(length=0, colors=FAINT)


def _heat_map(axes: Axes, _: dict[str, Any], answers: Answers, span: tuple[float, float]) -> None:
    buckets = sorted(answers[0][1], key=lambda each: float(each["metric"]["le"]))
    times = [datetime.fromtimestamp(float(at), UTC) for at, _ in buckets[0]["values"]]
    counts = np.diff([np.zeros(len(times)), *(_values(each)[1] for each in buckets)], axis=0)
    edges = [float(each["metric"]["le"]) for each in buckets]
    used = [n for n, row in enumerate(counts) if row.max() > 0]
    shown = slice(max(used[0] - 1, 0), used[-1] + 2)
    axes.pcolormesh(times, range(len(edges[shown])), np.sqrt(counts[shown]), cmap="Blues")
    axes.set_yticks(range(len(edges[shown])))
    axes.set_yticklabels([text_of(edge, "s", None) for edge in edges[shown]])
    _time_axis(axes, span)


def _bars(axes: Axes, panel: dict[str, Any], answers: Answers, _: tuple[float, float]) -> None:
    defaults = _defaults(panel)
    found = [(_name(q, s), _values(s)[1][-1]) for q, series in answers for s in series][::-1]
    names, values = [name for name, _ in found], [value for _, value in found]
    steps = defaults["thresholds"]["steps"]
    axes.barh(names, values, color=[_colour(steps, v) for v in values], height=0.6, alpha=0.8)
    for n, value in enumerate(values):
        axes.text(max(value, 0), n, f" {text_of(value, defaults['unit'], None)}", va="center")
    axes.set_xlim(min(0, *values) if values else 0, 1.25 * max(*values, 0, 1e-9) if values else 1)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _bin_chart(axes: Axes, _: dict[str, Any], answers: Answers, __: tuple[float, float]) -> None:
    def upper(series: dict[str, Any]) -> float:
        return float(series["metric"].get("upper") or "inf")

    order = [each["metric"]["bin"] for each in sorted(answers[0][1], key=upper)]
    for n, (query, series) in enumerate(answers):
        share = {each["metric"]["bin"]: float(each["value"][1]) for each in series}
        places = np.arange(len(order)) + 0.38 * n - 0.19
        colour = ("#adb5bd", COLOURS["blue"])[n]
        axes.bar(places, [share.get(b, 0.0) for b in order], 0.36, color=colour, label=query.legend)
    axes.set_xticks(range(len(order)), order)
    axes.yaxis.set_major_formatter(lambda value, _: text_of(value, "percentunit", None))
    axes.tick_params(length=0, colors=FAINT)
    axes.legend(loc="upper left", ncols=2, frameon=False, bbox_to_anchor=(0, -0.12), fontsize=6)


def _table(axes: Axes, panel: dict[str, Any], answers: Answers, _: tuple[float, float]) -> None:
    axes.axis("off")
    options = panel["transformations"][-1]["options"]
    names = {field: options["renameByName"][field] for field in sorted(
        options["indexByName"], key=options["indexByName"].get)}  # fmt: skip
    overrides = {
        each["matcher"]["options"]: {p["id"]: p["value"] for p in each["properties"]}
        for each in panel["fieldConfig"]["overrides"]
    }
    keys = [name for name in names if not name.startswith("Value")]
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for query, series in answers:
        letter = query.place.rpartition(" ")[2]
        title = names.get(f"Value #{letter}") or names["Value"]
        for each in series:
            row = tuple(each["metric"].get(key, "") for key in keys)
            rows.setdefault(row, {})[title] = float(each["value"][1])
    titles = [names[key] for key in keys] + [t for f, t in names.items() if f.startswith("Value")]
    sort = panel["options"]["sortBy"][0]
    by = sort["displayName"]
    if by in titles[: len(keys)]:
        ordered = sorted(rows, key=lambda row: row[titles.index(by)])
    else:
        ordered = sorted(rows, key=lambda row: -rows[row].get(by, -np.inf))
    height = (panel["gridPos"]["h"] - 1.75) * UNIT
    line = 0.19 / height
    longest = [[len(row[n]) for row in rows] if n < len(keys) else [] for n in range(len(titles))]
    widths = [max(6, len(t), *n) for t, n in zip(titles, longest, strict=True)]
    lefts = np.cumsum([0, *widths[:-1]]) / sum(widths)
    for left, title in zip(lefts, titles, strict=True):
        axes.text(left, 1, title, color=COLOURS["blue"], va="top", transform=axes.transAxes)
    most = int(1 / line) - 1
    for n, row in enumerate(ordered[:most]):
        for left, title, m in zip(lefts, titles, range(len(titles)), strict=True):
            style = overrides.get(title, {})
            if m < len(keys):
                mapped = style.get("mappings", [{"options": {}}])[0]["options"]
                text = mapped.get(row[m], {"text": row[m]})
                shown, colour = text["text"], COLOURS.get(text.get("color", ""), INK)
            else:
                value = rows[row].get(title)
                unit, decimals = style.get("unit", "none"), style.get("decimals")
                shown = "" if value is None else text_of(value, unit, decimals)
                steps = style.get("thresholds", {}).get("steps")
                colour = _colour(steps, value) if steps and value is not None else INK
            axes.text(left, 1 - line * (n + 1), shown, color=colour, va="top",
                      transform=axes.transAxes)  # fmt: skip
    if not ordered:
        empty = _defaults(panel).get("noValue", "")
        axes.text(0, 1 - line, empty, color=FAINT, va="top", transform=axes.transAxes)
    if len(ordered) > most:
        axes.text(1, 1.17, f"{most} of {len(ordered)} rows", color=FAINT, ha="right", va="top",
                  transform=axes.transAxes)  # fmt: skip


DRAWN = {
    "stat": _stat,
    "timeseries": _graph,
    "heatmap": _heat_map,
    "bargauge": _bars,
    "barchart": _bin_chart,
    "table": _table,
}
