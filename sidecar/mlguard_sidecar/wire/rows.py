"""Rows: events of one model as columns."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from mlguard.protocol import MAX_BATCH_ROWS, MAX_FEATURES, MAX_NAME_LENGTH
from mlguard_sidecar.histogram.values import encoded, taken
from mlguard_sidecar.histogram.values import joined as join_columns
from mlguard_sidecar.wire.errors import Reason, RejectedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.wire.messages import Batch, Line

    Column = Sequence[object]
    """Raw values, each a number, bool, string or None."""

_MAX_TIMESTAMP_LENGTH = 40


class ModelKey(NamedTuple):
    """Identity of a model."""

    project: str
    model: str
    endpoint: str


@dataclass(frozen=True)
class Rows:
    """Events of one model, as columns of one length.

    Attributes:
        key: key of the model.
        times: epoch seconds; NaN for an invalid timestamp.
        latency_ms: NaN if missing.
        y_pred: None if missing.
        scores: the probability, or the largest one; NaN if missing.
        features: name -> values; None if the events have no features at all.
    """

    key: ModelKey
    times: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    y_pred: Column
    scores: NDArray[np.float64]
    features: dict[str, Column] | None

    def __len__(self) -> int:
        return len(self.times)

    def optional_scores(self) -> list[float | None]:
        """Return the scores, None for those that are missing."""
        return [None if v != v else v for v in self.scores.tolist()]  # noqa: PLR0124 - NaN

    def taken(self, index: NDArray[np.intp]) -> Rows:
        """Return the rows at some indices."""
        return Rows(
            self.key,
            self.times[index],
            self.latency_ms[index],
            taken(self.y_pred, index),
            self.scores[index],
            None
            if self.features is None
            else {name: taken(column, index) for name, column in self.features.items()},
        )


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the concatenation of rows of one model, all with features or all without."""
    first = parts[0]
    if len(parts) == 1:
        return first
    features: dict[str, Column] | None = None
    if first.features is not None:
        names = dict.fromkeys(name for part in parts for name in part.features or ())
        features = {
            name: join_columns(
                [(part.features or {}).get(name) or [None] * len(part) for part in parts]
            )
            for name in names
        }
    return Rows(
        first.key,
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.latency_ms for part in parts]),
        join_columns([part.y_pred for part in parts]),
        np.concatenate([part.scores for part in parts]),
        features,
    )


_key_of = attrgetter("project_id", "model_id", "endpoint")


def rows_of_events(
    events: Sequence[Line], positions: Positions, now: float
) -> tuple[list[tuple[Rows, Sequence[Line]]], list[RejectedError]]:
    """Convert events to columns, grouped by model.

    Args:
        events: decoded lines without columns.
        positions: their indices, for rejections.
        now: epoch seconds, the time of events without a timestamp.

    Returns:
        Rows, each with its events, and rejections.
    """
    groups: defaultdict[tuple[str | None, str | None, str, bool], list[Line]] = defaultdict(list)
    for key, event in zip(map(_key_of, events), events, strict=True):
        groups[(*key, event.features is None)].append(event)
    rows: list[tuple[Rows, Sequence[Line]]] = []
    rejected = []
    for (project, model, endpoint, bare), group in groups.items():
        try:
            key = model_key(project, model, endpoint)
        except RejectedError as error:
            rejected.append(RejectedError(error.reason, str(error), positions.of(group)))
            continue
        few = [e for e in group if e.features is None or len(e.features) <= MAX_FEATURES]
        if len(few) < len(group):
            many = [e for e in group if e.features is not None and len(e.features) > MAX_FEATURES]
            most = max(len(e.features or ()) for e in many)
            rejected.append(_too_many_features(most, positions.of(many)))
        for part, features in [(few, None)] if bare else _with_columns(few):
            columns = Rows(
                key,
                _times([e.timestamp for e in part], now),
                _floats([e.latency_ms for e in part]),
                encoded([e.y_pred for e in part], numbers=True),
                _scores([e.y_proba for e in part]),
                features,
            )
            rows.append((columns, part))
    return rows, rejected


class Positions:
    """Indices of events among all events of a request, looked up only if one is rejected."""

    def __init__(self, events: Sequence[Line]) -> None:
        self._events = events

    @cached_property
    def _by_identity(self) -> dict[int, int]:
        return {id(event): i for i, event in enumerate(self._events)}

    def of(self, part: Sequence[Line]) -> list[int]:
        """Return the indices of some of the events."""
        return [self._by_identity[id(event)] for event in part]


def rows_of_batch(line: Line, batch: Batch, now: float) -> Rows:
    """Return the rows of a batch.

    Args:
        line: the decoded line.
        batch: its columns.
        now: epoch seconds, the time of rows without a timestamp.

    Raises:
        RejectedError: no row of the batch can be counted.
    """
    columns = [batch.timestamp, batch.latency_ms, batch.y_pred, batch.y_proba]
    lengths = {len(c) for c in columns if c is not None}
    lengths.update(map(len, (batch.features or {}).values()))
    n = max(lengths, default=0)
    if len(lengths) > 1:
        found = ", ".join(map(str, sorted(lengths)))
        raise RejectedError(
            Reason.UNEVEN_COLUMNS, f"columns of lengths {found}, expected one length", range(n)
        )
    if n > MAX_BATCH_ROWS:
        text = f"{n} rows in a batch, expected at most {MAX_BATCH_ROWS}"
        raise RejectedError(Reason.TOO_MANY_ROWS, text, range(n))
    if batch.features is not None and len(batch.features) > MAX_FEATURES:
        raise _too_many_features(len(batch.features), range(max(n, 1)))
    try:
        key = model_key(line.project_id, line.model_id, line.endpoint)
    except RejectedError as error:
        raise RejectedError(error.reason, str(error), range(max(n, 1))) from None
    return Rows(
        key,
        np.full(n, now) if batch.timestamp is None else _times(batch.timestamp, now),
        np.full(n, np.nan) if batch.latency_ms is None else _floats(batch.latency_ms),
        [None] * n if batch.y_pred is None else encoded(batch.y_pred, numbers=True),
        np.full(n, np.nan) if batch.y_proba is None else _scores(batch.y_proba),
        None
        if batch.features is None
        else {name: encoded(values) for name, values in batch.features.items()},
    )


def is_name(text: str, limit: int = MAX_NAME_LENGTH) -> bool:
    """Return whether a text is a valid name: 1 to `limit` printable characters."""
    return 0 < len(text) <= limit and text.isprintable()


@lru_cache(maxsize=1024)
def model_key(project: str | None, model: str | None, endpoint: str) -> ModelKey:
    """Return the key of a model.

    Raises:
        RejectedError: a name is missing or invalid.
    """
    for name, value in (("project_id", project), ("model_id", model), ("endpoint", endpoint)):
        if value is None:
            raise RejectedError(Reason.MISSING_ID, f"{name} is missing")
        if not is_name(value):
            raise RejectedError(
                Reason.BAD_ID, f"{name} must be 1 to {MAX_NAME_LENGTH} printable characters"
            )
    return ModelKey(cast("str", project), cast("str", model), endpoint)


def _too_many_features(found: int, indices: Sequence[int]) -> RejectedError:
    text = f"{found} features, expected at most {MAX_FEATURES}"
    return RejectedError(Reason.TOO_MANY_FEATURES, text, indices)


def _of_few_names(events: list[Line]) -> Iterator[list[Line]]:
    """Split events into parts with at most as many different features as an event may have.

    A column is as long as all events of its part. Without the split, memory would grow with the
    square of the number of events if each had new names.
    """
    part: list[Line] = []
    names: set[str] = set()
    for event in events:
        own = event.features or {}
        if not names.issuperset(own):
            if len(names | own.keys()) > MAX_FEATURES:
                yield part
                part, names = [], set()
            names.update(own)
        part.append(event)
    if part:
        yield part


def _with_columns(
    events: list[Line],
) -> Iterator[tuple[list[Line], dict[str, Column]]]:
    """Yield events and their features as columns, in parts of few different features."""
    dicts = [e.features or {} for e in events]
    names = dicts[0].keys() if dicts else ()
    if sum(map(len, dicts)) == len(names) * len(dicts):
        try:
            columns = {name: encoded([d[name] for d in dicts]) for name in names}
        except KeyError:
            pass
        else:
            yield events, columns
            return
    for part in _of_few_names(events):
        dicts = [e.features or {} for e in part]
        every = dict.fromkeys(name for d in dicts for name in d)
        yield part, {name: [d.get(name) for d in dicts] for name in every}


def _times(stamps: Sequence[float | str | None], now: float) -> NDArray[np.float64]:
    try:
        return np.frombuffer(array("d", stamps))  # type: ignore[type-var]
    except TypeError:  # not all are numbers
        pass
    if set(map(type, stamps)) <= {str}:
        epoch_of = {text: _epoch_seconds(text) for text in set(cast("Sequence[str]", stamps))}
        return np.array([epoch_of[text] for text in stamps], dtype=np.float64)  # type: ignore[index]
    return np.array(
        [now if s is None else _epoch_seconds(s) if isinstance(s, str) else s for s in stamps],
        dtype=np.float64,
    )


def _epoch_seconds(text: str) -> float:
    return _parsed(text) if len(text) <= _MAX_TIMESTAMP_LENGTH else math.nan


@lru_cache(maxsize=8192)
def _parsed(text: str) -> float:
    """Return epoch seconds of an RFC 3339 time, in UTC without an offset; NaN if invalid."""
    if len(text) < 19 or text[10] not in "Tt ":
        return math.nan
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def _floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    try:  # fast, and succeeds only if all values are numbers
        return np.frombuffer(array("d", values))  # type: ignore[type-var]
    except TypeError:
        return np.array(values, dtype=np.float64)  # None becomes NaN


def _scores(values: Sequence[float | dict[str, float] | None]) -> NDArray[np.float64]:
    try:
        return _floats(cast("Sequence[float | None]", values))
    except TypeError:  # probabilities of classes
        flat = [(max(v.values()) if v else None) if isinstance(v, dict) else v for v in values]
        return _floats(flat)
