"""All models: rows in on the pending side, deltas out, committed deltas into the views."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import OTHER
from mlguard_sidecar.models.accumulator import ModelAccumulator
from mlguard_sidecar.models.delta import Counters, Delta, ModelDelta
from mlguard_sidecar.models.schema import Schema
from mlguard_sidecar.models.view import ModelView
from mlguard_sidecar.wire import ModelKey, Reason, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlguard_sidecar.models.accumulator import AccumulationSettings

MAX_WAITING_VALUES = 1 << 16
"""How many values may wait, as Python objects, before they are folded."""

MAX_WAITING_BYTES = 4 << 20
"""How many bytes of lines these may have come in."""

MAX_PENDING_BYTES = 8 << 20
"""How much memory the panes of a delta may take before it should be committed."""

_OTHER_MODEL = ModelKey(OTHER, OTHER, OTHER)

log = logging.getLogger(__name__)


class ModelRegistry:
    """Counts the events of all models. Not thread-safe: it lives on the event loop.

    Rows wait, are folded into the pending delta, and count only when that is committed: `views`,
    `last_committed` and `counters` always say what the database says.

    Args:
        settings_of: how a model's events are counted.
        model_limit: how many models are counted by name.
        clock: epoch seconds.

    Attributes:
        views: the committed figures of each model.
        last_committed: client -> the last batch that is committed.
        counters: the sidecar's own committed counts.
        pending_rows: rows that were taken since the last delta was closed.
    """

    def __init__(
        self,
        *,
        settings_of: Callable[[ModelKey], AccumulationSettings],
        model_limit: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self.views: dict[ModelKey, ModelView] = {}
        self.last_committed: dict[str, int] = {}
        self.counters = Counters()
        self.pending_rows = 0
        self._settings_of = settings_of
        self._model_limit = model_limit
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
        views: Mapping[ModelKey, ModelView],
        training_rows: Mapping[ModelKey, list[Rows]],
        last_committed: Mapping[str, int],
        counters: Counters,
    ) -> None:
        """Begin where the last process ended."""
        self.views = dict(views)
        self.last_committed = dict(last_committed)
        self._received = dict(last_committed)
        self.counters.counts.update(counters.counts)
        for key, view in views.items():
            settings = self._settings_of(key)
            self._accumulators[key] = ModelAccumulator(settings, view.schema, training_rows[key])
        self.apply_settings()

    def apply_settings(self) -> None:
        """Use the settings of a changed configuration."""
        for key, accumulator in self._accumulators.items():
            accumulator.settings = self._settings_of(key)
            gained = self._pending.models.get(key) or ModelDelta(accumulator.schema)
            if accumulator.adopt_given(gained, self._clock()):
                self._pending.models[key] = gained

    # the pending side

    @property
    def delta_number(self) -> int:
        """The number of the delta that is pending."""
        return self._pending.number

    @property
    def is_full(self) -> bool:
        """Whether the pending delta takes much memory."""
        return self._pending_bytes > MAX_PENDING_BYTES

    @property
    def is_congested(self) -> bool:
        """Whether it takes so much that nothing more should be taken before a commit."""
        return self._pending_bytes > 2 * MAX_PENDING_BYTES

    def pending_events(self) -> Counter[str]:
        """Return events by source that are taken, and not yet in a closed delta."""
        events = self._pending.events_by_source()
        for parts in self._waiting.values():
            for rows, source in parts:
                events[source] += len(rows)
        return events

    def is_new(self, client: str, seq: int) -> bool:
        """Return whether a batch was not taken before, and note that it is now."""
        if seq <= self._received.get(client, 0):
            return False
        self._received[client] = self._pending.sequences[client] = seq
        return True

    def count(self, n: int, *name: str) -> None:
        """Count n more under a name and label values, to be committed with the next delta."""
        self._pending.counters.add(n, *name)

    def add(self, rows: Rows, source: str, size: int) -> ModelKey:
        """Take rows that can be counted; the model that they count for.

        Args:
            rows: at least one, of one model.
            source: where they came from.
            size: bytes that they came in.
        """
        self.pending_rows += len(rows)
        accumulator = self._accumulator_of(rows.key)
        if accumulator is None:  # beyond the limit: its traffic counts, under one name
            self.count(len(rows), "series_overflow", "model")
            rows = _without_content(rows)
            accumulator = self._accumulators.get(_OTHER_MODEL) or self._begin(_OTHER_MODEL)
        rows = accumulator.admitted(rows, self._pending.counters)
        self._waiting[rows.key].append((rows, source))
        self._waiting_values += len(rows) * (4 + len(accumulator.schema.layout.columns))
        self._waiting_bytes += size
        if self._waiting_values > MAX_WAITING_VALUES or self._waiting_bytes > MAX_WAITING_BYTES:
            self._fold()
        return rows.key

    def _fold(self) -> None:
        """Turn what waits into panes."""
        now = self._clock()
        while self._waiting:
            key = next(iter(self._waiting))
            self._fold_model(key, self._waiting.pop(key), now)
        self._waiting_values = self._waiting_bytes = 0

    def _fold_model(self, key: ModelKey, parts: list[tuple[Rows, str]], now: float) -> None:
        accumulator, counters = self._accumulators[key], self._pending.counters
        known = self._pending.models.get(key)
        gained = known.copy() if known else ModelDelta(accumulator.schema)
        schema, training_rows = accumulator.schema, list(accumulator.training_rows)
        try:
            accumulator.fold([rows for rows, _ in parts], gained, counters, now)
        except Exception:  # a fault of ours must cost these rows alone, and be seen
            log.exception("events of %s cannot be counted", "/".join(key))
            accumulator.schema, accumulator.training_rows = schema, training_rows
            self._pending.faulty.add(key)
            for rows, source in parts:
                counters.add(len(rows), "events_rejected", source, Reason.INTERNAL)
            return
        self._pending.models[key] = gained
        self._pending_bytes += gained.size() - (known.size() if known else 0)
        for rows, source in parts:
            gained.events[source] += len(rows)
            counters.add(len(rows), "events_committed", source)

    def _accumulator_of(self, key: ModelKey) -> ModelAccumulator | None:
        """Return what counts a model; None where there are too many already."""
        accumulator = self._accumulators.get(key)
        if accumulator is None:
            named = len(self._accumulators) - (_OTHER_MODEL in self._accumulators)
            if named >= self._model_limit():
                return None
            accumulator = self._begin(key)
        return accumulator

    def _begin(self, key: ModelKey) -> ModelAccumulator:
        accumulator = self._accumulators[key] = ModelAccumulator(self._settings_of(key), Schema())
        accumulator.adopt_given(ModelDelta(accumulator.schema), self._clock())
        return accumulator

    def close_delta(self) -> Delta:
        """Fold all that waits and hand over the pending delta; a new one begins."""
        self._fold()
        closed = self._pending
        self._pending = Delta(closed.number + 1)
        self.pending_rows = self._pending_bytes = 0
        return replace(closed, now=self._clock())

    # the committed side

    def apply(self, delta: Delta) -> None:
        """Add a delta that is committed to the views."""
        for key, gained in delta.models.items():
            view = self.views.setdefault(key, ModelView(key, gained.first_seen(delta.now)))
            view.apply(gained)
        self.last_committed.update(delta.sequences)
        self.counters.counts.update(delta.counters.counts)

    def forget_clients(self, clients: Sequence[str]) -> None:
        """Forget clients that the database forgot, but for those with a batch to commit."""
        for client in clients:
            committed = self.last_committed.pop(client, 0)
            if self._received.get(client, 0) <= committed:
                self._received.pop(client, None)


def _without_content(rows: Rows) -> Rows:
    """Return only the traffic: predictions of different models are not comparable."""
    nothing = np.full(len(rows), np.nan)
    return Rows(_OTHER_MODEL, rows.times, rows.latency_ms, [None] * len(rows), nothing, None)
