"""Registry of all models: it accumulates rows, hands over deltas, and updates the views."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from mlguard_sidecar.models.accumulator import ModelAccumulator
from mlguard_sidecar.models.clients import ClientNumbers
from mlguard_sidecar.models.delta import Counters, Delta, ModelDelta
from mlguard_sidecar.models.learning import log_learnt
from mlguard_sidecar.models.places import OTHER_MODEL, Places
from mlguard_sidecar.models.schema import Schema
from mlguard_sidecar.models.view import ModelView
from mlguard_sidecar.models.waiting import WaitingRows
from mlguard_sidecar.wire import Reason, identified

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mlguard_sidecar.models.accumulator import AccumulationSettings
    from mlguard_sidecar.models.kept_answer import KeptAnswer
    from mlguard_sidecar.models.stored import StoredModel
    from mlguard_sidecar.wire import ModelKey, OutcomeRow, Rows

MAX_PENDING_BYTES = 8 << 20
"""Size of the panes of a delta, in bytes, from which it should be committed at once."""

log = logging.getLogger(__name__)


class ModelRegistry:
    """Counts the events of all models. Not thread-safe: only the event loop may use it.

    Rows wait until they are folded into the pending delta. They count once the delta is committed:
    `views`, `last_committed` and `counters` always agree with the database.

    Args:
        settings_of: returns the accumulation settings of a model.
        model_limit: returns the maximum number of models counted by name.
        recall: returns the stored state of a model that has retired, None if there is none.
        clock: epoch seconds.

    Attributes:
        views: committed state of each model.
        counters: committed counters of the sidecar.
        settings_of: returns the accumulation settings of a model.
        pending_rows: number of rows added since the last delta was closed.
    """

    def __init__(
        self,
        *,
        settings_of: Callable[[ModelKey], AccumulationSettings],
        model_limit: Callable[[], int],
        recall: Callable[[ModelKey], StoredModel | None],
        clock: Callable[[], float],
    ) -> None:
        self.views: dict[ModelKey, ModelView] = {}
        self.counters = Counters()
        self.pending_rows = 0
        self.settings_of = settings_of
        self._places = Places(model_limit, clock)
        self._recall = recall
        self.clock = clock
        self._accumulators: dict[ModelKey, ModelAccumulator] = {}
        self._waiting = WaitingRows()
        self._pending_bytes = 0
        self._clients = ClientNumbers()
        self._pending = Delta()

    @property
    def last_committed(self) -> dict[str, int]:
        """Client -> number of its last committed batch."""
        return self._clients.committed

    def restore(
        self,
        models: Mapping[ModelKey, StoredModel],
        last_committed: Mapping[str, int],
        counters: Counters,
        retired: Collection[ModelKey] = (),
    ) -> None:
        """Restore the state of the last process."""
        self._places.retired = set(retired)
        self._clients.restore(last_committed)
        self.counters.counts.update(counters.counts)
        for key, model in models.items():
            self._restore(key, model)
        self.apply_settings()

    def _restore(self, key: ModelKey, model: StoredModel) -> ModelAccumulator:
        self.views[key] = model.view
        accumulator = self._accumulators[key] = ModelAccumulator(
            self.settings_of(key), model.view.schema, model.training_rows, model.last_event
        )
        return accumulator

    def apply_settings(self) -> None:
        """Apply the settings of a changed configuration."""
        self._places.limit_changed()
        for key, accumulator in self._accumulators.items():
            accumulator.settings = self.settings_of(key)
            self._apply_settings(key, accumulator)

    def _apply_settings(self, key: ModelKey, accumulator: ModelAccumulator) -> None:
        gained = self._pending.models.get(key) or ModelDelta(accumulator.schema)
        before = accumulator.schema
        done = accumulator.apply_settings(gained, self.clock())
        if accumulator.schema is not before:
            gained.schema = accumulator.schema
            self._pending.models[key] = gained
        if done:
            log.warning("%s: %s", "/".join(key), done)

    def accumulator(self, key: ModelKey, *, begin: bool = False) -> ModelAccumulator | None:
        """Return the accumulator of a model; None if there is none, or if there is no place.

        Args:
            key: key of the model.
            begin: whether to begin a model that is new, or recall one that has retired.
        """
        return self._accumulator_of(key) if begin else self._accumulators.get(key)

    def changes(self, key: ModelKey, accumulator: ModelAccumulator) -> ModelDelta:
        """Return the pending changes of a model, after all rows that wait; they may be changed."""
        self._fold()
        return self._pending_of(key, accumulator)

    # pending

    @property
    def delta_number(self) -> int:
        """Number of the pending delta."""
        return self._pending.number

    @property
    def is_full(self) -> bool:
        """Whether the pending delta should be committed at once."""
        return self._pending_bytes > MAX_PENDING_BYTES

    @property
    def is_congested(self) -> bool:
        """Whether the pending delta is so large that nothing should be added before its commit."""
        return self._pending_bytes > 2 * MAX_PENDING_BYTES

    def pending_events(self) -> Counter[str]:
        """Return source -> number of events that are not yet in a closed delta."""
        return self._pending.events_by_source() + self._waiting.events()

    def is_new(self, client: str, seq: int) -> bool:
        """Return whether a batch is new, and record its number."""
        if not self._clients.is_new(client, seq):
            return False
        self._pending.sequences[client] = seq
        return True

    def keep_answer(self, answer: KeptAnswer) -> None:
        """Keep the answer to a request with the events of the pending delta."""
        self._pending.answers.append(answer)

    def count(self, n: int, *name: str) -> None:
        """Add n to a counter, given its name and label values, in the pending delta."""
        self._pending.counters.add(n, *name)

    def add(self, rows: Rows, source: str, size: int) -> ModelKey:
        """Add valid rows; the key of the model that they count for.

        Args:
            rows: at least one row, of one model.
            source: protocol of the rows, a value of the label `source`.
            size: size of the rows on the wire, in bytes.
        """
        self.pending_rows += len(rows)
        accumulator = self._accumulator_of(rows.key)
        if accumulator is None:  # beyond the limit: its traffic is counted as __other__
            self.count(len(rows), "series_overflow", "model")
            rows = rows.traffic_only(OTHER_MODEL)
            accumulator = self._accumulators.get(OTHER_MODEL) or self._begin(OTHER_MODEL)
        accumulator.last_event = self.clock()
        if rows.ids is not None:
            pending = accumulator.outcomes_in(self._pending_of(rows.key, accumulator))
            self._pending_bytes += pending.add_predictions(identified(rows))
            rows = replace(rows, ids=None, probas=None)
        rows = accumulator.admitted(rows, self._pending.counters)
        self._waiting.add(rows, source, len(accumulator.schema.layout.columns), size)
        if self._waiting.is_full:
            self._fold()
        return rows.key

    def add_outcomes(
        self, key: ModelKey, rows: Sequence[OutcomeRow], source: str, size: int
    ) -> bool:
        """Add outcomes; false if there is no such model, and no prediction that begins it.

        Args:
            key: key of the model.
            rows: at least one outcome.
            source: protocol of the outcomes, a value of the label `source`.
            size: size of the outcomes on the wire, in bytes.
        """
        is_known = key in self._accumulators or key in self._places.retired
        if key == OTHER_MODEL or not (is_known or any(row.y_pred is not None for row in rows)):
            return False
        accumulator = self._accumulator_of(key)
        if accumulator is not None:
            self.pending_rows += len(rows)
            accumulator.last_event = self.clock()
            pending = accumulator.outcomes_in(self._pending_of(key, accumulator))
            self._pending_bytes += pending.add_outcomes(rows, source) + size
        return accumulator is not None

    def _pending_of(self, key: ModelKey, accumulator: ModelAccumulator) -> ModelDelta:
        return self._pending.models.setdefault(key, ModelDelta(accumulator.schema))

    def _fold(self) -> None:
        """Fold all waiting rows into the pending delta."""
        now = self.clock()
        for key, parts in self._waiting.take():
            self._fold_model(key, parts, now)

    def _fold_model(self, key: ModelKey, parts: list[tuple[Rows, str]], now: float) -> None:
        accumulator = self._accumulators.get(key) or self._begin(key)
        counters = self._pending.counters
        known = self._pending.models.get(key)
        gained = known.copy() if known else ModelDelta(accumulator.schema)
        schema, training_rows = accumulator.schema, list(accumulator.training_rows)
        try:
            accumulator.fold([rows for rows, _ in parts], gained, counters, now)
        except Exception:  # a bug must affect these rows only, and must be visible
            log.exception("events of %s cannot be counted", "/".join(key))
            accumulator.schema, accumulator.training_rows = schema, training_rows
            self._pending.faulty.add(key)
            for rows, source in parts:
                counters.add(len(rows), "events_rejected", source, Reason.INTERNAL)
            return
        if accumulator.schema.baseline is not schema.baseline:
            log_learnt("/".join(key), accumulator.schema.baseline)
        self._pending.models[key] = gained
        self._pending_bytes += gained.size() - (known.size() if known else 0)
        for rows, source in parts:
            gained.events[source] += len(rows)
            counters.add(len(rows), "events_committed", source)

    def _accumulator_of(self, key: ModelKey) -> ModelAccumulator | None:
        """Return the accumulator of a model; None if there are too many models."""
        accumulator = self._accumulators.get(key)
        if accumulator is not None:
            return accumulator
        while self._places.are_full(self._accumulators):
            if not self._retire_one():
                return None
        if key not in self._places.retired:
            return self._begin(key)
        self._places.retired.discard(key)
        self._pending.retired.discard(key)
        known = self._recall(key)
        if known is None:
            return self._begin(key)
        accumulator = self._restore(key, known)
        self._apply_settings(key, accumulator)
        return accumulator

    def _retire_one(self) -> bool:
        """Retire the model that has been silent the longest, at least a day, if there is one."""
        key = self._places.next_to_retire(self._last_events)
        if key is None:
            return False
        del self._accumulators[key]
        self.views.pop(key, None)
        self._pending.retired.add(key)
        self._places.retired.add(key)
        self.count(1, "models_retired")
        log.info("%s gives its place to another model, after a day without events", "/".join(key))
        return True

    def last_event(self, key: ModelKey) -> float | None:
        """Return when events of a model came last, epoch seconds; None if it is not known."""
        found = self._accumulators.get(key)
        return found.last_event or None if found is not None else None

    def _last_events(self) -> dict[ModelKey, float]:
        """Return when events of each model that may retire came last, epoch seconds."""
        in_use = {OTHER_MODEL, *self.models_with_pending_events()}
        return {k: a.last_event for k, a in self._accumulators.items() if k not in in_use}

    def _begin(self, key: ModelKey) -> ModelAccumulator:
        accumulator = self._accumulators[key] = ModelAccumulator(self.settings_of(key), Schema())
        accumulator.apply_settings(ModelDelta(accumulator.schema), self.clock())
        return accumulator

    def close_delta(self) -> Delta:
        """Fold all waiting rows and return the pending delta; a new one begins."""
        self._fold()
        closed, self._pending = self._pending, Delta(self._pending.number + 1)
        self.pending_rows = self._pending_bytes = 0
        return replace(closed, now=self.clock())

    # committed

    def apply(self, delta: Delta) -> None:
        """Apply a committed delta to the views."""
        for key, gained in delta.models.items():
            if key not in self._accumulators:  # it has retired, or was forgotten, meanwhile
                continue
            view = self.views.setdefault(key, ModelView(key, gained.first_seen(delta.now)))
            view.apply(gained)
        for key, lost in delta.unstored.items():
            accumulator = self._accumulators.get(key)
            if accumulator is not None and (lost.training_restarted or lost.baseline_built):
                self._pending_of(key, accumulator).repeat_deletions(lost)
        self.last_committed.update(delta.sequences)
        self.counters.counts.update(delta.counters.counts)

    def models_with_pending_events(self) -> set[ModelKey]:
        """Return the models of which events are not yet committed."""
        return self._waiting.models() | self._pending.models.keys()

    def forget_models(self, keys: Sequence[ModelKey]) -> None:
        """Forget models that the database deleted; one of which events wait goes on."""
        waiting = self.models_with_pending_events()
        for key in keys:
            self.views.pop(key, None)
            self._places.retired.discard(key)
            if key not in waiting:
                self._accumulators.pop(key, None)
            self.count(1, "models_forgotten")

    def erase(self, key: ModelKey) -> None:
        """Erase a model that the database deleted; events that wait begin it as a new one."""
        self.views.pop(key, None)
        self._places.retired.discard(key)
        if key in self._pending.models:
            self._pending.reject_model(key, Reason.INTERNAL)
            del self._pending.unstored[key]  # of the erased model, not of the next one
        self._accumulators.pop(key, None)
        if key in self._waiting.models():
            self._begin(key)

    def forget_clients(self, clients: Sequence[str]) -> None:
        """Forget clients that the database deleted, unless a batch of theirs is pending."""
        self._clients.forget(clients)
