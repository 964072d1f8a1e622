"""Views: committed totals and windows of models."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlguard_sidecar.histogram import Pane, Traffic, merge_panes
from mlguard_sidecar.models.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlguard_sidecar.models.delta import ModelDelta
    from mlguard_sidecar.models.outcomes import JoinedOutcomes
    from mlguard_sidecar.models.reference import References
    from mlguard_sidecar.wire import ModelKey


@dataclass(frozen=True)
class Span:
    """Length of a window, with its label, such as `5m`."""

    label: str
    seconds: int


@dataclass(frozen=True)
class Window:
    """Rolling window: a number of panes that ends with the current one.

    Attributes:
        span: length and label.
        start: epoch seconds, inclusive.
        end: epoch seconds, exclusive: the end of the current pane.
        pane: the merged panes of the window.
    """

    span: Span
    start: int
    end: int
    pane: Pane

    @staticmethod
    def at(span: Span, now: float, pane_seconds: int) -> Window:
        """Return an empty window that ends with the pane of the time `now`."""
        end = (int(now // pane_seconds) + 1) * pane_seconds
        return Window(span, end - span.seconds, end, Pane.zeros(0, 0))

    def with_panes(self, panes: Iterable[tuple[int, Pane]]) -> Window:
        """Return this window with those of the panes merged in whose start lies in it.

        Args:
            panes: start in epoch seconds, and pane.
        """
        inside = [pane for start, pane in panes if self.start <= start < self.end]
        return replace(self, pane=merge_panes([self.pane, *inside])) if inside else self


@dataclass
class OutcomeView:
    """Committed outcomes of one model.

    Attributes:
        total: running totals of the sums.
        windows: label -> window of the outcomes that arrived in it.
        days: predictions of the last days with an ID, and their outcomes.
        classes: classes, in the order of their numbers.
    """

    total: Pane = field(default_factory=lambda: Pane.zeros(0, 0))
    windows: Mapping[str, Window] = field(default_factory=dict)
    days: Window | None = None
    classes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.total.counts.any())

    def apply(self, joined: JoinedOutcomes) -> None:
        """Apply committed sums."""
        arrived = list(joined.arrived.items())
        self.total = merge_panes([self.total, *(pane for _, pane in arrived)])
        self.windows = {label: w.with_panes(arrived) for label, w in self.windows.items()}
        if self.days is not None:
            self.days = self.days.with_panes(joined.days.items())
        self.classes = tuple(joined.classes)


@dataclass
class ModelView:
    """Committed state of one model.

    Attributes:
        key: key of the model.
        first_seen: time of its earliest event, epoch seconds.
        schema: columns and classes.
        traffic: running totals of traffic.
        features: running totals in the bins of the current baseline.
        traffic_windows: label -> window of traffic.
        feature_windows: label -> window of features.
        references: sliding references; None until they are read.
        outcomes: outcomes.
        version: incremented with every change.
        is_stale: whether windows and totals must be read from the database, as the model is new or
            its baseline has changed.
    """

    key: ModelKey
    first_seen: float
    schema: Schema = field(default_factory=Schema)
    traffic: Traffic = field(default_factory=Traffic.zeros)
    features: Pane = field(default_factory=lambda: Pane.zeros(0, 0))
    traffic_windows: Mapping[str, Window] = field(default_factory=dict)
    feature_windows: Mapping[str, Window] = field(default_factory=dict)
    references: References | None = None
    outcomes: OutcomeView = field(default_factory=OutcomeView)
    version: int = 0
    is_stale: bool = True

    def apply(self, gained: ModelDelta) -> None:
        """Apply committed changes."""
        changed = gained.schema.binning != self.schema.binning
        self.schema = gained.schema
        if changed:
            self.is_stale = True
            self.features = Pane.zeros(0, 0)
            self.feature_windows = {
                label: replace(window, pane=Pane.zeros(0, 0))
                for label, window in self.feature_windows.items()
            }
        self.first_seen = gained.first_seen(self.first_seen)
        traffic = [(key.start, part.pane) for key, part in gained.traffic.items()]
        features = [
            (key.start, pane) for key, pane in gained.features.get(self.schema.binning, {}).items()
        ]
        self.traffic = Traffic(merge_panes([self.traffic.pane, *(pane for _, pane in traffic)]))
        self.features = merge_panes([self.features, *(pane for _, pane in features)])
        self.traffic_windows = {
            label: window.with_panes(traffic) for label, window in self.traffic_windows.items()
        }
        self.feature_windows = {
            label: window.with_panes(features) for label, window in self.feature_windows.items()
        }
        if gained.outcomes is not None and gained.outcomes.joined is not None:
            self.is_stale = self.is_stale or not self.outcomes
            self.outcomes.apply(gained.outcomes.joined)
        self.version += 1
