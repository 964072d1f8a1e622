"""Deltas: everything received since the last commit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from mlguard_sidecar.models.resolutions import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlguard_sidecar.histogram import Pane, Traffic
    from mlguard_sidecar.models.kept_answer import KeptAnswer
    from mlguard_sidecar.models.outcomes import PendingOutcomes
    from mlguard_sidecar.models.schema import Schema
    from mlguard_sidecar.wire import ModelKey, Rows


_VALUE_BYTES = 32
"""About what a value takes as a Python object."""


@dataclass(frozen=True)
class Counters:
    """Counters of the sidecar that survive restarts: name and label values -> count.

    The names are those of the metrics without `mlguard_sidecar_` and `_total`.
    """

    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def add(self, n: int, *name: str) -> None:
        """Add n to a counter, given its name and label values."""
        self.counts[name] += n

    def of(self, name: str) -> Iterator[tuple[tuple[str, ...], int]]:
        """Return label values and count of each series of a name."""
        return ((key[1:], n) for key, n in list(self.counts.items()) if key[0] == name)


class PaneKey(NamedTuple):
    """Resolution of a pane, and its start in epoch seconds."""

    resolution: int
    start: int


@dataclass
class ModelDelta:
    """Changes of one model.

    Attributes:
        schema: schema after these events.
        traffic: traffic panes.
        features: binning -> feature panes.
        training_rows: new rows to keep until the baseline is built.
        training_restarted: whether the training rows that are stored are not needed any more.
        baseline_built: whether a baseline was adopted, so that panes without one can be deleted.
        events: source -> number of events.
        outcomes: predictions with an ID, and outcomes; None if there are none.
    """

    schema: Schema
    traffic: dict[PaneKey, Traffic] = field(default_factory=dict)
    features: dict[str, dict[PaneKey, Pane]] = field(default_factory=dict)
    training_rows: list[Rows] = field(default_factory=list)
    training_restarted: bool = False
    baseline_built: bool = False
    events: Counter[str] = field(default_factory=Counter)
    outcomes: PendingOutcomes | None = None

    def first_seen(self, now: float) -> float:
        """Return the start of the earliest traffic pane, or `now` if that is earlier."""
        return min([now, *(float(key.start) for key in self.traffic)])

    def days(self) -> set[int]:
        """Return the starts of the UTC days that change, in epoch seconds."""
        keys = {*self.traffic}.union(*self.features.values())
        return {key.start // DAY_SECONDS * DAY_SECONDS for key in keys}

    def repeat_deletions(self, other: ModelDelta) -> None:
        """Delete also what a delta that was not stored would have deleted."""
        self.training_restarted |= other.training_restarted
        self.baseline_built |= other.baseline_built

    def copy(self) -> ModelDelta:
        """Return an independent copy."""
        features = {binning: dict(panes) for binning, panes in self.features.items()}
        return ModelDelta(
            self.schema,
            dict(self.traffic),
            features,
            list(self.training_rows),
            self.training_restarted,
            self.baseline_built,
            Counter(self.events),
            self.outcomes,
        )

    def size(self) -> int:
        """Return the approximate size of panes and training rows in memory, in bytes."""
        kept = sum(len(rows) * (3 + len(rows.features or ())) for rows in self.training_rows)
        sets = [{key: t.pane for key, t in self.traffic.items()}, *self.features.values()]
        return kept * _VALUE_BYTES + sum(
            len(panes) * next(pane.counts.nbytes + pane.moments.nbytes for pane in panes.values())
            for panes in sets
            if panes
        )

    def add_traffic(self, panes: dict[PaneKey, Traffic]) -> None:
        """Merge traffic panes into the delta."""
        for key, traffic in panes.items():
            known = self.traffic.get(key)
            self.traffic[key] = known.merged(traffic) if known else traffic

    def add_features(self, binning: str, panes: dict[PaneKey, Pane]) -> None:
        """Merge feature panes of a binning into the delta."""
        into = self.features.setdefault(binning, {})
        for key, pane in panes.items():
            known = into.get(key)
            into[key] = known.merged(pane) if known else pane


@dataclass(frozen=True)
class Delta:
    """Changes since the last commit; they are committed in one transaction.

    Attributes:
        number: number of the delta, from 1.
        now: when it was closed, epoch seconds.
        models: changes of each model.
        sequences: client -> number of its last batch in this delta.
        counters: increments of the sidecar's counters.
        faulty: models whose events were rejected because of an internal error.
        unstored: changes of models that were not stored because of such an error.
        retired: models that have given their place to others.
        answers: answers to requests whose events are in this delta, kept for repetitions.
    """

    number: int = 1
    now: float = 0.0
    models: dict[ModelKey, ModelDelta] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    faulty: set[ModelKey] = field(default_factory=set)
    unstored: dict[ModelKey, ModelDelta] = field(default_factory=dict)
    retired: set[ModelKey] = field(default_factory=set)
    answers: list[KeptAnswer] = field(default_factory=list)

    def __bool__(self) -> bool:
        counts = self.counters.counts
        return bool(self.models or self.sequences or counts or self.retired or self.answers)

    def answers_to_keep(self) -> list[KeptAnswer]:
        """Return the answers whose events were not rejected because of an internal error."""
        return [answer for answer in self.answers if not answer.models & self.faulty]

    def events_by_source(self) -> Counter[str]:
        """Return source -> number of events in this delta, counted or rejected."""
        events: Counter[str] = Counter()
        for name in ("events_committed", "events_rejected"):
            for (source, *_), n in self.counters.of(name):
                events[source] += n
        return events

    def reject_model(self, key: ModelKey, reason: str) -> None:
        """Count the events of a model as rejected, as they cannot be stored."""
        self.faulty.add(key)
        gained = self.unstored[key] = self.models.pop(key)
        for source, n in gained.events.items():
            self.counters.add(-n, "events_committed", source)
            self.counters.add(n, "events_rejected", source, reason)
        _reject_outcomes(gained, self.counters, reason)

    def rejected(self, reason: str) -> Delta:
        """Return this delta with all of its events rejected, as they cannot be committed."""
        counters = Counters()
        for name, n in self.counters.counts.items():
            if name[0] == "events_committed":
                counters.add(n, "events_rejected", name[1], reason)
            else:
                counters.add(n, *name)
        for gained in self.models.values():
            _reject_outcomes(gained, counters, reason)
        faulty = {*self.faulty, *self.models}
        unstored = {**self.unstored, **self.models}
        return replace(
            self, models={}, counters=counters, faulty=faulty, unstored=unstored, answers=[]
        )


def _reject_outcomes(gained: ModelDelta, counters: Counters, reason: str) -> None:
    for source, n in gained.outcomes.sources.items() if gained.outcomes else ():
        counters.add(n, "events_rejected", source, reason)
