"""Registry of all models: it accumulates rows, hands over deltas, and updates the views."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from mlguard_sidecar.histogram import OTHER
from mlguard_sidecar.models.accumulator import ModelAccumulator
from mlguard_sidecar.models.delta import Counters, Delta, ModelDelta
from mlguard_sidecar.models.learning import LearnAgainError, log_learnt
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.models.schema import Schema
from mlguard_sidecar.models.view import ModelView
from mlguard_sidecar.wire import ModelKey, Reason, Rows, identified

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mlguard_sidecar.models.accumulator import AccumulationSettings
    from mlguard_sidecar.models.stored import StoredModel
    from mlguard_sidecar.wire import OutcomeRow

MAX_WAITING_VALUES = 1 << 16
"""Number of values that may wait, as Python objects, before they are folded."""

MAX_WAITING_BYTES = 4 << 20
"""Size of waiting rows on the wire, in bytes, from which they are folded."""

MAX_PENDING_BYTES = 8 << 20
"""Size of the panes of a delta, in bytes, from which it should be committed at once."""

RETIREMENT_SECONDS = DAY_SECONDS
"""Seconds without events from which a model may give its place to another one."""

_OTHER_MODEL = ModelKey(OTHER, OTHER, OTHER)

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
        last_committed: client -> number of its last committed batch.
        counters: committed counters of the sidecar.
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
        self.last_committed: dict[str, int] = {}
        self.counters = Counters()
        self.pending_rows = 0
        self._settings_of = settings_of
        self._model_limit = model_limit
        self._recall = recall
        self._retired: set[ModelKey] = set()
        self._full_until = 0.0
        self._clock = clock
        self._accumulators: dict[ModelKey, ModelAccumulator] = {}
        self._waiting: defaultdict[ModelKey, list[tuple[Rows, str]]] = defaultdict(list)
        self._waiting_values = 0
        self._waiting_bytes = 0
        self._pending_bytes = 0
        self._received: dict[str, int] = {}
        self._pending = Delta()

    def restore(
        self,
        models: Mapping[ModelKey, StoredModel],
        last_committed: Mapping[str, int],
        counters: Counters,
        retired: Collection[ModelKey] = (),
    ) -> None:
        """Restore the state of the last process."""
        self._retired = set(retired)
        self.last_committed = dict(last_committed)
        self._received = dict(last_committed)
        self.counters.counts.update(counters.counts)
        for key, model in models.items():
            self._restore(key, model)
        self.apply_settings()

    def _restore(self, key: ModelKey, model: StoredModel) -> ModelAccumulator:
        self.views[key] = model.view
        accumulator = self._accumulators[key] = ModelAccumulator(
            self._settings_of(key), model.view.schema, model.training_rows, model.last_event
        )
        return accumulator

    def apply_settings(self) -> None:
        """Apply the settings of a changed configuration."""
        self._full_until = 0.0
        for key, accumulator in self._accumulators.items():
            accumulator.settings = self._settings_of(key)
            self._apply_settings(key, accumulator)

    def _apply_settings(self, key: ModelKey, accumulator: ModelAccumulator) -> None:
        gained = self._pending.models.get(key) or ModelDelta(accumulator.schema)
        before = accumulator.schema
        done = accumulator.apply_settings(gained, self._clock())
        if accumulator.schema is not before:
            gained.schema = accumulator.schema
            self._pending.models[key] = gained
        if done:
            log.warning("%s: %s", "/".join(key), done)

    def learn_again(self, key: ModelKey) -> int:
        """Learn the baseline of a model again; the present one stays in use until then.

        Returns:
            The number of events from which it is learnt.

        Raises:
            LearnAgainError: there is no such model, or its baseline is not learnt.
        """
        accumulator = self._accumulators.get(key)
        if accumulator is None or key == _OTHER_MODEL:
            raise LearnAgainError(f"found no model {'/'.join(key)}")
        settings = accumulator.settings
        if settings.baseline is not None:
            raise LearnAgainError(
                f"the baseline of {'/'.join(key)} comes from a configured file, baseline.file"
            )
        if not settings.events:
            raise LearnAgainError(f"baseline.events is 0 for {'/'.join(key)}: nothing is learnt")
        self._fold()
        accumulator.learn_again(self._pending_of(key, accumulator), is_requested=True)
        return settings.events

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
        events = self._pending.events_by_source()
        for parts in self._waiting.values():
            for rows, source in parts:
                events[source] += len(rows)
        return events

    def is_new(self, client: str, seq: int) -> bool:
        """Return whether a batch is new, and record its number."""
        if seq <= self._received.get(client, 0):
            return False
        self._received[client] = self._pending.sequences[client] = seq
        return True

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
            rows = rows.traffic_only(_OTHER_MODEL)
            accumulator = self._accumulators.get(_OTHER_MODEL) or self._begin(_OTHER_MODEL)
        accumulator.last_event = self._clock()
        if rows.ids is not None:
            pending = accumulator.outcomes_in(self._pending_of(rows.key, accumulator))
            self._pending_bytes += pending.add_predictions(identified(rows))
            rows = replace(rows, ids=None, probas=None)
        rows = accumulator.admitted(rows, self._pending.counters)
        self._waiting[rows.key].append((rows, source))
        self._waiting_values += len(rows) * (4 + len(accumulator.schema.layout.columns))
        self._waiting_bytes += size
        if self._waiting_values > MAX_WAITING_VALUES or self._waiting_bytes > MAX_WAITING_BYTES:
            self._fold()
        return rows.key

    def add_outcomes(self, key: ModelKey, rows: Sequence[OutcomeRow], source: str) -> bool:
        """Add outcomes; false if there is no such model, and no prediction that begins it."""
        is_known = key in self._accumulators or key in self._retired
        if key == _OTHER_MODEL or not (is_known or any(row.y_pred is not None for row in rows)):
            return False
        accumulator = self._accumulator_of(key)
        if accumulator is not None:
            self.pending_rows += len(rows)
            pending = accumulator.outcomes_in(self._pending_of(key, accumulator))
            self._pending_bytes += pending.add_outcomes(rows, source)
        return accumulator is not None

    def _pending_of(self, key: ModelKey, accumulator: ModelAccumulator) -> ModelDelta:
        return self._pending.models.setdefault(key, ModelDelta(accumulator.schema))

    def _fold(self) -> None:
        """Fold all waiting rows into the pending delta."""
        while self._waiting:
            key = next(iter(self._waiting))
            self._fold_model(key, self._waiting.pop(key), self._clock())
        self._waiting_values = self._waiting_bytes = 0

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
            log_learnt(key, accumulator.schema.baseline)
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
        while len(self._accumulators) - (_OTHER_MODEL in self._accumulators) >= self._model_limit():
            if not self._retire_one():
                return None
        if key not in self._retired:
            return self._begin(key)
        self._retired.discard(key)
        self._pending.retired.discard(key)
        known = self._recall(key)
        if known is None:
            return self._begin(key)
        accumulator = self._restore(key, known)
        self._apply_settings(key, accumulator)
        return accumulator

    def _retire_one(self) -> bool:
        """Retire the model that has been silent the longest, at least a day, if there is one."""
        now = self._clock()
        if now < self._full_until:
            return False
        in_use = {_OTHER_MODEL, *self.models_with_pending_events()}
        last = {k: a.last_event for k, a in self._accumulators.items() if k not in in_use}
        key = min(last, key=last.__getitem__, default=None)
        if key is None or now - last[key] < RETIREMENT_SECONDS:
            self._full_until = now if key is None else last[key] + RETIREMENT_SECONDS
            return False
        del self._accumulators[key]
        self.views.pop(key, None)
        self._pending.retired.add(key)
        self._retired.add(key)
        self.count(1, "models_retired")
        log.info("%s gives its place to another model, after a day without events", "/".join(key))
        return True

    def _begin(self, key: ModelKey) -> ModelAccumulator:
        accumulator = self._accumulators[key] = ModelAccumulator(self._settings_of(key), Schema())
        accumulator.apply_settings(ModelDelta(accumulator.schema), self._clock())
        return accumulator

    def close_delta(self) -> Delta:
        """Fold all waiting rows and return the pending delta; a new one begins."""
        self._fold()
        closed, self._pending = self._pending, Delta(self._pending.number + 1)
        self.pending_rows = self._pending_bytes = 0
        return replace(closed, now=self._clock())

    # committed

    def apply(self, delta: Delta) -> None:
        """Apply a committed delta to the views."""
        for key, gained in delta.models.items():
            if key not in self._accumulators:  # it has retired, or was forgotten, meanwhile
                continue
            view = self.views.setdefault(key, ModelView(key, gained.first_seen(delta.now)))
            view.apply(gained)
        self.last_committed.update(delta.sequences)
        self.counters.counts.update(delta.counters.counts)

    def models_with_pending_events(self) -> set[ModelKey]:
        """Return the models of which events are not yet committed."""
        return {*self._waiting, *self._pending.models}

    def forget_models(self, keys: Sequence[ModelKey]) -> None:
        """Forget models that the database deleted; one of which events wait goes on."""
        waiting = self.models_with_pending_events()
        for key in keys:
            self.views.pop(key, None)
            self._retired.discard(key)
            if key not in waiting:
                self._accumulators.pop(key, None)
            self.count(1, "models_forgotten")

    def erase(self, key: ModelKey) -> None:
        """Erase a model that the database deleted; events that wait begin it as a new one."""
        if key in self._pending.models:
            self._pending.reject_model(key, Reason.INTERNAL)
        self.views.pop(key, None)
        self._accumulators.pop(key, None)
        self._retired.discard(key)
        if key in self._waiting:
            self._begin(key)

    def forget_clients(self, clients: Sequence[str]) -> None:
        """Forget clients that the database deleted, unless a batch of theirs is pending."""
        for client in clients:
            committed = self.last_committed.pop(client, 0)
            if self._received.get(client, 0) <= committed:
                self._received.pop(client, None)
