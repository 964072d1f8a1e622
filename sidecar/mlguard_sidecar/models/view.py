"""The committed side of one model: its totals and its windows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlguard_sidecar.histogram import Pane, Traffic, merge_panes
from mlguard_sidecar.models.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlguard_sidecar.models.delta import ModelDelta
    from mlguard_sidecar.wire import ModelKey


@dataclass(frozen=True)
class Span:
    """A length of time with the label that it was given, such as `5m`."""

    label: str
    seconds: int


@dataclass(frozen=True)
class Window:
    """The last so many seconds, in whole panes, the running one included.

    Attributes:
        span: its length.
        start: epoch seconds, included.
        end: epoch seconds, left out: the end of the running pane.
        pane: everything in between.
    """

    span: Span
    start: int
    end: int
    pane: Pane

    @staticmethod
    def at(span: Span, now: float, pane_seconds: int) -> Window:
        """The window that ends with the pane that is running now, with nothing in it."""
        end = (int(now // pane_seconds) + 1) * pane_seconds
        return Window(span, end - span.seconds, end, Pane.zeros(0, 0))

    def with_panes(self, panes: Iterable[tuple[int, Pane]]) -> Window:
        """Return this window with those of the panes, given by their start, that lie in it."""
        inside = [pane for start, pane in panes if self.start <= start < self.end]
        return replace(self, pane=merge_panes([self.pane, *inside])) if inside else self


@dataclass
class ModelView:
    """The committed figures of one model.

    Attributes:
        key: the model.
        first_seen: when the earliest of its events was, epoch seconds.
        schema: its columns.
        traffic: running totals.
        features: running totals in the bins of the present baseline.
        traffic_windows: label -> window of traffic.
        feature_windows: label -> window of features.
        version: counts the changes of any of these.
        is_stale: whether windows and totals must be read again, as the bins have changed.
    """

    key: ModelKey
    first_seen: float
    schema: Schema = field(default_factory=Schema)
    traffic: Traffic = field(default_factory=Traffic.zeros)
    features: Pane = field(default_factory=lambda: Pane.zeros(0, 0))
    traffic_windows: Mapping[str, Window] = field(default_factory=dict)
    feature_windows: Mapping[str, Window] = field(default_factory=dict)
    version: int = 0
    is_stale: bool = True

    def apply(self, gained: ModelDelta) -> None:
        """Add what was committed."""
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
        self.version += 1
