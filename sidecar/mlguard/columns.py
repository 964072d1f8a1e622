"""The host's columns in every form: lists, arrays, frames, records, and matrices."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from mlguard import values
from mlguard.protocol import MAX_FEATURES
from mlguard.records import fields_of, is_record
from mlguard.tables import Column, Table

OnLeftOut: TypeAlias = Callable[[int, str], object]


def table_from_columns(
    *,
    features: Any,
    y_pred: Any,
    y_proba: Any,
    latency_ms: Any,
    timestamp: Any,
    on_left_out: OnLeftOut,
    id: Any = None,
    feature_names: Iterable[Any] | None = None,
    classes: Iterable[Any] | None = None,
) -> Table:
    """Return a table of copies of the host's columns.

    Args:
        features: see `named_columns`.
        y_pred: a column, or None.
        y_proba: a column, a matrix with a column for each class, or None.
        latency_ms: a column, or one value for all rows, or None.
        timestamp: a column, or one value for all rows; None, also within a column, means now.
        on_left_out: called with the number of features, if they are too many, and the name of the
            first that is left out.
        id: a column, or None.
        feature_names: see `named_columns`.
        classes: names of the columns of a matrix of probabilities.

    Raises:
        ValueError: the columns differ in length, or there is no column.
        TypeError: an argument that has to be a column is not one.
    """
    named = named_columns(features, feature_names, on_left_out)
    predictions = None if y_pred is None else column_from(y_pred)
    scores = None if y_proba is None else _score_column(y_proba, classes)
    latencies = column_from(latency_ms) if _is_column(latency_ms) else None
    times = column_from(timestamp) if _is_column(timestamp) else None

    ids = None if id is None else column_from(id)

    given = (predictions, scores, latencies, times, ids, *named.values())
    lengths = {len(column) for column in given if column is not None}
    if len(lengths) != 1:
        raise ValueError(f"columns of lengths {sorted(lengths)}, expected one length")
    rows = lengths.pop()

    if latency_ms is not None and latencies is None:
        latencies = [latency_ms] * rows
    now = time.time()
    if times is None:
        times = [now if timestamp is None else timestamp] * rows
    else:
        times = [now if value is None else value for value in times]
    return Table(times, latencies, predictions, scores, named or None, ids)


def count_rows(*columns: Any) -> int:
    """Estimate how many events an unusable batch has; at least 1, so that it is counted."""
    for column in columns:
        try:
            if not isinstance(column, Mapping):
                return max(1, len(column))
            return max(1, *(len(each) for each in column.values()))
        except Exception:  # noqa: BLE001, PERF203, S112 - an estimate
            continue
    return 1


def column_from(column: Any) -> list[Any]:
    """Return a copy of a column as a list.

    Raises:
        TypeError: it is not a column.
    """
    if hasattr(column, "columns") and len(column.columns) == 1:
        column = column[column.columns[0]]
    elif getattr(column, "ndim", 1) == 2 and column.shape[1] == 1:
        column = column.reshape(-1)  # some models return a matrix of one column
    column = _as_list(column)
    if not _is_column(column) or hasattr(column, "columns"):  # list() of a frame returns its names
        raise TypeError(f"{type(column).__name__} is not a column")
    return list(column)


def named_columns(
    features: Any, names: Iterable[Any] | None, on_left_out: OnLeftOut
) -> dict[str, Column]:
    """Return copies of the columns of features; at most as many as an event may have.

    Args:
        features: a mapping of names to columns; a DataFrame of pandas, polars or the like; a
            structured array; a sequence of records, which are mappings or have named fields; a
            matrix, which is an array of two dimensions or a sequence of rows; or None.
        names: which columns; of a matrix, the names of all columns, by default x0, x1 and so on.
        on_left_out: see `table_from_columns`.

    Raises:
        ValueError: the rows of a matrix differ in length, or from the number of names.
        TypeError: it is none of these.
    """
    if features is None:
        return {}
    chosen = None if names is None else list(names)
    own = _column_names(features)
    if own is not None:
        limited = _limit(own if chosen is None else chosen, on_left_out)
        return {values.name(name): column_from(features[name]) for name in limited}
    rows = _as_list(features)
    if not _is_column(rows):
        raise TypeError(f"features are of type {type(features).__name__}, expected columns or rows")
    rows = list(rows)
    if rows and (isinstance(rows[0], Mapping) or is_record(rows[0])):
        return _from_records(rows, chosen, on_left_out)
    dimensions = getattr(features, "ndim", 2)
    if dimensions != 2:
        raise TypeError(f"features are an array of {dimensions} dimensions, expected 2")
    return _from_matrix(rows, chosen, on_left_out)


def _column_names(features: Any) -> list[Any] | None:
    """Return the names of columns that can be had by name; None if there are none."""
    if isinstance(features, Mapping):
        return list(features)
    for attribute in ("column_names", "columns"):  # what pyarrow calls columns are no names
        if hasattr(features, attribute):
            return list(getattr(features, attribute))
    names = getattr(getattr(features, "dtype", None), "names", None)
    return None if names is None else list(names)


def _limit(names: Sequence[Any], on_left_out: OnLeftOut) -> Sequence[Any]:
    if len(names) <= MAX_FEATURES:
        return names
    on_left_out(len(names), values.name(names[MAX_FEATURES]))
    return names[:MAX_FEATURES]


def _from_records(
    records: Sequence[Any], chosen: Sequence[Any] | None, on_left_out: OnLeftOut
) -> dict[str, Column]:
    rows = [fields_of(each) for each in records]
    if None in rows:
        raise TypeError("some rows have named fields, and some have none")
    found = [row for row in rows if row is not None]
    names = chosen or list(dict.fromkeys(name for row in found for name in row))
    return {
        values.name(name): [row.get(name) for row in found] for name in _limit(names, on_left_out)
    }


def _from_matrix(
    rows: Sequence[Any], chosen: Sequence[Any] | None, on_left_out: OnLeftOut
) -> dict[str, Column]:
    rows = [column_from(row) for row in rows]
    widths = set(map(len, rows)) or {0 if chosen is None else len(chosen)}
    if len(widths) != 1:
        raise ValueError(f"rows of {sorted(widths)[:10]} features, expected one number")
    width = widths.pop()
    names = [f"x{n}" for n in range(width)] if chosen is None else chosen
    if len(names) != width:
        raise ValueError(f"{len(names)} feature_names for {width} columns")
    columns = list(zip(*rows, strict=True)) or [()] * width
    limited = _limit(names, on_left_out)
    return dict(zip(map(values.name, limited), columns, strict=False))


def _score_column(y_proba: Any, classes: Iterable[Any] | None) -> Column:
    """Return a copy of a column of scores; of a matrix, a row's largest or one for each class."""
    names = None if classes is None else [values.name(each) for each in classes]
    frame_columns = getattr(y_proba, "columns", ())
    if len(frame_columns) > 1:  # of a frame, they are the classes
        names = names or [values.name(each) for each in frame_columns]
        columns = [column_from(y_proba[each]) for each in frame_columns]
        return [_row_score(row, names) for row in zip(*columns, strict=True)]
    return [_row_score(each, names) for each in column_from(y_proba)]


def _row_score(value: Any, classes: Sequence[str] | None) -> Any:
    if type(value) is dict:
        return dict(value)  # it is still the host's
    if not _is_column(value):
        return value
    row = column_from(value)
    if classes is None:
        return max((each for each in row if each is not None and each == each), default=None)  # noqa: PLR0124 - NaN differs from itself
    if len(classes) != len(row):
        raise ValueError(f"{len(classes)} classes for {len(row)} probabilities")
    return dict(zip(classes, row, strict=True))


def _as_list(column: Any) -> Any:
    """Return the list that an array, tensor, Series or the like makes of itself."""
    # The tolist of an array of times would return bare integers; that of a Series would not.
    if hasattr(column, "__array_interface__") and column.dtype.kind in {"M", "m"}:
        column = column.astype(f"{column.dtype.kind}8[us]")
    for method in ("tolist", "to_list", "to_pylist"):
        if hasattr(column, method):
            return getattr(column, method)()
    if hasattr(column, "numpy"):  # tensors of TensorFlow
        return column.numpy().tolist()
    return column


def _is_column(value: Any) -> bool:
    """Return whether a value is a column, not one value for all rows."""
    if isinstance(value, (str, bytes, Mapping)):
        return False
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) != 0
