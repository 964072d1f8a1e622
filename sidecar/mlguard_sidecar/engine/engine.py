"""All models: rows in on the pending side, deltas out, committed deltas into the views."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.engine.delta import Delta, ModelDelta, Tally
from mlguard_sidecar.engine.learner import Learner
from mlguard_sidecar.engine.schema import Schema
from mlguard_sidecar.engine.view import ModelView
from mlguard_sidecar.histogram import OTHER
from mlguard_sidecar.wire import (
    Line,
    ModelKey,
    Reason,
    Refused,
    Rows,
    checked,
    rows_of_batch,
    rows_of_events,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlguard_sidecar.engine.learner import Plan

FOLD_VALUES = 1 << 16
"""How many values may wait, as Python objects, before they are folded."""

FOLD_BYTES = 4 << 20
"""How many bytes of lines these may have come in."""

_OTHER_MODEL = ModelKey(OTHER, OTHER, OTHER)

log = logging.getLogger(__name__)


class Engine:
    """Counts events. Not thread-safe: it lives on the event loop.

    Events wait as rows, are folded into the pending delta, and count only when that is committed:
    `views`, `durable` and `tally` always say what the database says.

    Attributes:
        views: the committed figures of each model.
        durable: client -> the last batch that is committed.
        tally: the sidecar's own committed counts.
    """

    def __init__(
        self,
        *,
        plan_of: Callable[[ModelKey], Plan],
        clock: Callable[[], float],
        keep_seconds: float,
        model_limit: Callable[[], int],
    ) -> None:
        self.views: dict[ModelKey, ModelView] = {}
        self.durable: dict[str, int] = {}
        self.tally = Tally()
        self._plan_of = plan_of
        self._clock = clock
        self._keep_seconds = keep_seconds
        self._model_limit = model_limit
        self._learners: dict[ModelKey, Learner] = {}
        self._waiting: defaultdict[ModelKey, list[tuple[Rows, str]]] = defaultdict(list)
        self._waiting_values = 0
        self._waiting_bytes = 0
        self._seen: dict[str, int] = {}
        self._pending = Delta()

    def restore(
        self,
        views: Mapping[ModelKey, ModelView],
        lessons: Mapping[ModelKey, list[Rows]],
        durable: Mapping[str, int],
        tally: Tally,
    ) -> None:
        """Begin where the last process ended."""
        self.views = dict(views)
        self.durable = dict(durable)
        self._seen = dict(durable)
        self.tally = tally
        for key, view in views.items():
            self._learners[key] = Learner(self._plan_of(key), view.schema, lessons[key])
        self.replan()

    def replan(self) -> None:
        """Use the plans of a changed configuration."""
        for key, learner in self._learners.items():
            learner.plan = self._plan_of(key)
            gained = self._pending.models.get(key) or ModelDelta(learner.schema)
            if learner.adopt_given(gained, self._clock()):
                self._pending.models[key] = gained

    def pending_events(self) -> Counter[str]:
        """Events by source that are taken in, and not yet in a closed delta."""
        events = self._pending.events_by_source()
        for parts in self._waiting.values():
            for rows, source in parts:
                events[source] += len(rows)
        return events

    def expect(self, size: int) -> None:
        """Know how many bytes of lines the next events come in."""
        self._waiting_bytes += size

    def take_events(self, events: Sequence[Line], source: str) -> list[Refused]:
        """Take events of any models; those refused are counted and told."""
        now = self._clock()
        rows, refused = rows_of_events(events, now)
        for refusal in refused:
            self.reject(refusal, source)
        for part in rows:
            refused += self._take(part, now, source)
        return refused

    def take_batch(self, line: Line, source: str, client: str | None = None) -> list[Refused]:
        """Take a batch, once.

        Args:
            line: with columns.
            source: where it came from.
            client: who numbers it; None where the batch has no number.

        Returns:
            What was refused; nothing for a batch that was taken before.
        """
        assert line.columns is not None  # noqa: S101 - the caller looked
        if client is not None and line.seq is not None:
            if line.seq <= self._seen.get(client, 0):
                self._pending.tally.add(1, "duplicate_batches", source)
                return []
            self._seen[client] = self._pending.sequences[client] = line.seq
        now = self._clock()
        try:
            rows = rows_of_batch(line, line.columns, now)
        except Refused as refusal:
            self.reject(refusal, source)
            return [refusal]
        return self._take(rows, now, source) if len(rows) else []

    def reject(self, refusal: Refused, source: str) -> None:
        """Count what is refused."""
        self._pending.tally.add(refusal.rows, "events_rejected", source, refusal.reason)

    def report_dropped(self, n: int, source: str) -> None:
        """Count what a client says that it had to drop."""
        self._pending.tally.add(n, "client_dropped_events", source)

    def _take(self, rows: Rows, now: float, source: str) -> list[Refused]:
        rows, refused = checked(rows, now, now - self._keep_seconds)
        for refusal in refused:
            self.reject(refusal, source)
        if len(rows):
            learner = self._learner_of(rows.key)
            if learner is None:  # beyond the limit: its traffic counts, under one name
                self._pending.tally.add(len(rows), "series_overflow", "model")
                rows = _without_content(rows)
                learner = self._learners.setdefault(_OTHER_MODEL, self._new_learner(_OTHER_MODEL))
            rows = learner.admitted(rows, self._pending.tally)
            self._waiting[rows.key].append((rows, source))
            self._waiting_values += len(rows) * (4 + len(learner.schema.layout.columns))
            if self._waiting_values > FOLD_VALUES or self._waiting_bytes > FOLD_BYTES:
                self._fold()
        return refused

    def _fold(self) -> None:
        """Turn what waits into panes."""
        now = self._clock()
        while self._waiting:
            key = next(iter(self._waiting))
            self._fold_model(key, self._waiting.pop(key), now)
        self._waiting_values = self._waiting_bytes = 0

    def _fold_model(self, key: ModelKey, parts: list[tuple[Rows, str]], now: float) -> None:
        learner, tally = self._learners[key], self._pending.tally
        known = self._pending.models.get(key)
        gained = known.copy() if known else ModelDelta(learner.schema)
        schema, lesson = learner.schema, list(learner.lesson)
        try:
            learner.fold([rows for rows, _ in parts], gained, tally, now)
        except Exception:  # a fault of ours must cost these rows alone, and be seen
            log.exception("events of %s cannot be counted", "/".join(key))
            learner.schema, learner.lesson = schema, lesson
            for rows, source in parts:
                self.reject(Refused(Reason.INTERNAL, "", len(rows)), source)
            return
        self._pending.models[key] = gained
        for rows, source in parts:
            gained.events[source] += len(rows)
            tally.add(len(rows), "events_committed", source)

    def _learner_of(self, key: ModelKey) -> Learner | None:
        """What counts a model; None where there are too many already."""
        learner = self._learners.get(key)
        if learner is None:
            named = len(self._learners) - (_OTHER_MODEL in self._learners)
            if named >= self._model_limit():
                return None
            learner = self._learners[key] = self._new_learner(key)
        return learner

    def _new_learner(self, key: ModelKey) -> Learner:
        learner = Learner(self._plan_of(key), Schema())
        learner.adopt_given(ModelDelta(learner.schema), self._clock())
        return learner

    def close_delta(self) -> Delta:
        """Fold all that waits and hand over the pending delta; a new one begins."""
        self._fold()
        closed = self._pending
        self._pending = Delta()
        return Delta(self._clock(), closed.models, closed.sequences, closed.tally)

    def committed(self, delta: Delta) -> list[ModelView]:
        """Take a delta that is committed into the views.

        Returns:
            Views whose windows must be read anew: the model is new, or its baseline changed.
        """
        stale = []
        for key, gained in delta.models.items():
            new = key not in self.views
            view = self.views.setdefault(key, ModelView(key, gained.first_seen(delta.now)))
            if view.apply(gained) or new:
                stale.append(view)
        self.durable.update(delta.sequences)
        self.tally.counts.update(delta.tally.counts)
        return stale

    def forget(self, clients: Sequence[str]) -> None:
        """Forget clients that the database forgot."""
        for client in clients:
            self.durable.pop(client, None)
            self._seen.pop(client, None)


def _without_content(rows: Rows) -> Rows:
    """Only the traffic: predictions of different models are not comparable."""
    nothing = np.full(len(rows), np.nan)
    return Rows(_OTHER_MODEL, rows.times, rows.latency_ms, [None] * len(rows), nothing, None)
