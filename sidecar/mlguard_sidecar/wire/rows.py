"""Rows: events of one model as columns."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from mlguard.protocol import MAX_BATCH_ROWS, MAX_FEATURES, MAX_NAME_LENGTH
from mlguard_sidecar.histogram.encoded_column import encoded, taken
from mlguard_sidecar.histogram.encoded_column import joined as join_columns
from mlguard_sidecar.histogram.values import INVALID
from mlguard_sidecar.wire.columns import floats, scores, times
from mlguard_sidecar.wire.errors import InvalidValues, Reason, RejectedError
from mlguard_sidecar.wire.lenient import LenientLine
from mlguard_sidecar.wire.prediction_ids import read_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from mlguard_sidecar.wire.messages import Batch, Line, Proba

    Column = Sequence[object]
    """Raw values, each a number, bool, string, None or INVALID."""


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
        scores: the probability, or the largest one; NaN if missing, infinite if invalid.
        features: name -> values; None if the events have no features at all.
        ids: ID of each event, or None; None if no event has one.
        probas: raw probabilities of events with IDs.
    """

    key: ModelKey
    times: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    y_pred: Column
    scores: NDArray[np.float64]
    features: Mapping[str, Column] | None
    ids: Sequence[str | None] | None = None
    probas: Sequence[Proba] | None = None

    def __len__(self) -> int:
        return len(self.times)

    def raw_scores(self) -> Column:
        """Return the scores as raw values: None if missing, INVALID if invalid."""
        return [
            value if math.isfinite(value) else None if math.isnan(value) else INVALID
            for value in self.scores.tolist()
        ]

    def traffic_only(self, key: ModelKey) -> Rows:
        """Return the traffic for another model: values of different models are not comparable."""
        nothing = np.full(len(self), np.nan)
        return Rows(key, self.times, self.latency_ms, [None] * len(self), nothing, None)

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
            None if self.ids is None else [self.ids[i] for i in index],
            None if self.probas is None else [self.probas[i] for i in index],
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


class EventRows(NamedTuple):
    """Events as columns.

    Attributes:
        groups: rows of one model each, with their events.
        rejected: rejections of all other events.
        invalid: invalid values in the events.
    """

    groups: list[tuple[Rows, Sequence[Line]]]
    rejected: list[RejectedError]
    invalid: list[InvalidValues]


def rows_of_events(events: Sequence[Line], positions: Positions, now: float) -> EventRows:
    """Convert events to columns, grouped by model.

    Args:
        events: decoded lines without columns.
        positions: their indices, for rejections.
        now: epoch seconds, the time of events without a timestamp.
    """
    groups: defaultdict[tuple[str | None, str | None, str, bool], list[Line]] = defaultdict(list)
    for key, event in zip(map(_key_of, events), events, strict=True):
        groups[(*key, event.features is None)].append(event)
    found = EventRows([], [], [])
    for (project, model, endpoint, bare), group in groups.items():
        try:
            key = model_key(project, model, endpoint)
        except RejectedError as error:
            found.rejected.append(RejectedError(error.reason, str(error), positions.of(group)))
            continue
        found.invalid.extend(_invalid_values(group))
        for part, features in [(group, None)] if bare else _with_columns(group):
            named = None if features is None else _with_names(features, found.invalid)
            ids = read_ids([e.id for e in part], found.invalid)
            columns = Rows(
                key,
                times([e.timestamp for e in part], now),
                floats([e.latency_ms for e in part]),
                encoded([e.y_pred for e in part], numbers=True),
                scores([e.y_proba for e in part]),
                named,
                ids,
                [e.y_proba for e in part] if ids else None,
            )
            found.groups.append((columns, part))
    return found


def _invalid_values(events: list[Line]) -> Iterator[InvalidValues]:
    """Yield the invalid values of events; features beyond the limit are removed from them."""
    for event in events:
        if type(event) is LenientLine:
            yield from event.invalid_values
        if event.features is not None and len(event.features) > MAX_FEATURES:
            yield _too_many_features(len(event.features), len(event.features) - MAX_FEATURES)
            event.features = dict(islice(event.features.items(), MAX_FEATURES))


def _with_names(
    features: Mapping[str, Column], invalid: list[InvalidValues]
) -> Mapping[str, Column]:
    """Return the features whose names are valid; adds the values of all others to `invalid`."""
    wrong = [name for name in features if not is_name(name)]
    if not wrong:
        return features
    values = sum(value is not None for name in wrong for value in features[name])
    text = (
        f"found a feature's name {wrong[0][:MAX_NAME_LENGTH]!r},"
        f" expected 1 to {MAX_NAME_LENGTH} printable characters"
    )
    invalid.append(InvalidValues(Reason.BAD_FEATURE_NAME, text, values))
    return {name: values for name, values in features.items() if is_name(name)}


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


def rows_of_batch(line: Line, batch: Batch, now: float) -> tuple[Rows, list[InvalidValues]]:
    """Return the rows of a batch, and the invalid values in it.

    Args:
        line: the decoded line.
        batch: its columns.
        now: epoch seconds, the time of rows without a timestamp.

    Raises:
        RejectedError: no row of the batch can be counted.
    """
    lengths = batch.lengths()
    n = max(lengths, default=0)
    if len(lengths) > 1:
        found = ", ".join(map(str, lengths))
        raise RejectedError(
            Reason.UNEVEN_COLUMNS, f"columns of lengths {found}, expected one length", range(n)
        )
    if n > MAX_BATCH_ROWS:
        text = f"{n} rows in a batch, expected at most {MAX_BATCH_ROWS}"
        raise RejectedError(Reason.TOO_MANY_ROWS, text, range(n))
    try:
        key = model_key(line.project_id, line.model_id, line.endpoint)
    except RejectedError as error:
        raise RejectedError(error.reason, str(error), range(max(n, 1))) from None
    invalid = list(line.invalid_values) if isinstance(line, LenientLine) else []
    named: Mapping[str, Column] | None = None
    if batch.features is not None:
        features = batch.features
        if len(features) > MAX_FEATURES:
            left_out = len(features) - MAX_FEATURES
            invalid.append(_too_many_features(len(features), left_out * n))
            features = dict(islice(features.items(), MAX_FEATURES))
        named = {name: encoded(values) for name, values in _with_names(features, invalid).items()}
    ids = None if batch.id is None else read_ids(batch.id, invalid)
    rows = Rows(
        key,
        np.full(n, now) if batch.timestamp is None else times(batch.timestamp, now),
        np.full(n, np.nan) if batch.latency_ms is None else floats(batch.latency_ms),
        [None] * n if batch.y_pred is None else encoded(batch.y_pred, numbers=True),
        np.full(n, np.nan) if batch.y_proba is None else scores(batch.y_proba),
        named,
        ids,
        batch.y_proba if ids else None,
    )
    return rows, invalid


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


def _too_many_features(found: int, left_out: int) -> InvalidValues:
    text = f"{found} features, expected at most {MAX_FEATURES}; the last ones are left out"
    return InvalidValues(Reason.TOO_MANY_FEATURES, text, left_out)


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
