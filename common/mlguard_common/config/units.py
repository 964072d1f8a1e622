"""Durations, sizes and file modes in configuration files."""

from __future__ import annotations

import re
from typing import Self

_UNITS_MS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_DURATION = re.compile("".join(f"(?:([0-9]+){unit})?" for unit in _UNITS_MS))
_MAX_MS = (2**63 - 1) // 1_000_000  # Prometheus counts nanoseconds in 64 bits
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def duration_milliseconds(text: str) -> int:
    """Return the milliseconds of a duration as Prometheus writes it: `1h30m`, `250ms`, `0`.

    Raises:
        ValueError: it is none; the text says what is expected.
    """
    found = _DURATION.fullmatch(text)
    if text != "0" and (not text or not found):
        raise ValueError("expected a duration such as 5m or 1h30m (units y, w, d, h, m, s, ms)")
    amounts = found.groups() if found else ()
    total = sum(int(n or 0) * unit for n, unit in zip(amounts, _UNITS_MS.values(), strict=False))
    if total > _MAX_MS:
        raise ValueError("expected a duration below 292 years")
    return total


class Duration(str):
    """Duration of whole seconds above zero, such as `5m`; `seconds` is its value."""

    __slots__ = ("seconds",)
    seconds: int

    def __new__(cls, text: object) -> Self:
        """Read it; a ValueError says what is expected."""
        made = super().__new__(cls, text)
        made.seconds, rest = divmod(duration_milliseconds(made), 1000)
        if rest or not made.seconds:
            raise ValueError("expected a duration of whole seconds above zero, such as 5m")
        return made


class Interval(str):
    """Duration that may be zero or a part of a second, such as `250ms`; `seconds` is its value."""

    __slots__ = ("seconds",)
    seconds: float

    def __new__(cls, text: object) -> Self:
        """Read it; a ValueError says what is expected."""
        made = super().__new__(cls, text)
        made.seconds = duration_milliseconds(made) / 1000
        return made


class Bytes(str):
    """Size, such as `256MiB`; `bytes` is its value."""

    __slots__ = ("bytes",)
    bytes: int

    def __new__(cls, text: object) -> Self:
        """Read it; a ValueError says what is expected."""
        made = super().__new__(cls, text)
        made.bytes = _with_unit(made, _BYTES, "a size such as 256MiB (units B, KiB, MiB, GiB)")
        return made


class Mode(str):
    """File mode, such as `"0660"`; `bits` is its value."""

    __slots__ = ("bits",)
    bits: int

    def __new__(cls, text: object) -> Self:
        """Read it; a ValueError says what is expected."""
        made = super().__new__(cls, text)
        if not re.fullmatch(r"0?[0-7]{3}", made):
            raise ValueError('expected a quoted file mode such as "0660"')
        made.bits = int(made, 8)
        return made


def parse(kind: type, value: object) -> object:
    """Return a `Duration`, `Interval`, `Bytes` or `Mode`; the hook of msgspec for these types.

    Raises:
        ValueError: the value is invalid; the text says what is expected.
        NotImplementedError: the type is none of these.
    """
    if not issubclass(kind, Duration | Interval | Bytes | Mode):
        raise NotImplementedError(kind)
    return kind(value)


def _with_unit(text: str, units: dict[str, int], expected: str) -> int:
    found = re.fullmatch(rf"([1-9][0-9]{{0,8}})({'|'.join(units)})", text)
    if not found:
        raise ValueError(f"expected {expected}")
    return int(found[1]) * units[found[2]]
