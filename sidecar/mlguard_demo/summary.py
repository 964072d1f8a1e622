"""The summary that is printed at the end of the year."""

import statistics
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlguard_demo.alerts import EXPECTED, Alert
from mlguard_demo.configuration import PSI_THRESHOLD
from mlguard_demo.costs import SettledDay
from mlguard_demo.flights import LATE_MINUTES, YEAR_HOURS, Flights, time_of
from mlguard_demo.history import HistoryPoint, Peak, find_peaks, shifted_since
from mlguard_demo.receiver import Notification
from mlguard_demo.replay import Replay

WINTER, SUMMER = (12, 1, 2), (6, 7, 8)
_MAX_PEAKS = 3
_INDENT = " " * 14
_WIDTH = 80
_SLOWER = 1.1
"""Ratio to the requested time above which the machine is too slow."""


@dataclass(frozen=True)
class Result:
    """What is known at the end of the year.

    Attributes:
        replay: the replay, which has ended.
        counted: how many of its flights the sidecar has counted.
        dropped: how many the SDK in the model server reported as dropped.
        history: the sidecar's snapshots during the replay.
        settled_day: what the projects spent.
        alerts: those that fire, the most severe first.
        notifications: of both daemons, the latest last.
        urls: addresses of the sidecar and the exporter.
        folder: the working folder; None if it is about to be removed.
        keep: whether the servers keep running.
    """

    replay: Replay
    counted: int
    dropped: int
    history: Sequence[HistoryPoint]
    settled_day: SettledDay
    alerts: Sequence[Alert]
    notifications: Sequence[Notification]
    urls: tuple[str, str]
    folder: Path | None
    keep: bool


def summary_lines(result: Result) -> list[str]:
    """Return the summary, in lines of at most 80 characters unless a path is longer."""
    found = find_peaks(result.history)
    lines = [*_counted(result), ""]
    for rank, peak in enumerate(found[:_MAX_PEAKS]):
        lines.append(_titled("Moved most" if rank == 0 else "", _peak(peak, result.history)))
    distance = next((peak for peak in found if peak.name == "distance"), None)
    if distance is not None:
        lines.append(_titled("Hardly moved", f"distance, PSI {distance.psi:.2f} at most"))
    return [
        *lines,
        *_lateness(result),
        *_latency(result.history),
        *_spend(result.settled_day),
        *_alerts(result),
        *_next(result),
    ]


def shares(replay: Replay, months: Sequence[int]) -> tuple[float, float]:
    """Return the share of flights in these months that were predicted late, and that were late.

    The second is a share of the flights that arrived.
    """
    inside = _in_months(replay.flights, months)
    delays = replay.flights.delays[inside]
    arrived = delays[~np.isnan(delays)]
    predicted = float((replay.predicted[inside] == 1).mean())
    return predicted, float((arrived >= LATE_MINUTES).mean())


def _counted(result: Result) -> list[str]:
    replay = result.replay
    lines = [f"The year is over: {replay.answered:,} flights predicted in {replay.elapsed:.0f} s."]
    if replay.elapsed > replay.seconds * _SLOWER:
        lines.append(
            f"({replay.seconds:.0f} s were requested; this machine is slower.)",
        )
    if result.counted == replay.answered:
        lines.append(
            f"The sidecar counted {result.counted:,}: none was lost, none was counted twice."
        )
        return lines
    lines.append(f"The sidecar counted {result.counted:,}, which is a different number.")
    if result.dropped:
        lines.append(
            f"The SDK dropped {result.dropped:,} and reported it: "
            "the sidecar did not read for a while."
        )
    missing = replay.answered - result.counted - result.dropped
    if missing:
        how = "few" if missing > 0 else "many"
        lines.append(f"That is {abs(missing):,} too {how}, which is an error.")
    return lines


def _peak(peak: Peak, history: Sequence[HistoryPoint]) -> str:
    first = shifted_since(history, peak, PSI_THRESHOLD)
    since = "" if first is None else f", above {PSI_THRESHOLD:g} since {_day(first)}"
    return (
        f"{peak.name:8} PSI {peak.psi:5.2f} on {_day(peak.hour)}{since}, chance {peak.critical:.3f}"
    )


def _lateness(result: Result) -> list[str]:
    winter, summer = shares(result.replay, WINTER), shares(result.replay, SUMMER)
    text = "{:.0%} of winter's flights late, {:.0%} of summer's"
    lines = [
        _titled("Predicted", text.format(winter[0], summer[0])),
        _titled("Actual", text.format(winter[1], summer[1])),
    ]
    score = next((peak for peak in find_peaks(result.history) if peak.name == "y_proba"), None)
    shift = shifted_since(result.history, score, PSI_THRESHOLD) if score else None
    if shift is not None and time_of(shift).month < SUMMER[0]:
        lines += [
            f"{_INDENT}The model was trained on January alone. Its predictions drifted",
            f"{_INDENT}from {_day(shift)} on, before any summer flight was late.",
        ]
    return lines


def _latency(history: Sequence[HistoryPoint]) -> list[str]:
    found = [point.snapshot.p95 for point in history if point.snapshot.p95 is not None]
    if not found:
        return []
    median, worst = statistics.median(found) * 1000, max(found) * 1000
    return [_titled("Latency", f"p95 {median:.1f} ms (median), {worst:.1f} ms at most")]


def _spend(day: SettledDay) -> list[str]:
    by_project: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (project, _, _), amount in day.by_owner.items():
        by_project[project or "untagged"] += amount
    largest = sorted(by_project.items(), key=lambda item: -item[1])
    return [
        _titled("Spend", f"${day.total:,.2f} on {day.day.day} {day.day:%b} (simulated):"),
        _INDENT + ", ".join(f"{project} {amount:,.2f}" for project, amount in largest),
    ]


def _alerts(result: Result) -> list[str]:
    lines = [""]
    for rank, alert in enumerate(result.alerts):
        lines.append(_titled("" if rank else "Firing", f"{alert.severity:8}  {alert.summary}"))
    if not result.alerts:
        lines.append(_titled("Firing", "no alert"))
    count = len(result.notifications)
    such = ", such as:" if count else ""
    lines.append(_titled("Notified", f"{count} times through Apprise{such}"))
    for name in EXPECTED:
        found = [n for n in result.notifications if n.is_firing and name in n.title]
        if found:
            wrapped = textwrap.wrap(found[-1].first_paragraph, _WIDTH - 2)
            lines += ["", f"  {found[-1].title}", *(f"  {line}" for line in wrapped)]
    return lines


def _next(result: Result) -> list[str]:
    sidecar, exporter = result.urls
    targets = " and ".join(url.removeprefix("http://") for url in result.urls)
    lines = [""]
    if result.folder:
        lines.append(_titled("Data", str(result.folder)))
    if result.keep:
        commands = [f"mlguard alerts list --url {url}" for url in result.urls]
        lines += [_titled("Alerts", commands[0]), _titled("", commands[1])]
    else:
        lines.append(_titled("Next", "mlguard demo --open keeps running and shows the pages"))
    return [
        *lines,
        _titled("Pages", f"{sidecar}/ (models)"),
        _titled("", f"{exporter}/ (spend)"),
        _titled("Prometheus", f"can scrape {targets}"),
        _titled("Your server", "from mlguard import Guard; Guard(...).log(...)"),
    ]


def _in_months(flights: Flights, months: Sequence[int]) -> NDArray[np.bool_]:
    starts = {month: time_of(0).replace(month=month) for month in range(1, 13)}
    inside = np.zeros(len(flights), bool)
    for month in months:
        begin = flights.count_before(starts[month])
        stop = flights.count_before(starts[month + 1]) if month < 12 else len(flights)
        inside[begin:stop] = True
    return inside


def _titled(title: str, text: str) -> str:
    return f"{title:{len(_INDENT)}}{text}"


def _day(hour: float) -> str:
    time = time_of(min(hour, YEAR_HOURS - 1))
    return f"{time.day} {time:%b}"
