"""What all windows of a model show, computed once after they change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mlguard_sidecar.histogram import Role, Traffic
from mlguard_sidecar.statistics.columns import ColumnStatistics, column_statistics
from mlguard_sidecar.statistics.traffic import TrafficStatistics, class_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mlguard_sidecar.baseline import ColumnBaseline
    from mlguard_sidecar.models import ModelView, Schema, Window
    from mlguard_sidecar.settings import ModelSettings
    from mlguard_sidecar.wire import ModelKey

MIN_LATENCIES = 300
"""Latencies from which a 95th percentile is no chance: 15 lie beyond it."""

MIN_TRAFFIC = 20
"""Expected events from which a tenth of them is no chance."""

MIN_FEATURE_EVENTS = 1000
"""Events from which a share of 1 % is ten of them."""


class JudgedWindow(NamedTuple):
    """The window that rules judge a figure over.

    Attributes:
        figure: latency, traffic, features, or usual (what latency is compared with).
        window: its label.
        events: how many events that is.
    """

    figure: str
    window: str
    events: float


@dataclass(frozen=True)
class ModelStatistics:
    """One model at one moment. What is asked for is computed once, and shared by all readers.

    Attributes:
        key: the model.
        settings: what is configured for it.
        schema: its columns.
        total: traffic since the model began.
        feature_totals: counts of the columns' slots since the present baseline began.
        windows: traffic and features by window, the shortest first.
    """

    key: ModelKey
    settings: ModelSettings
    schema: Schema
    first_seen: float
    total: Traffic
    feature_totals: NDArray[np.integer]
    traffic: tuple[TrafficStatistics, ...]
    feature_windows: tuple[Window, ...]

    @staticmethod
    def of(view: ModelView, settings: ModelSettings) -> ModelStatistics:
        """Return the statistics of a model as it is now."""
        return ModelStatistics(
            view.key,
            settings,
            view.schema,
            view.first_seen,
            view.traffic,
            view.features.counts,
            tuple(TrafficStatistics.of(view, w) for w in _by_length(view.traffic_windows)),
            tuple(_by_length(view.feature_windows)),
        )

    @cached_property
    def predictions(self) -> list[tuple[str, int]]:
        """Return how often each class was predicted."""
        return class_counts(self.schema, self.total, pooled=bool(self.total.classes[-1]))

    @cached_property
    def columns(self) -> list[ColumnStatistics]:
        """Return every column in every window."""
        drift = self.settings.drift
        return [
            column
            for window in self.feature_windows
            for column in column_statistics(self.schema, window, drift)
        ]

    @cached_property
    def features(self) -> list[ColumnStatistics]:
        """Return every feature in every window."""
        return [column for column in self.columns if column.column.role is Role.FEATURE]

    @cached_property
    def drifted(self) -> list[str]:
        """Return the names of the columns that lie beyond chance in any window."""
        return sorted({c.column.name for c in self.columns if c.has_drifted})

    @cached_property
    def baseline_bins(self) -> list[tuple[ColumnBaseline, list[int]]]:
        """Return the features of the baseline, with all that was ever counted in their bins."""
        baseline = self.schema.baseline
        found = []
        for i, part in enumerate(baseline.columns if baseline else ()):
            if part.column.role is Role.FEATURE:
                slots = self.schema.layout.slots(i)
                if slots.stop <= len(self.feature_totals):
                    bins = part.psi_counts(self.feature_totals[slots]).tolist()
                else:
                    bins = [0] * len(part.psi_labels)
                found.append((part, bins))
        return found

    @cached_property
    def learning_ratio(self) -> float | None:
        """Return how far the building of a baseline has come; None where none is being built."""
        events = self.settings.accumulation.events
        if self.schema.baseline is not None or not events:
            return None
        return min(self.schema.learned / events, 1.0)

    @cached_property
    def judged_windows(self) -> list[JudgedWindow]:
        """Return which window rules judge each figure over: the shortest that holds enough."""
        latencies = [(t.window, t.latencies) for t in self.traffic]
        candidates: tuple[tuple[str, Sequence[tuple[str, float]], int], ...] = (
            ("latency", latencies, MIN_LATENCIES),
            ("traffic", self._expected_traffic(), MIN_TRAFFIC),
            ("features", self._feature_events(), MIN_FEATURE_EVENTS),
            ("usual", latencies[-1:], 0),
        )
        found = []
        for figure, counts, enough in candidates:
            # the shortest that holds enough, else the longest
            chosen = [pair for pair in counts if pair[1] >= enough][:1] or counts[-1:]
            found += [JudgedWindow(figure, label, n) for label, n in chosen]
        return found

    def _expected_traffic(self) -> list[tuple[str, float]]:
        """Return events in each window, were those of the longest spread evenly over it."""
        if not self.traffic:
            return []
        longest = self.traffic[-1]
        return [(t.window, longest.inferences * t.seconds / longest.seconds) for t in self.traffic]

    def _feature_events(self) -> list[tuple[str, float]]:
        """Return events with features in each window: those of the column with the most."""
        if all(column.role is not Role.FEATURE for column in self.schema.layout.columns):
            return []
        most = dict.fromkeys((w.span.label for w in self.feature_windows), 0)
        for feature in self.features:
            most[feature.window] = max(most[feature.window], feature.rows)
        return list(most.items())


class StatisticsCache:
    """Keeps each model's statistics until its figures or its settings change."""

    def __init__(self) -> None:
        self._known: dict[ModelKey, tuple[int, ModelStatistics]] = {}

    def of(self, view: ModelView, settings: ModelSettings) -> ModelStatistics:
        """Return the statistics of a model as it is now; the same object while that is so."""
        version, known = self._known.get(view.key, (-1, None))
        if known is None or version != view.version or known.settings is not settings:
            known = ModelStatistics.of(view, settings)
            self._known[view.key] = (view.version, known)
        return known


def _by_length(windows: Mapping[str, Window]) -> list[Window]:
    return sorted(windows.values(), key=lambda window: window.span.seconds)
