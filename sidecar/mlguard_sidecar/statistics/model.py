"""Statistics of one model in all windows, computed once after each change."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mlguard_sidecar.histogram import Role, Traffic
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.statistics.columns import ColumnStatistics, column_statistics, is_judged
from mlguard_sidecar.statistics.explain import Explanation, explain
from mlguard_sidecar.statistics.quality import OutcomeStatistics
from mlguard_sidecar.statistics.traffic import TrafficStatistics, class_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mlguard_sidecar.baseline import ColumnBaseline
    from mlguard_sidecar.models import ModelView, References, Schema, Window
    from mlguard_sidecar.settings import ModelSettings
    from mlguard_sidecar.wire import ModelKey

log = logging.getLogger(__name__)

MIN_LATENCIES = 300
"""Latencies from which the 95th percentile is reliable: 15 lie above it."""

MIN_TRAFFIC = 20
"""Expected events from which a drop to a tenth is not due to chance."""

MIN_FEATURE_EVENTS = 1000
"""Events from which a share of 1 % is reliable: it is ten events."""


class JudgedWindow(NamedTuple):
    """Window over which rules evaluate one kind of metric.

    Attributes:
        figure: `latency`, `traffic`, `features`, or `usual` (with which latency is compared).
        window: label of the window.
        events: number of events in it.
    """

    figure: str
    window: str
    events: float


@dataclass(frozen=True)
class ModelStatistics:
    """Statistics of one model at one time, computed on first access.

    Attributes:
        key: key of the model.
        settings: settings of the model.
        schema: columns and classes.
        total: running totals of traffic.
        feature_totals: running totals of the slots, in the bins of the current baseline.
        traffic: statistics of each traffic window, the shortest first.
        feature_windows: feature windows, the shortest first.
        outcomes: statistics of outcomes; None without outcomes and IDs.
        references: sliding references; None until they are read.
    """

    key: ModelKey
    settings: ModelSettings
    schema: Schema
    total: Traffic
    feature_totals: NDArray[np.integer]
    traffic: tuple[TrafficStatistics, ...]
    feature_windows: tuple[Window, ...]
    outcomes: OutcomeStatistics | None
    references: References | None = None

    @staticmethod
    def of(view: ModelView, settings: ModelSettings) -> ModelStatistics:
        """Return the statistics of a view."""
        return ModelStatistics(
            view.key,
            settings,
            view.schema,
            view.traffic,
            view.features.counts,
            tuple(TrafficStatistics.of(view, w) for w in _by_length(view.traffic_windows)),
            tuple(_by_length(view.feature_windows)),
            OutcomeStatistics.of(view, settings),
            view.references,
        )

    @cached_property
    def predictions(self) -> list[tuple[str, int]]:
        """Each class, and how often it was predicted."""
        return class_counts(self.schema, self.total, pooled=bool(self.total.classes[-1]))

    @cached_property
    def columns(self) -> list[ColumnStatistics]:
        """Statistics of each column in each window."""
        drift = self.settings.drift
        return [
            column
            for window in self.feature_windows
            for column in column_statistics(self.schema, window, drift, self._reference(window))
        ]

    def _reference(self, window: Window) -> NDArray[np.int64] | None:
        """Return the sliding reference of the UTC day in which most of a window lies."""
        found, drift = self.references, self.settings.drift
        if found is None or (found.binning, found.reference) != (
            self.schema.binning,
            drift.sliding,
        ):
            return None
        middle = (window.start + window.end) // 2
        return found.counts.get(middle // DAY_SECONDS * DAY_SECONDS)

    @cached_property
    def not_watched(self) -> dict[str, str]:
        """Features whose drift cannot be measured, and why; empty without a baseline."""
        baseline = self.schema.baseline
        if baseline is None:
            return {}
        extras = dict.fromkeys(self._extras, "not in the baseline")
        return extras | dict(baseline.not_watched)

    @property
    def features_unknown(self) -> int:
        """Number of features that events have, and neither the baseline nor its data had."""
        baseline = self.schema.baseline
        return len(set(self._extras) - baseline.not_watched.keys()) if baseline else 0

    @cached_property
    def _extras(self) -> list[str]:
        """Features outside the baseline."""
        known = self.schema.baseline.layout.index if self.schema.baseline else {}
        return [c.name for c in self.schema.extras if (c.role, c.name) not in known]

    @cached_property
    def features(self) -> list[ColumnStatistics]:
        """Statistics of each feature in each window."""
        return [column for column in self.columns if column.column.role is Role.FEATURE]

    @cached_property
    def drifted(self) -> list[str]:
        """Sorted names of the columns whose PSI exceeds the critical value in any window."""
        return sorted({c.column.name for c in self.columns if c.has_drifted})

    @cached_property
    def explanations(self) -> list[Explanation]:
        """An explanation of each column that has drifted, without the day on which it began."""
        return explain(self.columns, ())

    @cached_property
    def baseline_bins(self) -> list[tuple[ColumnBaseline, list[int]]]:
        """Columns of the baseline, and the running totals of their PSI bins."""
        baseline = self.schema.baseline
        found = []
        for i, part in enumerate(baseline.columns if baseline else ()):
            slots = self.schema.layout.slots(i)
            if slots.stop <= len(self.feature_totals):
                bins = part.psi_counts(self.feature_totals[slots]).tolist()
            else:
                bins = [0] * len(part.psi_labels)
            found.append((part, bins))
        return found

    @cached_property
    def judged(self) -> list[ColumnBaseline]:
        """Columns of the baseline whose drift is measured."""
        baseline, drift = self.schema.baseline, self.settings.drift
        return [c for c in (baseline.columns if baseline else ()) if is_judged(c.column, drift)]

    @cached_property
    def learning_ratio(self) -> float | None:
        """Progress of learning the baseline, 0 to 1; None if none is being learnt."""
        events = self.settings.accumulation.events
        if not self.schema.is_learning(events):
            return None
        return min(self.schema.learned / events, 1.0)

    @cached_property
    def judged_windows(self) -> list[JudgedWindow]:
        """Windows for rules: of each kind, the shortest with enough events, else the longest."""
        latencies = [(t.window, t.latencies) for t in self.traffic]
        candidates: tuple[tuple[str, Sequence[tuple[str, float]], int], ...] = (
            ("latency", latencies, MIN_LATENCIES),
            ("traffic", self._expected_traffic(), MIN_TRAFFIC),
            ("features", self._feature_events(), MIN_FEATURE_EVENTS),
            ("usual", latencies[-1:], 0),
        )
        found = []
        for figure, counts, enough in candidates:
            chosen = [pair for pair in counts if pair[1] >= enough][:1] or counts[-1:]
            found += [JudgedWindow(figure, label, n) for label, n in chosen]
        return found

    def _expected_traffic(self) -> list[tuple[str, float]]:
        """Return the events of each window, if those of the longest were spread evenly."""
        if not self.traffic:
            return []
        longest = self.traffic[-1]
        return [(t.window, longest.inferences * t.seconds / longest.seconds) for t in self.traffic]

    def _feature_events(self) -> list[tuple[str, float]]:
        """Return the events with features of each window: those of the column with the most."""
        if all(column.role is not Role.FEATURE for column in self.schema.layout.columns):
            return []
        most = dict.fromkeys((w.span.label for w in self.feature_windows), 0)
        for feature in self.features:
            most[feature.window] = max(most[feature.window], feature.rows)
        return list(most.items())


def explanation_of(labels: Mapping[str, str], models: Iterable[ModelStatistics]) -> str:
    """Return what explains the drift that an alert is about; empty if it is about none.

    Args:
        labels: labels of the alert, among them those of the column.
        models: statistics of the models.
    """
    name, kind = labels.get("feature"), labels.get("kind")
    if name is None or kind is None:
        return ""
    key = tuple(labels.get(label) for label in ("project", "model", "model_endpoint"))
    for model in models:
        if tuple(model.key) == key:
            for each in model.explanations:
                if (each.column.column.name, each.column.column.role) == (name, kind):
                    return " ".join(each.sentences)
    return ""


class StatisticsCache:
    """Keeps each model's statistics until its figures or its settings change.

    Args:
        failed: called whenever the statistics of a model cannot be computed.
    """

    def __init__(self, failed: Callable[[], None] = lambda: None) -> None:
        self._failed = failed
        self._known: dict[ModelKey, tuple[int, ModelSettings, ModelStatistics | None]] = {}

    def of_all(
        self, views: Iterable[ModelView], settings_of: Callable[[ModelKey], ModelSettings]
    ) -> list[ModelStatistics]:
        """Return the statistics of each model, the same object while nothing has changed.

        While the windows of a model are still to be read, as it is new or its baseline has
        changed, its former statistics are returned, or none: totals and windows appear together.
        A model whose statistics cannot be computed is left out, and logged once.
        """
        found, known = [], self._known
        self._known = {}
        for view in views:
            entry, settings = known.get(view.key), settings_of(view.key)
            is_same = entry is not None and entry[0] == view.version and entry[1] is settings
            if not view.is_stale and not is_same:
                was_faulty = entry is not None and entry[2] is None
                computed = self._compute(view, settings, is_logged=not was_faulty)
                entry = (view.version, settings, computed)
            if entry is not None:
                self._known[view.key] = entry
                if entry[2] is not None:
                    found.append(entry[2])
        return found

    def _compute(
        self, view: ModelView, settings: ModelSettings, *, is_logged: bool
    ) -> ModelStatistics | None:
        try:
            return ModelStatistics.of(view, settings)
        except Exception:  # a bug must affect this model only, and must be visible
            if is_logged:
                log.exception("%s: its statistics cannot be computed", "/".join(view.key))
            self._failed()
            return None


def _by_length(windows: Mapping[str, Window]) -> list[Window]:
    return sorted(windows.values(), key=lambda window: window.span.seconds)
