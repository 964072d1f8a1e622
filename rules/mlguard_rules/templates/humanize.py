"""Numbers for people, as the functions of Prometheus' templates write them (template.go)."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlguard_rules.templates.golang import go_string, special_float

if TYPE_CHECKING:
    from collections.abc import Sequence

_LARGE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_SMALL = ("m", "u", "n", "p", "f", "a", "z", "y")
_BINARY = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")


def number(value: object) -> float:
    """Return a number, also of its text.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        return float(value)
    raise ValueError(f"{go_string(value)} is no number")


def _four(value: float) -> str:
    return special_float(value) or f"{value:.4g}"


def _scaled(value: float, steps: Sequence[str], factor: float) -> tuple[float, str]:
    """Return a number scaled by powers of the factor until its prefix fits, and the prefix."""
    prefix = ""
    for step in steps:
        if (abs(value) < factor) if factor > 1 else (abs(value) >= 1):
            break
        prefix, value = step, value / factor
    return value, prefix


def humanize(raw: object) -> str:
    """Return four digits with a metric prefix."""
    value = number(raw)
    if value == 0 or not math.isfinite(value):
        return _four(value)
    if abs(value) >= 1:
        scaled, prefix = _scaled(value, _LARGE, 1000.0)
    else:
        scaled, prefix = _scaled(value, _SMALL, 0.001)
    return f"{scaled:.4g}{prefix}"


def humanize1024(raw: object) -> str:
    """Return four digits with a binary prefix."""
    value = number(raw)
    if abs(value) <= 1 or not math.isfinite(value):
        return _four(value)
    scaled, prefix = _scaled(value, _BINARY, 1024.0)
    return f"{scaled:.4g}{prefix}"


def humanize_percentage(raw: object) -> str:
    """Return a ratio in percent."""
    return _four(number(raw) * 100) + "%"


def humanize_duration(raw: object) -> str:  # noqa: PLR0911 - one for each magnitude
    """Return seconds as days, hours, minutes and seconds."""
    value = number(raw)
    if not math.isfinite(value):
        return _four(value)
    if value == 0:
        return "0s"
    if abs(value) < 1:
        scaled, prefix = _scaled(value, _SMALL, 0.001)
        return f"{scaled:.4g}{prefix}s"
    sign, value = ("-", -value) if value < 0 else ("", value)
    minutes, seconds = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{value:.4g}s"


def humanize_timestamp(raw: object) -> str:
    """Return epoch seconds as a time in UTC."""
    value = number(raw)
    if not math.isfinite(value):
        return _four(value)
    milliseconds = int(value * 1000)
    time = datetime.fromtimestamp(milliseconds // 1000, UTC)
    fraction = f".{milliseconds % 1000:03d}".rstrip("0").rstrip(".")
    return f"{time:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"
