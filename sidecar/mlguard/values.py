"""Values of the host, converted to those of the wire format."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeAlias

Plain: TypeAlias = str | float | int | bool | None
Convert: TypeAlias = Callable[[Any], Any]
OnError: TypeAlias = Callable[[Any, Exception], None]

PLAIN_TYPES: frozenset[type] = frozenset({float, int, str, bool, type(None)})
ID_TYPES: frozenset[type] = frozenset({str, int, type(None)})
NUMBER_TYPES: frozenset[type] = frozenset({float, int, type(None)})
MIN_INT, MAX_INT = -(2**63), 2**63 - 1

# Types of missing values in pandas, by name, so that it need not be imported.
_MISSING_TYPES = frozenset({"NAType", "NaTType"})

# Types of numpy whose `item` returns an int, a float or a bool.
_NUMPY_NUMBERS = frozenset(
    ["bool", "bool_", "float16", "float32", "float64"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)


def plain(value: Any) -> Plain:
    """Return a value as a string, number, bool or None; NaN and infinities become None.

    Raises:
        TypeError: it is none of these. Foreign types may raise any other exception.
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
    if type(value) is int and not MIN_INT <= value <= MAX_INT:
        return float(value)
    return value  # type: ignore[no-any-return]


def number(value: Any) -> float | None:
    """Return a value as a number or None; a bool becomes 0.0 or 1.0.

    Raises:
        TypeError: it is a string, or nothing that `plain` accepts.
    """
    value = plain(value)
    if isinstance(value, str):
        raise TypeError("a string, expected a number")
    return float(value) if isinstance(value, bool) else value


def score(value: Any) -> float | dict[str, float] | None:
    """Return a probability, or a mapping of classes to probabilities without those that are None.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(value, Mapping):
        return number(value)
    classes = {name(key): number(part) for key, part in value.items()}
    return {key: part for key, part in classes.items() if part is not None} or None


def identifier(value: Any) -> str | int | None:
    """Return an ID as a string or an integer.

    Raises:
        TypeError: it is neither, nor a UUID. Foreign types may raise any other exception.
    """
    if type(value) is int or type(value).__name__ == "UUID":
        return value if type(value) is int and MIN_INT <= value <= MAX_INT else str(value)
    found = plain(value)
    if isinstance(found, float) and found.is_integer():
        return int(found)
    if isinstance(found, (bool, float)):
        raise TypeError(f"{found!r} is not a string or an integer")
    return found


def name(key: Any) -> str:
    """Return the name of a feature or class as a string."""
    return text(key if isinstance(key, str) else str(key))


def text(value: str) -> str:
    """Return a plain string, with lone surrogates replaced, which UTF-8 cannot encode."""
    value = str.__str__(value)  # str() of an enum would be its name
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def clean(
    values: Sequence[Any],
    kinds: frozenset[type],
    convert: Convert,
    on_error: OnError,
) -> Sequence[Any]:
    """Return a column with values that can all be encoded.

    Args:
        values: the column.
        kinds: types of values that are kept as they are.
        convert: converts a value of another type to one of these, or raises.
        on_error: called with each value that cannot be converted, which becomes None, and the
            error.
    """
    found = set(map(type, values))
    if not found <= kinds and all(kind in kinds or _is_numpy_number(kind) for kind in found):
        # The most common foreign types, converted fast.
        values = [each if type(each) in kinds else each.item() for each in values]
        found = set(map(type, values))
    if found <= kinds and (int not in found or _all_small(values, found)):
        return values
    return [_converted(value, convert, on_error) for value in values]


def _converted(value: Any, convert: Convert, on_error: OnError) -> Any:
    try:
        return convert(value)
    except Exception as error:  # noqa: BLE001 - foreign types may raise anything
        on_error(value, error)
        return None


def _builtin(value: Any) -> Any:
    """Return the value of a built-in type that equals a foreign one or one of a subclass."""
    if isinstance(value, str):
        return value
    if hasattr(value, "item"):  # scalars of numpy, and arrays and tensors of one element
        if getattr(getattr(value, "dtype", None), "kind", "") in {"M", "m"}:
            # Some would become a bare number of nanoseconds.
            raise TypeError(f"{value.dtype} is not a string, number or bool")
        value = value.item()
    if type(value) in PLAIN_TYPES:
        return value
    if isinstance(value, int):
        return int.__index__(value)
    if hasattr(type(value), "__float__"):  # Decimal, Fraction and subclasses of float
        return float(value)
    raise TypeError(f"{type(value).__name__} is not a string, number or bool")


def _is_numpy_number(kind: type) -> bool:
    return kind.__module__ == "numpy" and kind.__name__ in _NUMPY_NUMBERS


def _all_small(values: Sequence[Any], found: set[type]) -> bool:
    """Return whether all integers fit into 64 bits, beyond which encoders differ."""
    if found == {int}:
        return bool(min(values) >= MIN_INT and max(values) <= MAX_INT)
    return all(MIN_INT <= value <= MAX_INT for value in values if type(value) is int)
