"""Quality of one model's predictions in all windows, and its comparison with the baseline's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlguard_sidecar.histogram import Kind, Role
from mlguard_sidecar.models import Prediction
from mlguard_sidecar.outcomes import (
    UNCOUNTED,
    MeanQuality,
    Quality,
    accuracy_drop_critical,
    error_rise_critical,
    quality_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlguard_sidecar.histogram import Pane
    from mlguard_sidecar.models import ModelView, Schema
    from mlguard_sidecar.settings import ModelSettings


@dataclass(frozen=True)
class QualityWindow:
    """Quality over the outcomes that arrived in a window.

    Attributes:
        window: label of the window.
        quality: the quality.
        accuracy_drop_critical: drop of accuracy below the baseline's that chance rarely exceeds;
            None with few outcomes, or without a baseline's.
        error_rise_critical: likewise, rise of the mean absolute error.
    """

    window: str
    quality: Quality
    accuracy_drop_critical: float | None
    error_rise_critical: float | None


@dataclass(frozen=True)
class OutcomeStatistics:
    """Statistics of the outcomes of one model.

    Attributes:
        total: quality over all outcomes.
        uncounted: reason -> outcomes that were not counted.
        windows: quality in each window, the shortest first.
        baseline: quality in the training data; None if it is not known.
        coverage: share of the predictions of the last days with an ID that have an outcome; None
            without such predictions.
    """

    total: Quality
    uncounted: Mapping[str, int]
    windows: Sequence[QualityWindow]
    baseline: Quality | None
    coverage: float | None

    @staticmethod
    def of(view: ModelView, settings: ModelSettings) -> OutcomeStatistics | None:
        """Return the statistics of a view; None if it has had neither outcomes nor IDs."""
        outcomes, baseline = view.outcomes, view.schema.baseline
        usual = None
        if baseline is not None and baseline.quality is not None:
            usual = quality_of_model(
                baseline.quality.pane, baseline.quality.classes, view.schema, settings
            )
        if not outcomes:
            return None if usual is None else OutcomeStatistics(Quality(0, 0), {}, (), usual, None)

        def quality(pane: Pane) -> Quality:
            return quality_of_model(pane, outcomes.classes, view.schema, settings)

        counts = outcomes.total.counts
        windows = sorted(outcomes.windows.values(), key=lambda window: window.span.seconds)
        days = None if outcomes.days is None else quality(outcomes.days.pane)
        return OutcomeStatistics(
            quality(outcomes.total),
            {reason: int(counts[place]) for reason, place in UNCOUNTED.items()},
            [_window(w.span.label, quality(w.pane), usual, settings) for w in windows],
            usual,
            days.covered / days.predictions if days and days.predictions else None,
        )


def quality_of_model(
    pane: Pane, classes: Sequence[str], schema: Schema, settings: ModelSettings
) -> Quality:
    """Return the quality that sums of a model's outcomes show.

    Args:
        pane: the sums.
        classes: classes of the sums, in the order of their numbers.
        schema: schema of the model.
        settings: settings of the model.
    """
    return quality_of(
        pane,
        classes,
        positive=settings.accumulation.outcomes.positive_class,
        are_values=_are_values(schema, settings),
    )


def _are_values(schema: Schema, settings: ModelSettings) -> bool | None:
    """Return whether predictions are values: configured, else the baseline's, else as counted."""
    prediction = settings.accumulation.learning.prediction
    column = schema.layout.index.get((Role.PREDICTION, "y_pred"))
    if prediction is None and column is not None:
        return schema.layout.columns[column].kind is Kind.NUMERIC
    prediction = prediction or schema.prediction
    return None if prediction is None else prediction is Prediction.VALUE


def _window(
    label: str, quality: Quality, usual: Quality | None, settings: ModelSettings
) -> QualityWindow:
    drift = settings.drift
    if usual is None or quality.outcomes < drift.min_samples:
        return QualityWindow(label, quality, None, None)
    return QualityWindow(
        label,
        quality,
        accuracy_drop_critical(quality, usual, drift.alpha),
        error_rise_critical(quality, usual, drift.alpha),
    )


def quality_as_json(quality: Quality) -> dict[str, Any]:
    """Return a quality for the API, without what cannot be told."""

    def mean(of: MeanQuality | None) -> float | None:
        return None if of is None else of.mean

    figures = {
        "accuracy": quality.accuracy,
        "precision": quality.precision,
        "recall": quality.recall,
        "positive_class": quality.positive if quality.accuracy is not None else None,
        "log_loss": mean(quality.log_loss),
        "brier_score": mean(quality.brier),
        "positive_score_mean": quality.positive_score,
        "positive_ratio": quality.positive_ratio,
        "absolute_error_mean": mean(quality.absolute_error),
        "squared_error_mean": mean(quality.squared_error),
    }
    known = {name: value for name, value in figures.items() if value is not None}
    return {"outcomes": quality.outcomes, **known}
