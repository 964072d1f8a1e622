"""Pending outcomes of one model, and what they were joined to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlguard_sidecar.histogram.values import category

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlguard_sidecar.histogram import Pane
    from mlguard_sidecar.models.schema import Schema
    from mlguard_sidecar.wire import IdentifiedPrediction, OutcomeRow

_ROW_BYTES = 400
"""About what a row takes as Python objects."""


@dataclass(frozen=True)
class OutcomeSettings:
    """Settings of the outcomes of one model.

    Attributes:
        positive_class: class whose probability a scalar is; None for the larger of two.
        max_ids: maximum number of predictions that are kept for their outcomes.
    """

    positive_class: str | None = None
    max_ids: int = 100_000

    @staticmethod
    def of(positive_class: object, max_ids: int) -> OutcomeSettings:
        """Return settings, with the positive class named as classes are."""
        named = None if positive_class is None else category(positive_class)
        return OutcomeSettings(named, max_ids)


@dataclass(frozen=True)
class JoinedOutcomes:
    """Sums of outcomes that were joined with their predictions.

    Attributes:
        arrived: start of a minute -> outcomes that arrived in it.
        days: start of a UTC day -> predictions of that day, and the outcomes that they have got.
        classes: all classes, in the order of their numbers.
    """

    arrived: Mapping[int, Pane]
    days: Mapping[int, Pane]
    classes: Sequence[str]


@dataclass(frozen=True)
class OutcomeDays:
    """Sums of the outcomes of one model by the day of their predictions.

    Attributes:
        classes: classes of the sums, in the order of their numbers.
        panes: start of a UTC day, epoch seconds -> its sums.
        schema: stored schema of the model; None without such a model.
    """

    classes: Sequence[str]
    panes: Mapping[int, Pane]
    schema: Schema | None


@dataclass
class PendingOutcomes:
    """Predictions with an ID, and outcomes, that are to be joined by the next commit.

    Attributes:
        settings: settings of the model.
        pane_seconds: width of the finest panes.
        predictions: new predictions with an ID.
        rows: new outcomes.
        sources: source -> number of new outcomes.
        joined: sums of the outcomes; set by the commit.
    """

    settings: OutcomeSettings
    pane_seconds: int
    predictions: list[IdentifiedPrediction] = field(default_factory=list)
    rows: list[OutcomeRow] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)
    joined: JoinedOutcomes | None = None

    def add_predictions(self, predictions: Sequence[IdentifiedPrediction]) -> int:
        """Add predictions; return about how many bytes they take."""
        self.predictions += predictions
        return _ROW_BYTES * len(predictions)

    def add_outcomes(self, rows: Sequence[OutcomeRow], source: str) -> int:
        """Add outcomes; return about how many bytes they take."""
        self.rows += rows
        self.sources[source] += len(rows)
        return _ROW_BYTES * len(rows)
