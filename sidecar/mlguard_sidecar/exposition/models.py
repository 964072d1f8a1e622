"""What the committed views of models show, made anew for each scrape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_common.metrics import Families
from mlguard_sidecar.drift import Drift, judge, smoothed_ratios
from mlguard_sidecar.exposition import metrics as m
from mlguard_sidecar.histogram import LATENCY_BUCKETS_SECONDS, OTHER, Kind, Role, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from prometheus_client.metrics_core import Metric

    from mlguard_sidecar.baseline import ColumnBaseline
    from mlguard_sidecar.engine import ModelView, Window
    from mlguard_sidecar.histogram import Column, Pane
    from mlguard_sidecar.wire import ModelKey


ENOUGH_LATENCIES = 300
"""Latencies above which a 95th percentile is no matter of luck: 15 lie beyond it."""

ENOUGH_TRAFFIC = 20
"""Expected events above which a tenth of them is no matter of luck."""

ENOUGH_FEATURES = 1000
"""Events above which a share of 1 % is ten of them."""


@dataclass(frozen=True)
class Judging:
    """How one model's drift is judged, and the limits that rules compare with.

    Attributes:
        smoothing: added to each bin's count.
        alpha: probability of a false alarm in any of the model's features.
        min_samples: below which no drift is told.
        learning_events: events that a baseline is learnt from.
        fleet: whether only what can be summed over replicas is shown.
        drifts_by_nature: features whose drift is not told.
        thresholds: limits by their key in the configuration, those that are off left out.
    """

    smoothing: float
    alpha: float
    min_samples: int
    learning_events: int
    fleet: bool
    drifts_by_nature: frozenset[str]
    thresholds: Mapping[str, float]


class Models:
    """Shows the committed views of all models (a Collector)."""

    def __init__(
        self,
        views: Callable[[], dict[ModelKey, ModelView]],
        judging_of: Callable[[ModelKey], Judging],
        clock: Callable[[], float],
    ) -> None:
        self._views = views
        self._judging_of = judging_of
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield every figure of every model."""
        families = Families(m.METRICS)
        now = self._clock()
        for key, view in self._views().items():
            judging = self._judging_of(key)
            _totals(families, view)
            if not judging.fleet:
                _judged(families, view)
                _traffic_windows(families, view, now)
                _feature_windows(families, view, judging)
            _baseline(families, view, judging)
            for name, limit in judging.thresholds.items():
                families.add(m.THRESHOLDS[name], key, limit)
        yield from families


def _totals(families: Families, view: ModelView) -> None:
    key, total = view.key, view.traffic
    families.add(m.INFERENCES, key, total.rows)
    families.add_histogram(
        m.LATENCY,
        key,
        LATENCY_BUCKETS_SECONDS,
        total.latency_buckets(),
        total.latency_sum_seconds,
    )
    for name, n in _named_classes(view, total):
        families.add(m.PREDICTIONS, (*key, name), n)


def _judged(families: Families, view: ModelView) -> None:
    """Say which window rules judge each figure over, and how many events that is."""
    latencies = _latencies(view)
    for figure, counts, enough in (
        ("latency", latencies, ENOUGH_LATENCIES),
        ("traffic", _expected(view), ENOUGH_TRAFFIC),
        ("features", _feature_events(view), ENOUGH_FEATURES),
        ("usual", latencies[-1:], 0),
    ):
        # the shortest that holds enough, else the longest
        for label, n in [pair for pair in counts if pair[1] >= enough][:1] or counts[-1:]:
            families.add(m.JUDGED_EVENTS, (*view.key, figure, label), n)


def _by_length(windows: Mapping[str, Window]) -> list[Window]:
    return sorted(windows.values(), key=lambda window: window.span.seconds)


def _traffic(window: Window) -> Traffic:
    return Traffic.zeros().merged(Traffic(window.pane))


def _latencies(view: ModelView) -> list[tuple[str, int]]:
    """Latencies in each traffic window."""
    windows = _by_length(view.traffic_windows)
    return [(w.span.label, _traffic(w).latency_buckets()[-1]) for w in windows]


def _expected(view: ModelView) -> list[tuple[str, float]]:
    """Events in each traffic window, were those of the longest spread evenly over it."""
    windows = _by_length(view.traffic_windows)
    rows = [_traffic(w).rows for w in windows]
    return [(w.span.label, rows[-1] * w.span.seconds / windows[-1].span.seconds) for w in windows]


def _feature_events(view: ModelView) -> list[tuple[str, int]]:
    """Events with features in each window: as many as the column that has seen the most."""
    layout = view.schema.layout
    slots = [layout.slots(i) for i, c in enumerate(layout.columns) if c.role is Role.FEATURE]
    found = []
    for window in _by_length(view.feature_windows) if slots else ():
        counts = [_counts(window.pane, part) for part in slots]
        n = max((int(c.sum()) for c in counts if c is not None), default=0)
        found.append((window.span.label, n))
    return found


def _seconds_of(window: Window, view: ModelView, now: float) -> float:
    """How long a window has lasted so far: a young model fills only a part of it."""
    begin = max(window.start, view.first_seen)
    # a first event that lies ahead of the clock says nothing
    return max(now - (begin if begin < now else window.start), 1.0)


def _traffic_windows(families: Families, view: ModelView, now: float) -> None:
    key = view.key
    for label, window in view.traffic_windows.items():
        traffic = _traffic(window)
        rate = traffic.rows / _seconds_of(window, view, now)
        families.add(m.INFERENCE_RATE, (*key, label), rate)
        quantiles = traffic.latency_quantiles_seconds(0.5, 0.95, 0.99)
        if quantiles:
            for metric, value in zip(
                (m.LATENCY_P50, m.LATENCY_P95, m.LATENCY_P99), quantiles, strict=True
            ):
                families.add(metric, (*key, label), value)
        classes = _named_classes(view, traffic)
        predictions = sum(n for _, n in classes)
        for name, n in classes if predictions else ():
            families.add(m.PREDICTION_RATIO, (*key, label, name), n / predictions)
        score = traffic.score()
        if score:
            families.add(m.SCORE_MEAN, (*key, label), score[0])
            families.add(m.SCORE_STDDEV, (*key, label), score[1])


def _named_classes(view: ModelView, traffic: Traffic) -> list[tuple[str, int]]:
    """Counts by class; `__other__` only once there is any."""
    counts = traffic.classes
    named = list(zip(view.schema.classes, counts, strict=False))
    if view.traffic.classes[-1]:
        named.append((OTHER, counts[-1]))
    return named


def _feature_windows(families: Families, view: ModelView, judging: Judging) -> None:
    schema = view.schema
    baselines = schema.baseline.columns if schema.baseline else ()
    share = judging.alpha / max(sum(b.column.role is Role.FEATURE for b in baselines), 1)
    for label, window in view.feature_windows.items():
        for i, column in enumerate(schema.layout.columns):
            counts = _counts(window.pane, schema.layout.slots(i))
            if counts is None:
                continue
            baseline = baselines[i] if i < len(baselines) else None
            if column.role is Role.FEATURE:
                labels = (*view.key, column.name, label)
                moments = window.pane.moments[i]
                _quality(families, labels, column, counts, baseline)
                if moments[0]:
                    _moments(families, labels, moments.tolist())
            if baseline is not None:
                drift = judge(
                    baseline.psi_baseline,
                    baseline.psi_counts(counts),
                    smoothing=judging.smoothing,
                    alpha=share,
                    min_samples=judging.min_samples,
                )
                by_nature = column.name in judging.drifts_by_nature
                if by_nature and column.role is Role.FEATURE and isinstance(drift, Drift):
                    drift = drift.samples
                _drift(families, (*view.key, column.name, column.role.value, label), drift)


def _counts(pane: Pane, slots: slice) -> NDArray[np.int64] | None:
    """The counts of one column, None where the pane is older than the column."""
    return pane.counts[slots] if slots.stop <= len(pane.counts) else None


def _moments(families: Families, labels: tuple[str, ...], moments: list[float]) -> None:
    n, mean, m2, low, high = moments
    families.add(m.FEATURE_MEAN, labels, mean)
    families.add(m.FEATURE_STDDEV, labels, math.sqrt(m2 / n))
    families.add(m.FEATURE_MIN, labels, low)
    families.add(m.FEATURE_MAX, labels, high)


def _quality(
    families: Families,
    labels: tuple[str, ...],
    column: Column,
    counts: NDArray[np.int64],
    baseline: ColumnBaseline | None,
) -> None:
    total, valid = int(counts.sum()), int(counts[: column.bins].sum())
    if total:
        families.add(m.FEATURE_MISSING, labels, int(counts[column.missing]) / total)
        families.add(m.FEATURE_INVALID, labels, int(counts[column.invalid]) / total)
    if valid and baseline is not None:
        if column.kind is Kind.NUMERIC:
            families.add(m.FEATURE_OUT_OF_RANGE, labels, baseline.out_of_range(counts) / valid)
        else:
            families.add(m.FEATURE_UNSEEN, labels, int(counts[column.bins - 1]) / valid)


def _drift(families: Families, labels: tuple[str, ...], drift: Drift | int) -> None:
    if isinstance(drift, int):
        families.add(m.DRIFT_SAMPLES, labels, drift)
        return
    families.add(m.DRIFT_PSI, labels, drift.psi)
    families.add(m.DRIFT_PSI_CRITICAL, labels, drift.critical)
    families.add(m.DRIFT_JS, labels, drift.js)
    families.add(m.DRIFT_SAMPLES, labels, drift.samples)


def _baseline(families: Families, view: ModelView, judging: Judging) -> None:
    schema = view.schema
    baseline = schema.baseline
    if baseline is None:
        if judging.learning_events:
            families.add(m.BASELINE_PROGRESS, view.key, schema.learned / judging.learning_events)
        return
    named = (baseline.id, baseline.source)
    families.add(m.BASELINE_INFO, (*view.key, *named), 1)
    families.add(m.BASELINE_CREATED, (*view.key, *named), baseline.created)
    families.add(m.BASELINE_SAMPLES, (*view.key, baseline.id), baseline.samples)
    for i, part in enumerate(baseline.columns):
        if part.column.role is not Role.FEATURE:
            continue
        missing = int(part.counts[part.column.missing]) / max(int(part.counts.sum()), 1)
        families.add(m.BASELINE_MISSING, (*view.key, part.column.name), missing)
        if part.column.kind is Kind.CATEGORICAL:
            valid = int(part.counts[: part.column.bins].sum())
            unseen = int(part.counts[part.column.bins - 1]) / max(valid, 1)
            families.add(m.BASELINE_UNSEEN, (*view.key, part.column.name), unseen)
        counts = _counts(view.features, schema.layout.slots(i))
        bins = [0] * len(part.psi_labels) if counts is None else part.psi_counts(counts).tolist()
        ratios = smoothed_ratios(part.psi_baseline, judging.smoothing).tolist()
        for label, n, ratio in zip(part.psi_labels, bins, ratios, strict=True):
            labels = (*view.key, part.column.name, label, baseline.id)
            families.add(m.FEATURE_BIN, labels, n)
            families.add(m.BASELINE_BIN_RATIO, labels, ratio)
