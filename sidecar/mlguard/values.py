"""Values as the host has them, made into what JSON and the sidecar know."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from math import isfinite
from typing import Any, TypeAlias

Plain: TypeAlias = str | float | int | bool | None
Convert: TypeAlias = Callable[[Any], Any]
Complain: TypeAlias = Callable[[Exception], None]

PLAIN_TYPES: frozenset[type] = frozenset({float, int, str, bool, type(None)})
NUMBER_TYPES: frozenset[type] = frozenset({float, int, type(None)})
INT_LEAST, INT_MOST = -(2**63), 2**63 - 1

# What pandas has for a missing value; it is not imported to ask.
_MISSING_TYPES = frozenset({"NAType", "NaTType"})

# Those of which each has a number or bool among the built-in ones, as `item` gives it.
_NUMPY_NUMBERS = frozenset(
    ["bool", "bool_", "float16", "float32", "float64"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)


def plain(value: Any) -> Plain:
    """Return a value as text, number, bool or None; NaN and infinities are None.

    Raises:
        TypeError: it is nothing of the kind. (Strange types may raise what they like.)
    """
    kind = type(value)
    if kind not in PLAIN_TYPES:
        if kind.__name__ in _MISSING_TYPES:
            return None
        value = _builtin(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float):
        return value if isfinite(value) else None
    if type(value) is int and not INT_LEAST <= value <= INT_MOST:
        return float(value)
    return value  # type: ignore[no-any-return]


def number(value: Any) -> float | None:
    """Return a value as a number or None.

    Raises:
        TypeError: it is text, or nothing that `plain` knows.
    """
    value = plain(value)
    if isinstance(value, str):
        raise TypeError("text where a number belongs")
    return float(value) if isinstance(value, bool) else value


def score(value: Any) -> float | dict[str, float] | None:
    """Return a probability, or one for each class; classes without a number are left out.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(value, Mapping):
        return number(value)
    classes = {name(key): number(part) for key, part in value.items()}
    return {key: part for key, part in classes.items() if part is not None} or None


def name(key: Any) -> str:
    """Return a feature's or a class's name as text; other keys than text are spelled out."""
    return text(key if isinstance(key, str) else str(key))


def text(value: str) -> str:
    """Return an ordinary string, without the lone surrogates that UTF-8 cannot hold."""
    value = str.__str__(value)  # str() would ask the subclass, and an enum answers its name
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def clean(
    values: Sequence[Any],
    kinds: frozenset[type],
    convert: Convert,
    complain: Complain,
) -> Sequence[Any]:
    """Return a column of which every value can be encoded.

    Args:
        values: the column.
        kinds: the types that may stay as they are.
        convert: makes a value of another type into one of these, or raises.
        complain: is told of each error; the value becomes None.
    """
    found = set(map(type, values))
    if not found <= kinds and all(kind in kinds or _is_numpy_number(kind) for kind in found):
        # The commonest foreign values, all of them at once.
        values = [each if type(each) in kinds else each.item() for each in values]
        found = set(map(type, values))
    if found <= kinds and (int not in found or _all_small(values, found)):
        return values
    return [_converted(value, convert, complain) for value in values]


def _converted(value: Any, convert: Convert, complain: Complain) -> Any:
    try:
        return convert(value)
    except Exception as error:  # noqa: BLE001 - foreign types raise what they like
        complain(error)
        return None


def _builtin(value: Any) -> Any:
    """Return the built-in value that stands for a foreign one or a subclass's."""
    if isinstance(value, str):
        return value
    if hasattr(value, "item"):  # numpy's scalars, and arrays and tensors of one element
        if getattr(getattr(value, "dtype", None), "kind", "") in {"M", "m"}:
            # Some would come out as a bare number of nanoseconds, which is no measure of a thing.
            raise TypeError(f"{value.dtype} is neither text, number nor bool")
        value = value.item()
    if type(value) in PLAIN_TYPES:
        return value
    if isinstance(value, int):
        return int.__index__(value)
    if hasattr(type(value), "__float__"):  # Decimal, Fraction and subclasses of float
        return float(value)
    raise TypeError(f"{type(value).__name__} is neither text, number nor bool")


def _is_numpy_number(kind: type) -> bool:
    return kind.__module__ == "numpy" and kind.__name__ in _NUMPY_NUMBERS


def _all_small(values: Sequence[Any], found: set[type]) -> bool:
    """Tell whether the integers among the values fit 64 bits, beyond which encoders differ."""
    if found == {int}:
        return bool(min(values) >= INT_LEAST and max(values) <= INT_MOST)
    return all(INT_LEAST <= value <= INT_MOST for value in values if type(value) is int)


_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):([0-5]\d|60)(\.\d+)?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))?"
)


def epoch_seconds(value: Any) -> float:
    """Return a timestamp as epoch seconds.

    Args:
        value: epoch seconds of any numeric type, a datetime or numpy.datetime64, or RFC 3339
            text; without a zone it is taken as UTC.

    Raises:
        ValueError: text that is not RFC 3339, or not finite.
        TypeError: none of these. (Strange types may raise what they like.)
    """
    if isinstance(value, str):
        seconds = _from_text(value)
    elif isinstance(value, datetime):
        seconds = _from_datetime(value)
    elif isinstance(value, bool):
        raise TypeError("a bool is no timestamp")
    elif getattr(getattr(value, "dtype", None), "kind", "") == "M":
        # Nanoseconds would come out of item() as a bare integer.
        seconds = _from_datetime(value.astype("datetime64[us]").item())
    else:
        seconds = float(value)
    if not isfinite(seconds):
        raise ValueError("a timestamp is not finite")
    return seconds


def _from_datetime(value: datetime) -> float:
    if value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)
    return value.timestamp()


def _from_text(text: str) -> float:
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError("a timestamp's text is not RFC 3339")
    *fields, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, fields)
    # A leap second has no place in epoch seconds: it is the next minute's first.
    moment = datetime(year, month, day, hour, minute, tzinfo=timezone.utc)
    seconds = moment.timestamp() + second + float(fraction or 0)
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes)).total_seconds()
        seconds -= offset if sign == "+" else -offset
    return seconds
