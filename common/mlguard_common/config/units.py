"""Durations, sizes and file modes in configuration files."""

from __future__ import annotations

import re
from typing import Self

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Duration(str):
    """Duration, such as `5m`; `seconds` is its value."""

    __slots__ = ("seconds",)
    seconds: int

    def __new__(cls, text: object) -> Self:
        """Read it; a ValueError says what is expected."""
        made = super().__new__(cls, text)
        made.seconds = _with_unit(made, _SECONDS, "a duration such as 5m (units s, m, h, d)")
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
    """Return a `Duration`, `Bytes` or `Mode`; the hook of msgspec for these types.

    Raises:
        ValueError: the value is invalid; the text says what is expected.
        NotImplementedError: the type is none of these.
    """
    if not issubclass(kind, Duration | Bytes | Mode):
        raise NotImplementedError(kind)
    return kind(value)


def _with_unit(text: str, units: dict[str, int], expected: str) -> int:
    found = re.fullmatch(rf"([1-9][0-9]{{0,8}})({'|'.join(units)})", text)
    if not found:
        raise ValueError(f"expected {expected}")
    return int(found[1]) * units[found[2]]
