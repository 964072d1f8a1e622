"""Learning of baselines: from which settings one was learnt, and its building from rows."""

from __future__ import annotations

import logging
from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlguard_common.errors import MLGuardError
from mlguard_sidecar.baseline import Baseline, Binning, ColumnSample, build
from mlguard_sidecar.histogram import Kind, Role
from mlguard_sidecar.models.prediction import Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_sidecar.wire import ModelKey, Rows

log = logging.getLogger(__name__)

LEARNT = "first_events"
"""Source of the baselines that are learnt."""


class LearnAgainError(MLGuardError):
    """A model's baseline cannot be learnt again."""


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
        source=LEARNT,
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


def log_learnt(key: ModelKey, baseline: Baseline | None) -> None:
    """Log a learnt baseline, and what it does not watch."""
    assert baseline is not None  # noqa: S101 - it was just learnt
    model = "/".join(key)
    log.info("%s: baseline %s is learnt from %d events", model, baseline.id, baseline.samples)
    for name, why in baseline.not_watched.items():
        log.warning("%s: feature %r is not watched: %s", model, name, why)
