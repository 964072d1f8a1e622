"""Truth and comparison of values, as in Go's text/template."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from mlguard_rules.templates.golang import QuerySample, kind_of

_ORDERED = ("float64", "int", "string")


def is_true(value: object) -> bool:
    """Return whether a value counts as true: it is neither zero nor empty."""
    if isinstance(value, QuerySample):
        return True
    if isinstance(value, str | list | Mapping):
        return len(value) > 0
    return bool(value)


def _equal(first: Any, *others: Any) -> bool:
    for other in others:
        _check(first, other, (*_ORDERED, "bool"))
        if first == other:
            return True
    return False


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def apply(first: Any, other: Any) -> bool:
        _check(first, other, _ORDERED)
        return compare(first, other)

    return apply


def _check(first: object, other: object, kinds: tuple[str, ...]) -> None:
    if kind_of(first) not in kinds or kind_of(other) not in kinds:
        raise TypeError("invalid type for comparison")
    if kind_of(first) != kind_of(other):
        raise TypeError("incompatible types for comparison")


COMPARISONS: dict[str, Callable[..., bool]] = {
    "eq": _equal,
    "ne": lambda first, other: not _equal(first, other),
    "lt": _ordered(operator.lt),
    "le": _ordered(operator.le),
    # Go negates le and lt, which is true of NaN
    "gt": _ordered(lambda first, other: not first <= other),
    "ge": _ordered(lambda first, other: not first < other),
}
