"""Figures and times as texts, for people."""

from __future__ import annotations

import math
import time

_LARGE = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_DURATIONS = ((86_400, "d"), (3600, "h"), (60, "min"))
UNKNOWN = "\N{EN DASH}"
"""Text of a figure that is not known."""


def count(value: float | None) -> str:
    """Return a number of things: whole with commas, from ten thousand on in thousands."""
    if value is None:
        return UNKNOWN
    for size, unit in _LARGE if abs(value) >= 1e4 else ():
        if abs(value) >= size:
            return f"{value / size:.3g}\N{NO-BREAK SPACE}{unit}"
    return f"{value:,.0f}"


def rate(value: float | None) -> str:
    """Return a number a second, with a decimal below ten."""
    if value is None:
        return UNKNOWN
    return count(value) if value >= 10 or value == 0 else f"{value:.2g}"


def number(value: float | None) -> str:
    """Return a number with four digits."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if 1e4 <= abs(value) < 1e15:
        return f"{value:,.0f}" if abs(value) < 1e7 else f"{value:.4g}"
    return f"{value:.4g}"


def percent(share: float | None) -> str:
    """Return a share in percent, with a decimal below 10 %."""
    if share is None:
        return UNKNOWN
    if 0 < share < 0.0005:
        return "<\N{NO-BREAK SPACE}0.1\N{NO-BREAK SPACE}%"
    if 0.995 <= share < 1:
        return ">\N{NO-BREAK SPACE}99\N{NO-BREAK SPACE}%"
    digits = 1 if 0 < share < 0.1 else 0
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def index(value: float | None) -> str:
    """Return an index of drift with three digits."""
    return UNKNOWN if value is None else f"{value:.3g}"


def times(value: float | None) -> str:
    """Return a factor with two digits, such as `7.6\u00d7`."""
    if value is None:
        return UNKNOWN
    return (
        f"{value:,.0f}\N{MULTIPLICATION SIGN}"
        if value >= 10
        else f"{value:.2g}\N{MULTIPLICATION SIGN}"
    )


def seconds(value: float | None) -> str:
    """Return a duration with three digits, in the unit that fits."""
    if value is None:
        return UNKNOWN
    if value >= 100:
        return ago(value)
    scaled, unit = (value, "s") if value >= 1 else (value * 1000, "ms")
    if value and value < 1e-3:
        scaled, unit = value * 1e6, "\N{MICRO SIGN}s"
    digits = max(0, 2 - math.floor(math.log10(scaled))) if scaled else 0
    return f"{scaled:.{min(digits, 2)}f}\N{NO-BREAK SPACE}{unit}"


def ago(value: float) -> str:
    """Return a duration in its largest unit, such as `3 h`."""
    for size, unit in _DURATIONS:
        if value >= size:
            return f"{value / size:.0f}\N{NO-BREAK SPACE}{unit}"
    return f"{max(value, 0):.0f}\N{NO-BREAK SPACE}s"


def dollars(value: float | None) -> str:
    """Return an amount of money in US dollars: with cents below a thousand."""
    if value is None:
        return UNKNOWN
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    return f"{sign}${abs(value):,.2f}" if abs(value) < 1000 else f"{sign}${abs(value):,.0f}"


def iso(when: float) -> str:
    """Return epoch seconds as RFC 3339 in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def clock(when: float) -> str:
    """Return the UTC time of day."""
    return time.strftime("%H:%M", time.gmtime(when))


def day(when: float) -> str:
    """Return the UTC date, without the year."""
    moment = time.gmtime(when)
    return f"{moment.tm_mday}\N{NO-BREAK SPACE}{time.strftime('%b', moment)}"


def moment(when: float) -> str:
    """Return date and time in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(when))
