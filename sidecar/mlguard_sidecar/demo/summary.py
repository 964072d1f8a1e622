"""What the year showed, in plain words."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlguard_sidecar.demo.course import Peak, Reading, peaks, shifted_since
from mlguard_sidecar.demo.flights import LATE_MINUTES, YEAR_HOURS, Flights, moment_of
from mlguard_sidecar.demo.place import PSI_THRESHOLD
from mlguard_sidecar.demo.replay import Replay

WINTER, SUMMER = (12, 1, 2), (6, 7, 8)
_MOST = 3
_INDENT = " " * 14
_SLOWER = 1.1


@dataclass(frozen=True)
class Outcome:
    """What is known when the year is over.

    Attributes:
        replay: The finished replay.
        counted: How many of its flights the sidecar has counted.
        dropped: How many the model server's SDK says it gave up.
        readings: What the sidecar said on the way.
        url: The sidecar's address.
        folder: Where its data lies, None when it is about to be removed.
        stays: Whether the servers stay up.
    """

    replay: Replay
    counted: int
    dropped: int
    readings: Sequence[Reading]
    url: str
    folder: Path | None
    stays: bool


def words(outcome: Outcome) -> list[str]:
    """Return the summary as lines of at most 80 characters where names allow."""
    found = peaks(outcome.readings)
    lines = [*_counted(outcome), ""]
    for place, peak in enumerate(found[:_MOST]):
        lines.append(_titled("Moved most" if place == 0 else "", _peak(peak, outcome.readings)))
    distance = next((peak for peak in found if peak.name == "distance"), None)
    if distance is not None:
        lines.append(_titled("Hardly moved", f"distance, PSI {distance.psi:.2f} at most"))
    return [*lines, *_lateness(outcome), *_latency(outcome.readings), *_next(outcome)]


def shares(replay: Replay, months: Sequence[int]) -> tuple[float, float]:
    """Return which part of the flights in these months was predicted late, and which came late.

    The second is over the flights that arrived at all.
    """
    inside = _in_months(replay.flights, months)
    delays = replay.flights.delays[inside]
    came = delays[~np.isnan(delays)]
    predicted = float((replay.predicted[inside] == 1).mean())
    return predicted, float((came >= LATE_MINUTES).mean())


def _counted(outcome: Outcome) -> list[str]:
    replay = outcome.replay
    lines = [f"The year is over: {replay.answered:,} flights predicted in {replay.took:.0f} s."]
    if replay.took > replay.seconds * _SLOWER:
        lines.append(
            f"(This machine was the limit: {replay.seconds:.0f} s were asked for.)",
        )
    if outcome.counted == replay.answered:
        lines.append(
            f"The sidecar counted {outcome.counted:,}: the same. None was lost, none counted twice."
        )
        return lines
    lines.append(f"The sidecar counted {outcome.counted:,}, which is not the same.")
    if outcome.dropped:
        lines.append(
            f"The SDK dropped {outcome.dropped:,} and says so: "
            "the sidecar did not read for a while."
        )
    missing = replay.answered - outcome.counted - outcome.dropped
    if missing:
        how = "few" if missing > 0 else "many"
        lines.append(f"That is {abs(missing):,} too {how}, which must not be.")
    return lines


def _peak(peak: Peak, readings: Sequence[Reading]) -> str:
    first = shifted_since(readings, peak, PSI_THRESHOLD)
    since = "" if first is None else f", above {PSI_THRESHOLD:g} since {_day(first)}"
    return (
        f"{peak.name:8} PSI {peak.psi:5.2f} on {_day(peak.hour)}{since}, luck {peak.critical:.3f}"
    )


def _lateness(outcome: Outcome) -> list[str]:
    winter, summer = shares(outcome.replay, WINTER), shares(outcome.replay, SUMMER)
    lines = [
        _titled("Called late", f"{winter[0]:.0%} of winter's flights, {summer[0]:.0%} of summer's"),
        _titled("Came late", f"{winter[1]:.0%} of winter's flights, {summer[1]:.0%} of summer's"),
    ]
    own = next((peak for peak in peaks(outcome.readings) if peak.name == "y_proba"), None)
    shift = shifted_since(outcome.readings, own, PSI_THRESHOLD) if own else None
    if shift is not None and moment_of(shift).month < SUMMER[0]:
        lines += [
            f"{_INDENT}The model knows only January. Its own predictions gave that away",
            f"{_INDENT}on {_day(shift)}, before any summer flight was late.",
        ]
    return lines


def _latency(readings: Sequence[Reading]) -> list[str]:
    seen = [reading.figures.p95 for reading in readings if reading.figures.p95 is not None]
    if not seen:
        return []
    usual, worst = statistics.median(seen) * 1000, max(seen) * 1000
    return [_titled("Latency", f"p95 {usual:.1f} ms as a rule, {worst:.1f} ms at worst")]


def _next(outcome: Outcome) -> list[str]:
    target = outcome.url.removeprefix("http://")
    stay = "" if outcome.stays else "mlguard demo --keep stays up; "
    return [
        *([_titled("Data", str(outcome.folder))] if outcome.folder else []),
        "",
        f"Next: {stay}point Prometheus at {target},",
        "and in your own server: from mlguard import Guard; Guard(...).log(...)",
    ]


def _in_months(flights: Flights, months: Sequence[int]) -> NDArray[np.bool_]:
    starts = {month: moment_of(0).replace(month=month) for month in range(1, 13)}
    inside = np.zeros(len(flights), bool)
    for month in months:
        begin = flights.until(starts[month])
        stop = flights.until(starts[month + 1]) if month < 12 else len(flights)
        inside[begin:stop] = True
    return inside


def _titled(title: str, text: str) -> str:
    return f"{title:{len(_INDENT)}}{text}"


def _day(hour: float) -> str:
    moment = moment_of(min(hour, YEAR_HOURS - 1))
    return f"{moment.day} {moment:%b}"
