"""Figures and times as texts, for people."""

from __future__ import annotations

import math
import time

_LARGE = ((1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"))
_DURATIONS = (
    (1e-6, "\N{MICRO SIGN}s", 1000),
    (1e-3, "ms", 1000),
    (1.0, "s", 100),
    (60.0, "min", 60),
    (3600.0, "h", 24),
    (86_400.0, "d", math.inf),
)
"""Unit of a duration, its name, and the number of it from which the next one is used."""
_AGES = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
UNKNOWN = "\N{EN DASH}"
"""Text of a figure that is not known."""


def count(value: float | None) -> str:
    """Return a number of things: whole with commas, from ten thousand on in thousands."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    whole = round(value)
    if abs(whole) < 10_000:
        return f"{whole:,}"
    for size, unit in _LARGE:
        scaled = _rounded(value / size, 3)
        if abs(scaled) < 1000 or unit == "T":
            break
    return f"{_plain(scaled, 3)}\N{NO-BREAK SPACE}{unit}"


def counted(n: int, name: str) -> str:
    """Return a number of things with their name, such as `1 alert` or `2 alerts`."""
    return f"{n} {name}" if n == 1 else f"{n} {name}s"


def rate(value: float | None) -> str:
    """Return a number a second, with two digits below ten."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return count(value) if _rounded(value, 2) >= 10 or value == 0 else _plain(value, 2)


def number(value: float | None) -> str:
    """Return a number with four digits."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    if 1e4 <= abs(_rounded(value, 4)) < 1e7:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def percent(share: float | None) -> str:
    """Return a share in percent, with a decimal below 10 %."""
    if share is None or not math.isfinite(share):
        return UNKNOWN
    if 0 < share < 0.0005:
        return "<\N{NO-BREAK SPACE}0.1\N{NO-BREAK SPACE}%"
    if 0.995 <= share < 1:
        return ">\N{NO-BREAK SPACE}99\N{NO-BREAK SPACE}%"
    if share > 1 and round(100 * share) == 100:
        return ">\N{NO-BREAK SPACE}100\N{NO-BREAK SPACE}%"
    digits = 1 if 0.0005 <= abs(share) < 0.0995 else 0
    sign = "\N{MINUS SIGN}" if share <= -0.0005 else ""
    return f"{sign}{100 * abs(share):.{digits}f}\N{NO-BREAK SPACE}%"


def index(value: float | None) -> str:
    """Return an index of drift with three digits."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value <= 0:  # it is never negative but for rounding
        return "0"
    return _plain(value, 3) if value >= 0.001 else "<\N{NO-BREAK SPACE}0.001"


def times(value: float | None) -> str:
    """Return a factor with two digits, such as `7.6\u00d7`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if 0 < value < 0.01:
        return "<\N{NO-BREAK SPACE}0.01\N{MULTIPLICATION SIGN}"
    whole = _rounded(value, 2) >= 10
    return (
        f"{value:,.0f}\N{MULTIPLICATION SIGN}" if whole else f"{value:.2g}\N{MULTIPLICATION SIGN}"
    )


def seconds(value: float | None) -> str:
    """Return a duration with three digits, in the unit that fits."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value <= 0:
        return "0\N{NO-BREAK SPACE}ms"
    scaled, unit = next(
        (scaled, unit)
        for size, unit, limit in _DURATIONS
        if (scaled := _rounded(value / size, 3)) < limit
    )
    digits = min(max(2 - _magnitude(scaled), 0), 2)
    return f"{scaled:,.{digits}f}\N{NO-BREAK SPACE}{unit}"


def ago(value: float) -> str:
    """Return a duration in its largest unit, rounded down, such as `3 h`."""
    for size, unit in _AGES:
        if value >= size:
            return f"{value // size:.0f}\N{NO-BREAK SPACE}{unit}"
    return "0\N{NO-BREAK SPACE}s"


def dollars(value: float | None) -> str:
    """Return an amount of money in US dollars: with cents below a thousand.

    Of less than a cent, the first two digits are shown.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    amount, sign = abs(value), "\N{MINUS SIGN}" if value < 0 else ""
    if amount >= 999.995:
        return f"{sign}${amount:,.0f}"
    return f"{sign}${_plain(amount, 2) if 0 < amount < 0.005 else f'{amount:.2f}'}"


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def _rounded(value: float, digits: int) -> float:
    """Return a number rounded to so many digits that count."""
    return float(f"{value:.{digits - 1}e}")


def _plain(value: float, digits: int) -> str:
    """Return a number with so many digits that count, never with an exponent."""
    rounded = _rounded(value, digits)
    decimals = max(digits - 1 - _magnitude(rounded), 0)
    text = f"{rounded:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


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
