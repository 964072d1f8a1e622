"""Features and probabilities in JSON values."""

from collections.abc import Sequence
from typing import Any

from mlguard.protocol import MAX_FEATURES

_MAX_CELLS = 1_000_000
_CELLS_PER_KEY = 4
"""Objects with other keys each would else be columns of quadratic size."""


class FormError(ValueError):
    """A value is not of a form that can be logged; the text says what it is instead."""


def features_of(value: Any, names: Sequence[str] | None) -> dict[str, Any]:
    """Return the features of one inference by name.

    Args:
        value: an object, an array, or a number or text, which is one feature.
        names: names of the elements of an array, by default x0, x1 and so on; of an object, which
            features to return.

    Raises:
        FormError: it is null, or its length is not that of the names.
    """
    if type(value) is dict:
        return value if names is None else {name: value.get(name) for name in names}
    row = value if type(value) is list else [value]
    if value is None:
        raise FormError("found null, expected an object or an array")
    if names is None:
        return {f"x{n}": each for n, each in enumerate(row)}
    if len(names) != len(row):
        raise FormError(f"found {len(row)} values, and there are {len(names)} feature_names")
    return dict(zip(names, row, strict=True))


def features_by_column(
    value: Any, names: Sequence[str] | None, *, are_columns: bool
) -> dict[str, list[Any]]:
    """Return the features of many inferences as columns.

    Args:
        value: a list of rows, each of which `features_of` takes; or a mapping of names to columns.
        names: as in `features_of`.
        are_columns: whether it is such a mapping.

    Raises:
        FormError: the value is neither, or rows differ in length, or too much in their keys.
    """
    if are_columns:
        return _columns(value, names)
    kinds = set(map(type, value))
    if dict in kinds:
        return _columns_of_objects([row if type(row) is dict else {} for row in value], names)
    if list in kinds and len(kinds) > 1:
        raise FormError("found rows that are arrays, and some that are not")
    rows = value if list in kinds else [[row] for row in value]
    widths = sorted(set(map(len, rows)))
    if len(widths) > 1:
        raise FormError(f"found rows of {widths[:10]} values, expected one number")
    width = widths[0] if widths else len(names or ())
    chosen = [f"x{n}" for n in range(width)] if names is None else names
    if len(chosen) != width:
        raise FormError(f"found rows of {width} values, and there are {len(chosen)} feature_names")
    if value and not width:
        raise FormError("found rows without values")
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in chosen]
    return dict(zip(chosen, columns, strict=True))


def _columns_of_objects(
    rows: list[dict[str, Any]], names: Sequence[str] | None
) -> dict[str, list[Any]]:
    """Return columns, of which those beyond the limit of features have no values."""
    names = names or list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        raise FormError("found objects without keys")
    kept = names[:MAX_FEATURES]
    if len(rows) * len(kept) > max(_MAX_CELLS, _CELLS_PER_KEY * sum(map(len, rows))):
        text = f"found {len(rows)} objects whose keys differ, {len(names)} in all"
        raise FormError(f"{text}; expected about the same keys in each")
    absent: list[Any] = [None] * len(rows)
    columns = dict.fromkeys(names, absent)  # they are left out, but counted
    return columns | {name: [row.get(name) for row in rows] for name in kept}


def prediction(value: Any) -> Any:
    """Return a prediction; of an array of one element, as some models answer, that element."""
    return value[0] if type(value) is list and len(value) == 1 else value


def score(value: Any, classes: Sequence[str] | None) -> Any:
    """Return a probability, or a mapping of classes to probabilities.

    Args:
        value: either of them, or an array of probabilities, whose largest is returned if there
            are no classes.
        classes: names of the elements of an array.

    Raises:
        FormError: the array's length is not that of the classes, or it has other values.
    """
    if type(value) is not list:
        return value
    if classes is None:
        if not all(isinstance(each, (int, float)) for each in value):
            raise FormError("found an array with values that are not numbers")
        return max(value, default=None)
    if len(classes) != len(value):
        raise FormError(f"found {len(value)} probabilities, and there are {len(classes)} classes")
    return dict(zip(classes, value, strict=True))


def _columns(value: Any, names: Sequence[str] | None) -> dict[str, list[Any]]:
    if type(value) is not dict or not all(type(each) is list for each in value.values()):
        raise FormError("found no object whose values are all arrays, which are columns")
    chosen = {name: column for name, column in value.items() if names is None or name in names}
    lengths = sorted({len(column) for column in chosen.values()})
    if len(lengths) != 1:
        raise FormError(f"found columns of lengths {lengths[:10]}, expected one length")
    return chosen
