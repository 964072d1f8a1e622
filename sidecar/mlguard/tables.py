"""Events as columns: turned from rows, copied from the host's frames, and made fit to send."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import isfinite
from typing import Any, NamedTuple, TypeAlias

from mlguard import values
from mlguard.tally import Tally, shown

FEATURES_LIMIT = 512

# timestamp, latency_ms, y_pred, y_proba, features
Row: TypeAlias = tuple[Any, Any, Any, Any, dict[Any, Any] | None]
Column: TypeAlias = Sequence[Any]


class Table(NamedTuple):
    """Events as columns of one length; a column that no event has is None."""

    timestamp: Column
    latency_ms: Column | None
    y_pred: Column | None
    y_proba: Column | None
    features: dict[str, Column] | None

    @property
    def rows(self) -> int:
        """How many events it holds."""
        return len(self.timestamp)

    def cut(self, start: int, stop: int) -> "Table":
        """Return the events from start up to stop."""
        features = self.features
        return Table(
            self.timestamp[start:stop],
            None if self.latency_ms is None else self.latency_ms[start:stop],
            None if self.y_pred is None else self.y_pred[start:stop],
            None if self.y_proba is None else self.y_proba[start:stop],
            features and {name: column[start:stop] for name, column in features.items()},
        )

    def wire(self) -> dict[str, Any]:
        """Return the columns as the wire names them, without the absent ones."""
        return {name: column for name, column in self._asdict().items() if column is not None}


def tables(rows: list[Row], tally: Tally) -> Iterator[Table]:
    """Turn rows into as few tables as the limits on features allow.

    Events without features go apart: in a table with features they would look as if each of
    their features was missing.
    """
    if not rows:
        return
    times, latencies, predictions, scores, features = zip(*rows, strict=True)
    if all(features):
        yield from _with_features(rows, tally)
    elif not any(features):
        yield Table(times, latencies, predictions, scores, None)
    else:
        yield from tables([row for row in rows if row[4]], tally)
        yield from tables([row for row in rows if not row[4]], tally)


def cleaned(table: Table, tally: Tally) -> Table:
    """Return the table with nothing in it that cannot be encoded.

    A value that cannot costs itself alone, with one warning for its column; a timestamp costs
    its event, which must not land in a minute that it does not belong to.
    """
    table = _with_good_times(table, tally)
    return Table(
        table.timestamp,
        _clean("latency_ms", table.latency_ms, values.NUMBER_TYPES, values.number, tally),
        _clean("y_pred", table.y_pred, values.PLAIN_TYPES, values.plain, tally),
        _clean("y_proba", table.y_proba, values.NUMBER_TYPES, values.score, tally),
        table.features
        and {
            name: values.clean(
                column,
                values.PLAIN_TYPES,
                values.plain,
                partial(_complain, tally, f"feature {name!r}"),
            )
            for name, column in table.features.items()
        },
    )


def _with_features(rows: list[Row], tally: Tally) -> Iterator[Table]:
    """Turn rows that have features into tables."""
    times, latencies, predictions, scores, features = zip(*rows, strict=True)
    trouble, detail = "too_many_features", ""
    try:
        named = _transposed_alike(features) or _transposed(features)
        if len(named) <= FEATURES_LIMIT:
            yield Table(times, latencies, predictions, scores, named)
            return
    except Exception as error:  # noqa: BLE001 - a strange key may raise whatever it likes
        trouble, detail = "unusable", shown(error)
    if len(rows) == 1:
        tally.drop(trouble, detail=detail)
        return
    half = len(rows) // 2
    yield from _with_features(rows[:half], tally)
    yield from _with_features(rows[half:], tally)


def _transposed_alike(features: Sequence[dict[Any, Any]]) -> dict[str, Column] | None:
    """Turn features of events into columns, fast; None unless all have the same names."""
    names = list(features[0])
    if set(map(len, features)) != {len(names)}:
        return None
    try:
        return {values.name(name): [each[name] for each in features] for name in names}
    except KeyError:
        return None


def _transposed(features: Sequence[dict[Any, Any]]) -> dict[str, Column]:
    """Turn features of events into columns, with None where an event lacks a name."""
    names = dict.fromkeys(name for each in features for name in each)
    return {values.name(name): [each.get(name) for each in features] for name in names}


def _with_good_times(table: Table, tally: Tally) -> Table:
    if set(map(type, table.timestamp)) == {float} and isfinite(sum(table.timestamp)):
        return table
    times = [_seconds(value, tally) for value in table.timestamp]
    good = [row for row, seconds in enumerate(times) if seconds is not None]
    return _picked(table._replace(timestamp=times), good)


def _seconds(value: Any, tally: Tally) -> float | None:
    try:
        return values.epoch_seconds(value)
    except Exception as error:  # noqa: BLE001 - foreign types raise what they like
        tally.drop("invalid_timestamp", detail=shown(error))
        return None


def _picked(table: Table, rows: list[int]) -> Table:
    """Return only these rows of the table."""
    if len(rows) == table.rows:
        return table

    def pick(column: Column | None) -> Column | None:
        return None if column is None else [column[row] for row in rows]

    features = table.features
    return Table(
        [table.timestamp[row] for row in rows],
        pick(table.latency_ms),
        pick(table.y_pred),
        pick(table.y_proba),
        features and {name: [column[row] for row in rows] for name, column in features.items()},
    )


def _clean(
    name: str,
    column: Column | None,
    kinds: frozenset[type],
    convert: values.Convert,
    tally: Tally,
) -> Column | None:
    """Clean one of the event's own columns; None where no event has a value."""
    if column is None or all(value is None for value in column):
        return None
    return values.clean(column, kinds, convert, partial(_complain, tally, name))


def _complain(tally: Tally, what: str, error: Exception) -> None:
    tally.notices.once(("value", what), f"a value of {what} is sent as missing: {shown(error)}")


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
