"""Learning of baselines: from which settings one was learnt, and its building from rows."""

from __future__ import annotations

import logging
from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline import Baseline, Binning, ColumnSample, build
from mlguard_sidecar.histogram import Kind, Role
from mlguard_sidecar.histogram.values import MAX_CATEGORY_LENGTH, is_plain_number
from mlguard_sidecar.models.prediction import Prediction
from mlguard_sidecar.models.ruling import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_sidecar.wire import Rows

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LearningSettings:
    """Settings that decide which columns and bins a learnt baseline has.

    Attributes:
        binning: binning of the columns that `binnings` does not name.
        binnings: feature -> its binning.
        prediction: configured type of `y_pred`; None to decide from its values.
    """

    binning: Binning = field(default_factory=Binning)
    binnings: Mapping[str, Binning] = field(default_factory=dict)
    prediction: Prediction | None = None

    def changed_columns(self, other: LearningSettings, baseline: Baseline) -> list[str]:
        """Return the columns of a baseline for which other settings differ.

        Args:
            other: the settings to compare with.
            baseline: the baseline that was learnt.
        """
        features = {c.column.name for c in baseline.columns if c.column.role is Role.FEATURE}
        changed = {
            name
            for name in features | baseline.not_watched.keys()
            if self.binnings.get(name, self.binning) != other.binnings.get(name, other.binning)
        }
        if self.prediction != other.prediction:
            changed.add("y_pred")
        if self.binning != other.binning:
            changed |= {
                c.column.name for c in baseline.columns if c.column.role is not Role.FEATURE
            }
        return sorted(changed)


def learn(
    names: Sequence[str], parts: Sequence[Rows], settings: LearningSettings, now: float
) -> Baseline:
    """Build a baseline from rows.

    Args:
        names: names of the features.
        parts: the rows.
        settings: kinds and bins of the columns.
        now: epoch seconds.
    """
    features = {name: ColumnSample() for name in names}
    predictions = {"y_pred": ColumnSample(), "y_proba": ColumnSample()}
    for rows in parts:
        predictions["y_pred"].add(rows.y_pred)
        predictions["y_proba"].add(rows.raw_scores())
        if rows.features is not None:
            for name, sample in features.items():
                sample.add(rows.features.get(name) or [None] * len(rows))
    return build(
        features,
        predictions,
        samples=sum(map(len, parts)),
        source=Origin.LEARNT,
        created=now,
        default=settings.binning,
        binnings=settings.binnings,
        prediction=kind_of_prediction(settings.prediction),
    )


def kind_of_prediction(prediction: Prediction | None) -> Kind | None:
    """Return the kind of the column of a type of predictions."""
    if prediction is None:
        return None
    return Kind.NUMERIC if prediction is Prediction.VALUE else Kind.CATEGORICAL


def shortened(rows: Rows) -> Rows:
    """Return the rows with strings cut to the maximum length of a category.

    Their last character is kept, by which lists are known, and numbers are kept whole.
    """

    def cut(values: Sequence[object]) -> list[object]:
        return [
            v[:MAX_CATEGORY_LENGTH] + v[-1]
            if isinstance(v, str) and len(v) > MAX_CATEGORY_LENGTH and not is_plain_number(v)
            else v
            for v in values
        ]

    features: dict[str, Sequence[object]] | None = None
    if rows.features is not None:
        features = {name: cut(values) for name, values in rows.features.items()}
    return replace(rows, y_pred=cut(rows.y_pred), features=features)


def has_nothing_to_compare(rows: Rows) -> bool:
    """Return whether the rows have no features, predictions and scores."""
    return (
        rows.features is None
        and bool(np.isnan(rows.scores).all())
        and all(value is None for value in rows.y_pred)
    )


def log_learnt(model: str, baseline: Baseline | None) -> None:
    """Log a baseline that was just learnt, and what it does not watch."""
    if baseline is None:
        return
    log.info("%s: baseline %s is learnt from %d events", model, baseline.id, baseline.samples)
    for name, why in baseline.not_watched.items():
        log.warning("%s: feature %r is not watched: %s", model, name, why)
