"""Events as columns: made of rows or of the host's columns, and cleaned to be encoded."""

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from math import isfinite
from typing import Any, NamedTuple, TypeAlias

from mlguard import advice, values
from mlguard.counters import Counters
from mlguard.deferred_log import describe_error
from mlguard.protocol import MAX_FEATURES
from mlguard.timestamps import epoch_seconds, is_naive

Row: TypeAlias = tuple[Any, Any, Any, Any, dict[Any, Any] | None, Any]
"""timestamp, latency_ms, y_pred, y_proba, features, id"""
_NOTHING = {type(None)}
Column: TypeAlias = Sequence[Any]


class Table(NamedTuple):
    """Events as columns of one length; a column without any value is None."""

    timestamp: Column
    latency_ms: Column | None
    y_pred: Column | None
    y_proba: Column | None
    features: dict[str, Column] | None
    id: Column | None = None

    @property
    def rows(self) -> int:
        """How many events it holds."""
        return len(self.timestamp)

    def slice(self, start: int, stop: int) -> "Table":
        """Return the events from `start` up to, but not including, `stop`."""
        features = self.features
        return Table(
            self.timestamp[start:stop],
            None if self.latency_ms is None else self.latency_ms[start:stop],
            None if self.y_pred is None else self.y_pred[start:stop],
            None if self.y_proba is None else self.y_proba[start:stop],
            features and {name: column[start:stop] for name, column in features.items()},
            None if self.id is None else self.id[start:stop],
        )

    def to_wire(self) -> dict[str, Any]:
        """Return the columns by their names in the wire format, without those that are None."""
        return {name: column for name, column in self._asdict().items() if column is not None}


class Outcome(NamedTuple):
    """Truth of one prediction, and perhaps the prediction."""

    id: Any
    y_true: Any
    y_pred: Any
    y_proba: Any


class OutcomeTable(NamedTuple):
    """Outcomes as columns of one length; a column without any value is None."""

    id: Column
    y_true: Column
    y_pred: Column | None
    y_proba: Column | None

    @property
    def rows(self) -> int:
        """How many outcomes it holds."""
        return len(self.id)

    def slice(self, start: int, stop: int) -> "OutcomeTable":
        """Return the outcomes from `start` up to, but not including, `stop`."""
        return OutcomeTable(
            self.id[start:stop],
            self.y_true[start:stop],
            None if self.y_pred is None else self.y_pred[start:stop],
            None if self.y_proba is None else self.y_proba[start:stop],
        )

    def to_wire(self) -> dict[str, Any]:
        """Return the columns by their names in the wire format, without those that are None."""
        return {name: column for name, column in self._asdict().items() if column is not None}


def tables_from_rows(rows: list[Row], counters: Counters) -> Iterator[Table]:
    """Turn rows into as few tables as the limit on features allows.

    Events without features get a table of their own: in one with features, each of their features
    would count as missing.
    """
    if not rows:
        return
    times, latencies, predictions, scores, features, ids = zip(*rows, strict=True)
    if all(features):
        yield from _with_features(rows, counters)
    elif not any(features):
        yield Table(times, latencies, predictions, scores, None, ids)
    else:
        yield from tables_from_rows([row for row in rows if row[4]], counters)
        yield from tables_from_rows([row for row in rows if not row[4]], counters)


def merge_tables(tables: Iterable[Table]) -> list[Table]:
    """Concatenate tables that have the same columns, so that many small ones are one batch."""
    groups: dict[Any, list[Table]] = {}
    for table in tables:
        names = None if table.features is None else frozenset(table.features)
        columns = tuple(column is None for column in table)
        groups.setdefault((names, columns), []).append(table)
    return [_concatenate(group) if len(group) > 1 else group[0] for group in groups.values()]


def _concatenate(tables: Sequence[Table]) -> Table:
    def join(columns: Iterable[Column | None]) -> Column | None:
        parts = [column for column in columns if column is not None]
        return list(chain.from_iterable(parts)) if parts else None

    first = tables[0].features
    return Table(
        list(chain.from_iterable(table.timestamp for table in tables)),
        join(table.latency_ms for table in tables),
        join(table.y_pred for table in tables),
        join(table.y_proba for table in tables),
        first
        and {
            name: list(chain.from_iterable((table.features or {})[name] for table in tables))
            for name in first
        },
        join(table.id for table in tables),
    )


def clean_table(table: Table, counters: Counters) -> Table:
    """Return the table with values that can all be encoded.

    A value that cannot be encoded becomes None, with one warning for its column. An event whose
    timestamp is invalid is dropped: it must not count in a minute that it does not belong to.
    """
    table = _with_valid_times(table, counters)
    return Table(
        table.timestamp,
        _clean("latency_ms", table.latency_ms, values.NUMBER_TYPES, values.number, counters),
        _clean("y_pred", table.y_pred, values.PLAIN_TYPES, values.plain, counters),
        _clean("y_proba", table.y_proba, values.NUMBER_TYPES, values.score, counters),
        table.features
        and {
            name: values.clean(
                column,
                values.PLAIN_TYPES,
                values.plain,
                partial(_warn_once, counters, f"feature {name!r}"),
            )
            for name, column in table.features.items()
        },
        _clean("id", table.id, values.ID_TYPES, values.identifier, counters),
    )


def clean_outcomes(outcomes: Sequence[Outcome], counters: Counters) -> OutcomeTable:
    """Return outcomes as columns with values that can all be encoded, as `clean_table` does."""
    ids, truths, predictions, scores = zip(*outcomes, strict=True)
    warn = partial(partial, _warn_once, counters)
    return OutcomeTable(
        values.clean(ids, values.ID_TYPES, values.identifier, warn("id")),
        values.clean(truths, values.PLAIN_TYPES, values.plain, warn("y_true")),
        _clean("y_pred", predictions, values.PLAIN_TYPES, values.plain, counters),
        _clean("y_proba", scores, values.NUMBER_TYPES, values.score, counters),
    )


def warn_of_local_times(timestamps: Sequence[Any], counters: Counters) -> None:
    """Warn once if times without an offset, which mean UTC, are now in the host's time zone.

    Args:
        timestamps: a few of events that the host has just logged.
        counters: has the log.
    """
    now = time.time()
    offset = advice.host_offset(now)
    if not offset or counters.log.has_warned("local_time"):
        return
    try:
        naive = [
            epoch_seconds(each) for each in timestamps if type(each) is not float and is_naive(each)
        ]
    except Exception:  # noqa: BLE001 - foreign types may raise anything
        return
    # All, as in a table of past events some are older than now by the offset.
    if naive and all(advice.is_near(each, now + offset) for each in naive):
        counters.log.warn_once("local_time", advice.explain_local_time(offset))


def _with_features(rows: list[Row], counters: Counters) -> Iterator[Table]:
    """Turn rows that have features into tables."""
    times, latencies, predictions, scores, features, ids = zip(*rows, strict=True)
    try:
        named = _transpose_same_names(features) or _transpose(features)
        if len(named) <= MAX_FEATURES:
            yield Table(times, latencies, predictions, scores, named, ids)
            return
        if len(rows) == 1:
            left_out = next(islice(named, MAX_FEATURES, None))
            warn_left_out(counters, len(named), left_out)
            first = dict(islice(named.items(), MAX_FEATURES))
            yield Table(times, latencies, predictions, scores, first, ids)
            return
    except Exception as error:  # noqa: BLE001 - a foreign key may raise anything
        if len(rows) == 1:
            counters.drop("unusable", detail=describe_error(error))
            return
    half = len(rows) // 2
    yield from _with_features(rows[:half], counters)
    yield from _with_features(rows[half:], counters)


def warn_left_out(counters: Counters, found: int, first: str) -> None:
    """Warn once that events have too many features.

    Args:
        counters: has the log.
        found: how many features there are.
        first: name of the first that is left out.
    """
    counters.log.warn_once("too_many_features", advice.explain_left_out(found, first, MAX_FEATURES))


def _transpose_same_names(features: Sequence[dict[Any, Any]]) -> dict[str, Column] | None:
    """Turn the features of events into columns, fast; None if their names differ."""
    names = list(features[0])
    if set(map(len, features)) != {len(names)}:
        return None
    try:
        return {values.name(name): [each[name] for each in features] for name in names}
    except KeyError:
        return None


def _transpose(features: Sequence[dict[Any, Any]]) -> dict[str, Column]:
    """Turn the features of events into columns, with None where an event lacks a feature."""
    names = dict.fromkeys(name for each in features for name in each)
    return {values.name(name): [each.get(name) for each in features] for name in names}


def _with_valid_times(table: Table, counters: Counters) -> Table:
    if set(map(type, table.timestamp)) == {float} and isfinite(sum(table.timestamp)):
        return table
    times = [_seconds(value, counters) for value in table.timestamp]
    valid = [row for row, seconds in enumerate(times) if seconds is not None]
    return _select(table._replace(timestamp=times), valid)


def _seconds(value: Any, counters: Counters) -> float | None:
    try:
        return epoch_seconds(value)
    except Exception as error:  # noqa: BLE001 - foreign types may raise anything
        counters.drop("invalid_timestamp", detail=describe_error(error))
        return None


def _select(table: Table, rows: list[int]) -> Table:
    """Return only the rows with these numbers."""
    if len(rows) == table.rows:
        return table

    def select(column: Column | None) -> Column | None:
        return None if column is None else [column[row] for row in rows]

    features = table.features
    return Table(
        [table.timestamp[row] for row in rows],
        select(table.latency_ms),
        select(table.y_pred),
        select(table.y_proba),
        features and {name: [column[row] for row in rows] for name, column in features.items()},
        select(table.id),
    )


def _clean(
    name: str,
    column: Column | None,
    kinds: frozenset[type],
    convert: values.Convert,
    counters: Counters,
) -> Column | None:
    """Clean a column that is not a feature; None if no event has a value."""
    if column is None or set(map(type, column)) <= _NOTHING:
        return None
    return values.clean(column, kinds, convert, partial(_warn_once, counters, name))


def _warn_once(counters: Counters, what: str, value: Any, error: Exception) -> None:
    counters.log.warn_once(
        ("value", what),
        lambda: advice.explain_missing_value(what, value, describe_error(error)),
    )
