"""What a person sees while the year runs: one live table, or plain lines where there is none."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlguard_sidecar.demo.course import Reading, Verdict, by_psi, cells, height, verdict
from mlguard_sidecar.demo.figures import Drift, Figures
from mlguard_sidecar.demo.flights import YEAR_HOURS, moment_of
from mlguard_sidecar.demo.place import PSI_THRESHOLD

_UNITS = {
    "temp": "F",
    "dewp": "F",
    "humid": "%",
    "wind_speed": "mph",
    "visib": "mi",
    "precip": "in",
    "pressure": "mbar",
    "dep_hour": "h",
    "distance": "mi",
}
_STYLES = {Verdict.SHIFTED: "bold red", Verdict.STEADY: "green", Verdict.LEARNING: "dim"}
_MARGIN = 1
_BEHIND_SECONDS = 3.0
NOTHING = Figures(inferences=0, dropped=0, rate=None, p50=None, p95=None, late=None, drifts={})


@dataclass(frozen=True)
class Signs:
    """The characters that the terminal's encoding allows.

    Attributes:
        spark: From the lowest to the highest.
        full: A part of the bar that lies behind.
        rest: One that lies ahead.
        arrow: Between then and now.
        none: For what is not known.
        degree: Before the F of Fahrenheit.
    """

    spark: str = "▁▂▃▄▅▆▇█"
    full: str = "━"
    rest: str = "─"
    arrow: str = "→"
    none: str = "·"
    degree: str = "°"


ASCII = Signs(spark="_.-:=+*#", full="=", rest="-", arrow=">", none=".", degree="")


@dataclass(frozen=True)
class View:
    """All that is shown at one moment.

    Attributes:
        hour: The hour of 2013 that has been reached.
        answered: How many flights have been predicted.
        took: Seconds since the replay began.
        behind: Seconds by which it lags behind the pace asked for.
        readings: What the sidecar said so far, the latest last.
        means: The baseline's mean of each numeric feature.
        url: The sidecar's address.
        window: The drift window in words, for example "6 s, a month of flights".
        folder: Where its data lies.
    """

    hour: float
    answered: int
    took: float
    behind: float
    readings: Sequence[Reading]
    means: Mapping[str, float]
    url: str
    window: str
    folder: str

    @property
    def figures(self) -> Figures:
        """The latest reading."""
        return self.readings[-1].figures if self.readings else NOTHING


def signs_for(console: Console) -> Signs:
    """Return the characters that can be written to the console."""
    return Signs() if console.encoding.lower().startswith("utf") else ASCII


def day(hour: float) -> str:
    """Return the day of an hour of the year as "14 Jul 2013"."""
    moment = moment_of(min(hour, YEAR_HOURS - 1))
    return f"{moment.day:2d} {moment:%b %Y}"


def line(view: View) -> str:
    """Return the view as one plain line."""
    moved = [
        f"{drift.name} {drift.psi:.2f}"
        for drift in by_psi(view.figures)
        if drift.psi is not None and verdict(drift, PSI_THRESHOLD) is Verdict.SHIFTED
    ]
    known = any(drift.psi is not None for drift in view.figures.drifts.values())
    drifts = f"shifted: {', '.join(moved) or 'nothing'}" if known else "learning the baseline"
    return "  ".join([day(view.hour), f"{view.answered:7,} flights", *_traffic(view), drifts])


def draw(view: View, width: int, signs: Signs) -> RenderableType:
    """Return the view as a table that fits into `width` columns."""
    return Group(
        _date(view, width, signs),
        Text("  ".join([f" {view.answered:,} flights", *_traffic(view)])),
        Text(),
        _table(view, width, signs),
        Text(),
        _legend(view, width),
    )


def _date(view: View, width: int, signs: Signs) -> Text:
    text = Text(f" {day(view.hour)}  ", style="bold", no_wrap=True, end="")
    lag = f", {view.behind:.0f} s behind" if view.behind >= _BEHIND_SECONDS else ""
    clock = f"  {view.took:.0f} s{lag} "
    length = max(0, width - text.cell_len - len(clock))
    full = round(length * view.hour / YEAR_HOURS)
    text.append(signs.full * full, style="not bold cyan")
    text.append(signs.rest * (length - full), style="not bold dim")
    text.append(clock + "\n", style="not bold")
    return text


def _traffic(view: View) -> list[str]:
    figures = view.figures
    rate = "-" if figures.rate is None else f"{figures.rate:,.0f}"
    late = "-" if figures.late is None else f"{figures.late:.1%}"
    return [
        f"{rate} events/s",
        f"p50 {_milliseconds(figures.p50)}",
        f"p95 {_milliseconds(figures.p95)}",
        f"predicted late {late}",
    ]


def _table(view: View, width: int, signs: Signs) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(" feature", no_wrap=True, min_width=11)
    table.add_column("PSI", justify="right", no_wrap=True, min_width=5)
    table.add_column("chance", justify="right", no_wrap=True)
    table.add_column("limit", justify="right", no_wrap=True)
    count = next((cells for wide, cells in ((112, 36), (98, 24), (68, 12)) if width >= wide), 0)
    if count:
        table.add_column("Jan" + "Dec".rjust(count - 3), no_wrap=True, min_width=count)
    table.add_column("verdict", no_wrap=True, min_width=8)
    if width >= 78:
        table.add_column(f"mean then {signs.arrow} now", no_wrap=True, min_width=17)
    for drift in by_psi(view.figures):
        judged = verdict(drift, PSI_THRESHOLD)
        row = [
            Text(f" {drift.name}"),
            Text(_number(drift.psi, signs), style=_STYLES[judged]),
            Text(_number(drift.critical, signs), style="dim"),
            Text(f"{PSI_THRESHOLD:g}", style="dim"),
        ]
        if count:
            row.append(_spark(cells(view.readings, drift.name, count), signs))
        row.append(Text(judged.value, style=_STYLES[judged]))
        if width >= 78:
            row.append(Text(_means(drift, view.means, signs)))
        table.add_row(*row)
    return table


def _legend(view: View, width: int) -> Text:
    room = width - 2 * _MARGIN
    words = (
        f"PSI: how far the last {view.window} differ from the baseline. chance: what luck alone "
        f"would reach. limit: where an alert fires."
    )
    text = Text(style="dim", no_wrap=True, overflow="ellipsis")
    for part in textwrap.wrap(words, room):
        text.append(f" {part}\n")
    text.append(f" {view.url}/metrics   Ctrl-C stops.\n", style="not dim")
    text.append(f" {view.folder}", style="not dim")
    return text


def _spark(values: Sequence[float | None], signs: Signs) -> Text:
    text = Text(no_wrap=True)
    for value in values:
        if value is None:
            text.append(" ")
            continue
        step = min(len(signs.spark) - 1, int(height(value) * len(signs.spark)))
        text.append(signs.spark[step], style="red" if value > PSI_THRESHOLD else "green")
    return text


def _means(drift: Drift, means: Mapping[str, float], signs: Signs) -> str:
    if drift.mean is None or drift.name not in _UNITS or drift.name not in means:
        return ""
    then, now = means[drift.name], drift.mean
    unit = _UNITS[drift.name].replace("F", f"{signs.degree}F")
    return f"{_rounded(then)} {signs.arrow} {_rounded(now)} {unit}"


def _rounded(value: float) -> str:
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 1 else 3
    return f"{value:,.{places}f}"


def _number(value: float | None, signs: Signs) -> str:
    if value is None:
        return signs.none
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _milliseconds(seconds: float | None) -> str:
    if seconds is None or not math.isfinite(seconds):
        return "-"
    return f"{seconds * 1000:.1f} ms"
