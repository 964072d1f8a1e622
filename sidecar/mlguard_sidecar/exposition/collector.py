"""Collector of the metrics of models."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from prometheus_client.samples import Sample

from mlguard_common.metrics import Families
from mlguard_sidecar.drift import smoothed_ratios
from mlguard_sidecar.exposition import definitions as d
from mlguard_sidecar.exposition import quality, thresholds
from mlguard_sidecar.histogram import LATENCY_BUCKETS_SECONDS, Kind, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric

    from mlguard_common.metrics import MetricDefinition
    from mlguard_sidecar.baseline import ColumnBaseline
    from mlguard_sidecar.statistics import ColumnStatistics, ModelStatistics
    from mlguard_sidecar.wire import ModelKey

    Row = tuple[tuple[str, ...], float]
    """Values of the labels that follow those of the model, and the value of the sample."""

    Rows = Callable[[ModelStatistics, float], Iterable[Row]]
    """Function that yields the samples of one metric, given a model and the time."""


log = logging.getLogger(__name__)


def _inferences(model: ModelStatistics, _: float) -> Iterator[Row]:
    yield (), model.total.rows


def _rate(model: ModelStatistics, now: float) -> Iterator[Row]:
    for window in model.traffic:
        yield (window.window,), window.rate(now)


def _quantile(i: int) -> Rows:
    def rows(model: ModelStatistics, _: float) -> Iterator[Row]:
        for window in model.traffic:
            if window.latency_quantiles:
                yield (window.window,), window.latency_quantiles[i]

    return rows


def _predictions(model: ModelStatistics, _: float) -> Iterator[Row]:
    for name, n in model.predictions:
        yield (name,), n


def _prediction_ratio(model: ModelStatistics, _: float) -> Iterator[Row]:
    for window in model.traffic:
        for name, ratio in window.class_ratios:
            yield (window.window, name), ratio


def _score(i: int) -> Rows:
    def rows(model: ModelStatistics, _: float) -> Iterator[Row]:
        for window in model.traffic:
            if window.score:
                yield (window.window,), window.score[i]

    return rows


def _feature(value_of: Callable[[ColumnStatistics], float | None]) -> Rows:
    def rows(model: ModelStatistics, _: float) -> Iterator[Row]:
        for feature in model.features:
            value = value_of(feature)
            if value is not None:
                yield (feature.column.name, feature.window), value

    return rows


def _ratio(part: int | None, whole: int) -> float | None:
    return part / whole if part is not None and whole else None


def _drift(value_of: Callable[[ColumnStatistics], float | None]) -> Rows:
    def rows(model: ModelStatistics, _: float) -> Iterator[Row]:
        for column in model.columns:
            if column.baseline is not None:
                value = value_of(column)
                if value is not None:
                    yield (column.column.name, column.column.role.value, column.window), value

    return rows


def _bin_totals(model: ModelStatistics, _: float) -> Iterator[Row]:
    for part, bins in model.baseline_bins:
        for label, n in zip(part.psi_labels, bins, strict=True):
            yield (*_name(part), label, model.schema.binning), n


def _baseline_bins(model: ModelStatistics, _: float) -> Iterator[Row]:
    for part, _bins in model.baseline_bins:
        ratios = smoothed_ratios(part.psi_baseline, model.settings.drift.smoothing).tolist()
        for label, ratio in zip(part.psi_labels, ratios, strict=True):
            yield (*_name(part), label, model.schema.binning), ratio


def _judged_samples(model: ModelStatistics, _: float) -> Iterator[Row]:
    for part in model.judged:
        yield (*_name(part), model.schema.binning), int(part.psi_baseline.sum())


def _name(part: ColumnBaseline) -> tuple[str, str]:
    """Return the labels `feature` and `kind` of a column."""
    return part.column.name, part.column.role.value


def _features_unknown(model: ModelStatistics, _: float) -> Iterator[Row]:
    if model.schema.baseline:
        yield (), model.features_unknown


def _baseline_info(model: ModelStatistics, _: float) -> Iterator[Row]:
    baseline = model.schema.baseline
    if baseline:
        yield (baseline.id, baseline.source), 1


def _baseline_created(model: ModelStatistics, _: float) -> Iterator[Row]:
    baseline = model.schema.baseline
    if baseline:
        yield (baseline.id, baseline.source), baseline.created


def _learning(model: ModelStatistics, _: float) -> Iterator[Row]:
    if model.learning_ratio is not None:
        yield (), model.learning_ratio


def _baseline_samples(model: ModelStatistics, _: float) -> Iterator[Row]:
    baseline = model.schema.baseline
    if baseline:
        yield (baseline.id,), baseline.samples


def _features(model: ModelStatistics) -> Iterator[ColumnBaseline]:
    for part, _bins in model.baseline_bins:
        if part.column.role is Role.FEATURE:
            yield part


def _baseline_missing(model: ModelStatistics, _: float) -> Iterator[Row]:
    for part in _features(model):
        missing = int(part.counts[part.column.missing])
        yield (part.column.name,), missing / max(int(part.counts.sum()), 1)


def _baseline_unseen(model: ModelStatistics, _: float) -> Iterator[Row]:
    for part in _features(model):
        if part.column.kind is Kind.CATEGORICAL:
            valid = int(part.counts[: part.column.bins].sum())
            yield (part.column.name,), int(part.counts[part.column.bins - 1]) / max(valid, 1)


def _judged_windows(model: ModelStatistics, _: float) -> Iterator[Row]:
    for judged in model.judged_windows:
        yield (judged.figure, judged.window), judged.events


def _threshold(key: str) -> Rows:
    def rows(model: ModelStatistics, _: float) -> Iterator[Row]:
        limit = model.settings.thresholds.get(key)
        if limit is not None:
            yield (), limit

    return rows


def _psi_threshold(*, is_sliding: bool) -> Rows:
    """Return the limit of one of the two indexes: that with which alerts compare."""

    def rows(model: ModelStatistics, now: float) -> Iterator[Row]:
        if model.settings.drift.is_sliding_judged is is_sliding:
            yield from _threshold("drift_psi")(model, now)

    return rows


_SUMMABLE: dict[MetricDefinition, Rows] = {
    d.INFERENCES: _inferences,
    d.PREDICTIONS: _predictions,
    d.FEATURE_BIN: _bin_totals,
    d.BASELINE_BIN_RATIO: _baseline_bins,
    d.DRIFT_BASELINE_SAMPLES: _judged_samples,
    d.FEATURES_UNKNOWN: _features_unknown,
    d.BASELINE_INFO: _baseline_info,
    d.BASELINE_CREATED: _baseline_created,
    d.BASELINE_PROGRESS: _learning,
    d.BASELINE_SAMPLES: _baseline_samples,
    d.BASELINE_MISSING: _baseline_missing,
    d.BASELINE_UNSEEN: _baseline_unseen,
    thresholds.PSI_THRESHOLD: _psi_threshold(is_sliding=False),
    thresholds.REFERENCE_PSI_THRESHOLD: _psi_threshold(is_sliding=True),
    **{definition: _threshold(key) for key, definition in thresholds.THRESHOLDS.items()},
    **quality.SUMMABLE,
}
"""Metrics that can be summed over replicas, or are equal on all; `fleet` exports only these."""

_OF_WINDOWS: dict[MetricDefinition, Rows] = {
    d.INFERENCE_RATE: _rate,
    d.LATENCY_P50: _quantile(0),
    d.LATENCY_P95: _quantile(1),
    d.LATENCY_P99: _quantile(2),
    d.PREDICTION_RATIO: _prediction_ratio,
    d.SCORE_MEAN: _score(0),
    d.SCORE_STDDEV: _score(1),
    d.FEATURE_MEAN: _feature(lambda f: f.mean),
    d.FEATURE_STDDEV: _feature(lambda f: f.stddev),
    d.FEATURE_MIN: _feature(lambda f: f.minimum),
    d.FEATURE_MAX: _feature(lambda f: f.maximum),
    d.FEATURE_MISSING: _feature(lambda f: _ratio(f.missing, f.rows)),
    d.FEATURE_INVALID: _feature(lambda f: _ratio(f.invalid, f.rows)),
    d.FEATURE_OUT_OF_RANGE: _feature(lambda f: _ratio(f.out_of_range, f.count)),
    d.FEATURE_UNSEEN: _feature(lambda f: _ratio(f.unseen, f.count)),
    d.DRIFT_PSI: _drift(lambda c: c.drift.psi if c.drift else None),
    d.DRIFT_PSI_CRITICAL: _drift(lambda c: c.drift.critical if c.drift else None),
    d.DRIFT_REFERENCE_PSI: _drift(lambda c: c.reference_drift.psi if c.reference_drift else None),
    d.DRIFT_REFERENCE_PSI_CRITICAL: _drift(
        lambda c: c.reference_drift.critical if c.reference_drift else None
    ),
    d.DRIFT_JS: _drift(lambda c: c.drift.js if c.drift else None),
    d.DRIFT_SAMPLES: _drift(lambda c: c.samples),
    d.JUDGED_EVENTS: _judged_windows,
    **quality.OF_WINDOWS,
}
"""Metrics of windows, which cannot be summed over replicas."""

_ALL = _SUMMABLE | _OF_WINDOWS
_TIMED = frozenset({d.INFERENCE_RATE})
"""Metrics that change with time, without new events."""


class ModelCollector:
    """Collector of the metrics of all models.

    Args:
        statistics: returns the current statistics of each model.
        clock: epoch seconds.
        fleet: returns whether only metrics that can be summed over replicas are exported.
        failed: called whenever a metric of a model cannot be computed; it is left out.
    """

    def __init__(
        self,
        statistics: Callable[[], Sequence[ModelStatistics]],
        clock: Callable[[], float],
        fleet: Callable[[], bool],
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._statistics = statistics
        self._clock = clock
        self._fleet = fleet
        self._failed = failed
        self._logged: set[tuple[ModelKey, str]] = set()
        self._models: Sequence[ModelStatistics] = ()
        self._families: dict[MetricDefinition, Metric | None] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield each family that has samples."""
        models = self._statistics()
        for definition in d.METRICS:
            if definition in _SUMMABLE or not self._fleet() or definition is d.LATENCY:
                family = self._family(definition, models)
                if family is not None:
                    yield family

    def collect_named(self, names: Collection[str]) -> Iterator[Metric]:
        """Yield the families that rules read, including those that `fleet` does not export.

        While no model changes, a family is the same object in each call.

        Args:
            names: names of samples.
        """
        models = self._statistics()
        if len(models) != len(self._models) or any(
            one is not other for one, other in zip(models, self._models, strict=True)
        ):
            self._models, self._families = models, {}
        for definition in d.METRICS:
            if definition is not d.LATENCY and definition.name not in names:
                continue
            if definition in _TIMED or definition not in self._families:
                self._families[definition] = self._family(definition, models)
            family = self._families[definition]
            if family is not None:
                yield family

    def _family(
        self, definition: MetricDefinition, models: Sequence[ModelStatistics]
    ) -> Metric | None:
        family, now = definition.family(), self._clock()
        for model in models:
            try:
                if definition is d.LATENCY:
                    family.samples += _latency(model)
                else:
                    family.samples += _samples(definition, model, now)
            except Exception:  # a bug must affect this metric of this model only
                if (model.key, definition.name) not in self._logged:
                    self._logged.add((model.key, definition.name))
                    log.exception("%s: %s cannot be computed", "/".join(model.key), definition.name)
                self._failed()
        return family if family.samples else None


def _samples(definition: MetricDefinition, model: ModelStatistics, now: float) -> list[Sample]:
    labels, name = definition.labels, definition.name
    return [
        Sample(name, dict(zip(labels, (*model.key, *values), strict=True)), value)
        for values, value in _ALL[definition](model, now)
    ]


def _latency(model: ModelStatistics) -> list[Sample]:
    families = Families((d.LATENCY,))
    families.add_histogram(
        d.LATENCY,
        model.key,
        LATENCY_BUCKETS_SECONDS,
        model.total.latency_buckets(),
        model.total.latency_sum_seconds,
    )
    return [sample for family in families for sample in family.samples]
