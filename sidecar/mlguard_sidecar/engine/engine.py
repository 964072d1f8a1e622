"""All models: rows in on the pending side, deltas out, committed deltas into the views."""

from __future__ import annotations

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

_OTHER_MODEL = ModelKey(OTHER, OTHER, OTHER)


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
        model_limit: int,
    ) -> None:
        self.views: dict[ModelKey, ModelView] = {}
        self.durable: dict[str, int] = {}
        self.tally = Tally()
        self._plan_of = plan_of
        self._clock = clock
        self._keep_seconds = keep_seconds
        self._model_limit = model_limit
        self._learners: dict[ModelKey, Learner] = {}
        self._waiting: defaultdict[ModelKey, list[Rows]] = defaultdict(list)
        self._waiting_values = 0
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
            gained = ModelDelta(learner.schema)
            if learner.adopt_given(self._pending.models.get(key, gained)):
                self._pending.models.setdefault(key, gained)

    def pending_events(self) -> Counter[str]:
        """Events by source that are taken in, and not yet in a closed delta."""
        return self._pending.events_by_source()

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
            self._pending.tally.add(len(rows), "events_committed", source)
            self._waiting[rows.key].append(rows)
            self._waiting_values += len(rows) * (4 + len(rows.features or ()))
            if self._waiting_values > FOLD_VALUES:
                self._fold()
        return refused

    def _fold(self) -> None:
        """Turn what waits into panes."""
        now = self._clock()
        for key, parts in self._waiting.items():
            learner = self._learner(key)
            if learner is None:  # beyond the limit: its traffic counts, under one name
                learner = self._learner(_OTHER_MODEL)
                assert learner is not None  # noqa: S101 - made outside the limit
                rows = sum(map(len, parts))
                self._pending.tally.add(rows, "series_overflow", "model")
                parts = [_without_content(part) for part in parts]  # noqa: PLW2901
                key = _OTHER_MODEL  # noqa: PLW2901
            gained = self._pending.models.setdefault(key, ModelDelta(learner.schema))
            learner.fold(parts, gained, self._pending.tally, now)
        self._waiting.clear()
        self._waiting_values = 0

    def _learner(self, key: ModelKey) -> Learner | None:
        learner = self._learners.get(key)
        if learner is None:
            named = len(self._learners) - (_OTHER_MODEL in self._learners)
            if named >= self._model_limit and key != _OTHER_MODEL:
                return None
            learner = self._learners[key] = Learner(self._plan_of(key), Schema())
            learner.adopt_given(ModelDelta(learner.schema))
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
            view = self.views.setdefault(key, ModelView(key, delta.now))
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
