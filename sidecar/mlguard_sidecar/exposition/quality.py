"""Samples of the metrics of outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_sidecar.exposition import quality_definitions as q

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mlguard_common.metrics import MetricDefinition
    from mlguard_sidecar.outcomes import Quality
    from mlguard_sidecar.statistics import ModelStatistics
    from mlguard_sidecar.statistics.quality import OutcomeStatistics, QualityWindow

    Row = tuple[tuple[str, ...], float]
    Rows = Callable[[ModelStatistics, float], Iterable[Row]]


def _total(value_of: Callable[[OutcomeStatistics], float | None]) -> Rows:
    def rows(model: ModelStatistics, _: float) -> Iterator[Row]:
        value = None if model.outcomes is None else value_of(model.outcomes)
        if value is not None:
            yield (), value

    return rows


def _counted(value_of: Callable[[Quality], float | None]) -> Rows:
    """Return samples of a running total, absent until there are outcomes or IDs."""

    def of_total(outcomes: OutcomeStatistics) -> float | None:
        total = outcomes.total
        return value_of(total) if total.outcomes or outcomes.uncounted else None

    return _total(of_total)


def _uncounted(model: ModelStatistics, _: float) -> Iterator[Row]:
    for reason, n in model.outcomes.uncounted.items() if model.outcomes else ():
        yield (reason,), n


def _window(value_of: Callable[[QualityWindow], float | None]) -> Rows:
    def rows(model: ModelStatistics, _: float) -> Iterator[Row]:
        for window in model.outcomes.windows if model.outcomes else ():
            value = value_of(window)
            if value is not None:
                yield (window.window,), value

    return rows


def _quality(value_of: Callable[[Quality], float | None]) -> Rows:
    return _window(lambda window: value_of(window.quality))


def _baseline(value_of: Callable[[Quality], float | None]) -> Rows:
    return _total(
        lambda outcomes: None if outcomes.baseline is None else value_of(outcomes.baseline)
    )


def _threshold(key: str) -> Rows:
    """Return a threshold of outcomes, which models without outcomes do not have."""

    def rows(model: ModelStatistics, _: float) -> Iterator[Row]:
        limit = model.settings.thresholds.get(key)
        if model.outcomes is not None and limit is not None:
            yield (), limit

    return rows


SUMMABLE: dict[MetricDefinition, Rows] = {
    q.OUTCOMES: _counted(lambda t: t.outcomes),
    q.UNCOUNTED: _uncounted,
    q.PREDICTIONS: _counted(lambda t: t.predictions),
    q.CORRECT: _counted(lambda t: t.correct),
    q.BASELINE_OUTCOMES: _baseline(lambda b: b.outcomes),
    q.BASELINE_ACCURACY: _baseline(lambda b: b.accuracy),
    q.BASELINE_ERROR: _baseline(lambda b: b.absolute_error and b.absolute_error.mean),
    q.ACCURACY_THRESHOLD: _threshold("accuracy_drop"),
    q.ERROR_THRESHOLD: _threshold("error_rise_ratio"),
}
"""Metrics of outcomes that can be summed over replicas, or are equal on all."""

OF_WINDOWS: dict[MetricDefinition, Rows] = {
    q.COVERAGE: _total(lambda outcomes: outcomes.coverage),
    q.SAMPLES: _quality(lambda w: w.outcomes),
    q.ACCURACY: _quality(lambda w: w.accuracy),
    q.PRECISION: _quality(lambda w: w.precision),
    q.RECALL: _quality(lambda w: w.recall),
    q.LOG_LOSS: _quality(lambda w: w.log_loss and w.log_loss.mean),
    q.BRIER: _quality(lambda w: w.brier and w.brier.mean),
    q.POSITIVE_SCORE: _quality(lambda w: w.positive_score),
    q.POSITIVE_RATIO: _quality(lambda w: w.positive_ratio),
    q.ABSOLUTE_ERROR: _quality(lambda w: w.absolute_error and w.absolute_error.mean),
    q.SQUARED_ERROR: _quality(lambda w: w.squared_error and w.squared_error.mean),
    q.ACCURACY_DROP_CRITICAL: _window(lambda w: w.accuracy_drop_critical),
    q.ERROR_RISE_CRITICAL: _window(lambda w: w.error_rise_critical),
}
"""Metrics of outcomes that cannot be summed over replicas."""
