"""Columns as the host has them - lists, arrays, data frames - copied into a table."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from mlguard import values
from mlguard.tables import Column, Table


def table_of(*, features: Any, y_pred: Any, y_proba: Any, latency_ms: Any, timestamp: Any) -> Table:
    """Return a table that shares nothing with the host's columns.

    Args:
        features: a mapping of names to columns, or anything like a pandas or polars DataFrame.
        y_pred: a column, or None.
        y_proba: a column, or None.
        latency_ms: a column, or one value for all rows, or None.
        timestamp: a column, or one value for all rows; None, there or in a column, is now.

    Raises:
        ValueError: the columns differ in length, or there are none.
        TypeError: something is no column.
    """
    named = _named_columns(features)
    predictions = None if y_pred is None else column_of(y_pred)
    scores = None if y_proba is None else column_of(y_proba)
    if scores is not None:  # by class, each is the host's own still
        scores = [dict(each) if type(each) is dict else each for each in scores]
    latencies = column_of(latency_ms) if _is_column(latency_ms) else None
    times = column_of(timestamp) if _is_column(timestamp) else None

    given = (predictions, scores, latencies, times, *named.values())
    lengths = {len(column) for column in given if column is not None}
    if len(lengths) != 1:
        raise ValueError(f"columns of one length are needed, not of {sorted(lengths)}")
    rows = lengths.pop()

    if latency_ms is not None and latencies is None:
        latencies = [latency_ms] * rows
    now = time.time()
    if times is None:
        times = [now if timestamp is None else timestamp] * rows
    else:
        times = [now if value is None else value for value in times]
    return Table(times, latencies, predictions, scores, named or None)


def column_of(column: Any) -> Column:
    """Return a copy of a column as a list.

    Raises:
        TypeError: it is no column.
    """
    if hasattr(column, "columns") and len(column.columns) == 1:
        column = column[column.columns[0]]
    elif getattr(column, "ndim", 1) == 2 and column.shape[1] == 1:
        column = column.reshape(-1)  # some models predict one column of a matrix
    # An array of times would list its nanoseconds as bare integers; a Series would not.
    if hasattr(column, "__array_interface__") and column.dtype.kind in {"M", "m"}:
        column = column.astype(f"{column.dtype.kind}8[us]")
    for method in ("tolist", "to_list"):
        if hasattr(column, method):
            column = getattr(column, method)()
            break
    if not _is_column(column) or hasattr(column, "columns"):  # a frame would list its names
        raise TypeError(f"{type(column).__name__} is no column")
    return list(column)


def _named_columns(features: Any) -> dict[Any, Column]:
    if features is None:
        return {}
    names = features if isinstance(features, Mapping) else features.columns
    return {values.name(name): column_of(features[name]) for name in names}


def _is_column(value: Any) -> bool:
    """Tell a column from one value for all rows."""
    if isinstance(value, (str, bytes, Mapping)):
        return False
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) != 0
