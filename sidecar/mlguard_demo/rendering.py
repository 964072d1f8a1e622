"""Snapshots as a live table for terminals, and as plain lines for anything else."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlguard_demo.configuration import PSI_THRESHOLD
from mlguard_demo.flights import YEAR_HOURS, time_of
from mlguard_demo.history import (
    DriftStatus,
    HistoryPoint,
    drift_status,
    drifts_by_psi,
    psi_by_interval,
    relative_height,
)
from mlguard_demo.snapshot import ColumnDrift, Snapshot

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
_STYLES = {
    DriftStatus.SHIFTED: "bold red",
    DriftStatus.STEADY: "green",
    DriftStatus.LEARNING: "dim",
}
_MARGIN = 1
_BEHIND_SECONDS = 3.0
EMPTY = Snapshot(inferences=0, dropped=0, rate=None, p50=None, p95=None, late=None, drifts={})


@dataclass(frozen=True)
class Symbols:
    """Characters that the encoding of the terminal allows.

    Attributes:
        spark: bars of a chart, from the lowest to the highest.
        done: a part of the progress bar that is done.
        left: one that is left.
        arrow: between the baseline's mean and the present one.
        none: for an unknown value.
        degree: before the F of Fahrenheit.
    """

    spark: str = "▁▂▃▄▅▆▇█"
    done: str = "━"
    left: str = "─"
    arrow: str = "→"
    none: str = "·"
    degree: str = "°"


ASCII = Symbols(spark="_.-:=+*#", done="=", left="-", arrow=">", none=".", degree="")


@dataclass(frozen=True)
class View:
    """Everything that is shown at one moment.

    Attributes:
        hour: the hour of 2013 that has been reached.
        answered: how many flights have been predicted.
        elapsed: seconds since the replay began.
        behind: seconds by which it lags behind the requested pace.
        history: the snapshots so far, the latest last.
        baseline_means: mean of each numeric feature in the baseline.
        urls: addresses of the sidecar and the exporter.
        window: the drift window, for example "6 s (29 days of flights)".
        folder: the working folder.
        notification: title of the latest notification; None before the first.
    """

    hour: float
    answered: int
    elapsed: float
    behind: float
    history: Sequence[HistoryPoint]
    baseline_means: Mapping[str, float]
    urls: tuple[str, str]
    window: str
    folder: str
    notification: str | None

    @property
    def snapshot(self) -> Snapshot:
        """The latest snapshot."""
        return self.history[-1].snapshot if self.history else EMPTY


def symbols_for(console: Console) -> Symbols:
    """Return the characters that can be written to the console."""
    return Symbols() if console.encoding.lower().startswith("utf") else ASCII


def format_day(hour: float) -> str:
    """Return the day of an hour of the year, such as "14 Jul 2013"."""
    time = time_of(min(hour, YEAR_HOURS - 1))
    return f"{time.day:2d} {time:%b %Y}"


def render_line(view: View) -> str:
    """Return the view as one plain line."""
    moved = [
        f"{drift.name} {drift.psi:.2f}"
        for drift in drifts_by_psi(view.snapshot)
        if drift.psi is not None and drift_status(drift, PSI_THRESHOLD) is DriftStatus.SHIFTED
    ]
    known = any(drift.psi is not None for drift in view.snapshot.drifts.values())
    drifts = f"shifted: {', '.join(moved) or 'nothing'}" if known else "learning the baseline"
    return "  ".join(
        [format_day(view.hour), f"{view.answered:7,} flights", *_traffic(view), drifts]
    )


def render_table(view: View, width: int, symbols: Symbols) -> RenderableType:
    """Return the view as a table of at most `width` columns."""
    return Group(
        _progress_bar(view, width, symbols),
        Text("  ".join([f" {view.answered:,} flights", *_traffic(view)])),
        Text(f" notified: {view.notification or 'nobody yet'}", no_wrap=True, overflow="ellipsis"),
        Text(),
        _table(view, width, symbols),
        Text(),
        _legend(view, width),
    )


def _progress_bar(view: View, width: int, symbols: Symbols) -> Text:
    text = Text(f" {format_day(view.hour)}  ", style="bold", no_wrap=True, end="")
    lag = f", {view.behind:.0f} s behind" if view.behind >= _BEHIND_SECONDS else ""
    clock = f"  {view.elapsed:.0f} s{lag} "
    length = max(0, width - text.cell_len - len(clock))
    done = round(length * view.hour / YEAR_HOURS)
    text.append(symbols.done * done, style="not bold cyan")
    text.append(symbols.left * (length - done), style="not bold dim")
    text.append(clock + "\n", style="not bold")
    return text


def _traffic(view: View) -> list[str]:
    snapshot = view.snapshot
    rate = "-" if snapshot.rate is None else f"{snapshot.rate:,.0f}"
    late = "-" if snapshot.late is None else f"{snapshot.late:.1%}"
    return [
        f"{rate} events/s",
        f"p50 {_milliseconds(snapshot.p50)}",
        f"p95 {_milliseconds(snapshot.p95)}",
        f"predicted late {late}",
    ]


def _table(view: View, width: int, symbols: Symbols) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(" feature", no_wrap=True, min_width=11)
    table.add_column("PSI", justify="right", no_wrap=True, min_width=5)
    table.add_column("chance", justify="right", no_wrap=True)
    table.add_column("limit", justify="right", no_wrap=True)
    count = next((found for wide, found in ((112, 36), (98, 24), (68, 12)) if width >= wide), 0)
    if count:
        table.add_column("Jan" + "Dec".rjust(count - 3), no_wrap=True, min_width=count)
    table.add_column("status", no_wrap=True, min_width=8)
    if width >= 78:
        table.add_column(f"mean then {symbols.arrow} now", no_wrap=True, min_width=17)
    for drift in drifts_by_psi(view.snapshot):
        status = drift_status(drift, PSI_THRESHOLD)
        row = [
            Text(f" {drift.name}"),
            Text(_number(drift.psi, symbols), style=_STYLES[status]),
            Text(_number(drift.critical, symbols), style="dim"),
            Text(f"{PSI_THRESHOLD:g}", style="dim"),
        ]
        if count:
            row.append(_spark(psi_by_interval(view.history, drift.name, count), symbols))
        row.append(Text(status.value, style=_STYLES[status]))
        if width >= 78:
            row.append(Text(_means(drift, view.baseline_means, symbols)))
        table.add_row(*row)
    return table


def _legend(view: View, width: int) -> Text:
    room = width - 2 * _MARGIN
    explanation = (
        f"PSI: how far the last {view.window} differ from the baseline. chance: the PSI that "
        "chance alone would reach. limit: the PSI above which an alert fires."
    )
    text = Text(style="dim", no_wrap=True, overflow="ellipsis")
    for part in textwrap.wrap(explanation, room):
        text.append(f" {part}\n")
    models, spend = view.urls
    text.append(f" {models}/  spend {spend}/  Ctrl-C stops.\n", style="not dim")
    text.append(f" {view.folder}", style="not dim")
    return text


def _spark(values: Sequence[float | None], symbols: Symbols) -> Text:
    text = Text(no_wrap=True)
    for value in values:
        if value is None:
            text.append(" ")
            continue
        step = min(len(symbols.spark) - 1, int(relative_height(value) * len(symbols.spark)))
        text.append(symbols.spark[step], style="red" if value > PSI_THRESHOLD else "green")
    return text


def _means(drift: ColumnDrift, baseline: Mapping[str, float], symbols: Symbols) -> str:
    if drift.mean is None or drift.name not in _UNITS or drift.name not in baseline:
        return ""
    before, now = baseline[drift.name], drift.mean
    unit = _UNITS[drift.name].replace("F", f"{symbols.degree}F")
    return f"{_rounded(before)} {symbols.arrow} {_rounded(now)} {unit}"


def _rounded(value: float) -> str:
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 1 else 3
    return f"{value:,.{places}f}"


def _number(value: float | None, symbols: Symbols) -> str:
    if value is None:
        return symbols.none
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _milliseconds(seconds: float | None) -> str:
    if seconds is None or not math.isfinite(seconds):
        return "-"
    return f"{seconds * 1000:.1f} ms"
