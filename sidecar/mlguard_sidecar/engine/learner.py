"""The pending side of one model: rows wait here, are folded, and teach the baseline."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline import Baseline, Binning, build
from mlguard_sidecar.engine.fold import by_pane, fold_features, fold_traffic
from mlguard_sidecar.engine.schema import LEARNING, Prediction, Schema
from mlguard_sidecar.histogram import CLASS_LIMIT, OTHER, Column, Kind, Role
from mlguard_sidecar.histogram.column import category, kind_of
from mlguard_sidecar.wire.rows import joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlguard_sidecar.engine.delta import ModelDelta, Tally
    from mlguard_sidecar.wire import Rows

_LONGEST_NAME = 128


@dataclass(frozen=True)
class Plan:
    """How one model is to be counted.

    Attributes:
        pane_seconds: width of the finest pane.
        events: rows that a baseline is learnt from; 0 where none is learnt.
        binning: how its columns are binned, unless named in `binnings`.
        binnings: feature -> how it is binned.
        baseline: a given one, used instead of a learnt one.
        feature_limit: features that are counted.
    """

    pane_seconds: int
    events: int
    binning: Binning
    binnings: Mapping[str, Binning] = field(default_factory=dict)
    baseline: Baseline | None = None
    feature_limit: int = 512


@dataclass
class Learner:
    """Folds the rows of one model into a delta, and builds its baseline from the first of them.

    Attributes:
        schema: as it is after all that was folded.
        lesson: what was kept for the baseline so far.
    """

    plan: Plan
    schema: Schema
    lesson: list[Rows] = field(default_factory=list)

    def adopt_given(self, delta: ModelDelta) -> bool:
        """Change to the baseline that the plan gives, if it gives one that is not in use."""
        given = self.plan.baseline
        if given is None or self.schema.series == given.id:
            return False
        self._adopt(given, delta)
        return True

    def fold(self, parts: list[Rows], delta: ModelDelta, tally: Tally, now: float) -> None:
        """Fold rows, in the order of their arrival, into the delta."""
        with_features = [p for p in parts if p.features is not None]
        without = [p for p in parts if p.features is None]
        for group in (with_features, without):
            if group:
                self._fold(joined(group), delta, tally, now)
        delta.schema = self.schema

    def _fold(self, rows: Rows, delta: ModelDelta, tally: Tally, now: float) -> None:
        if self.schema.baseline is not None or not self.plan.events or _teaches_nothing(rows):
            self._count(rows, delta, tally)
            return
        room = max(self.plan.events - self.schema.learned, 0)
        head = rows if len(rows) <= room else rows.taken(np.arange(room))
        if len(head):
            self._count(head, delta, tally)
            self.lesson.append(head)
            delta.lesson.append(head)
            self.schema = replace(self.schema, learned=self.schema.learned + len(head))
        if len(head) == room:
            self._graduate(delta, now)
        if len(head) < len(rows):
            self._fold(rows.taken(np.arange(room, len(rows))), delta, tally, now)

    def _count(self, rows: Rows, delta: ModelDelta, tally: Tally) -> None:
        self._meet_classes(rows)
        self._meet_features(rows, tally)
        rows, panes = by_pane(rows, self.plan.pane_seconds)
        delta.add_traffic(fold_traffic(rows, panes, self.schema))
        if self.schema.layout.columns:
            delta.add_features(self.schema.series, fold_features(rows, panes, self.schema))

    def _graduate(self, delta: ModelDelta, now: float) -> None:
        """Build the baseline from what was kept for it."""
        features: dict[str, list[object]] = {}
        for column in self.schema.extras:
            values: list[object] = []
            for rows in self.lesson:
                if rows.features is not None:
                    values += rows.features.get(column.name) or [None] * len(rows)
            features[column.name] = values
        baseline = build(
            features,
            {
                "y_pred": [value for rows in self.lesson for value in rows.y_pred],
                "y_proba": [v for rows in self.lesson for v in _or_none(rows.scores)],
            },
            samples=self.schema.learned,
            source="first_events",
            created=now,
            default=self.plan.binning,
            binnings=self.plan.binnings,
        )
        self._adopt(baseline, delta)

    def _adopt(self, baseline: Baseline, delta: ModelDelta) -> None:
        """Use a baseline, and count what was kept for learning again, in its bins."""
        self.schema = replace(self.schema, baseline=baseline)
        delta.schema = self.schema
        for key in [k for k in delta.features if k[0] == LEARNING]:
            del delta.features[key]
        for rows in self.lesson:
            ordered, panes = by_pane(rows, self.plan.pane_seconds)
            delta.add_features(baseline.id, fold_features(ordered, panes, self.schema))
        self.lesson.clear()
        delta.lesson.clear()
        delta.learnt = True

    def _meet_classes(self, rows: Rows) -> None:
        first = next((v for v in rows.y_pred if v is not None), None)
        if first is None:
            return
        if self.schema.prediction is None:
            self.schema = replace(self.schema, prediction=self._prediction_of(first))
        if self.schema.prediction is Prediction.CLASS and len(self.schema.classes) < CLASS_LIMIT:
            texts = {category(v) for v in set(rows.y_pred) if v is not None}
            new = sorted(texts - self.schema.class_index.keys() - {OTHER})
            if new:
                self.schema = self.schema.with_classes(new)

    def _prediction_of(self, first: object) -> Prediction:
        kind = kind_of(first, Role.PREDICTION)
        known = self.schema.layout.index.get((Role.PREDICTION, "y_pred"))
        if known is not None:
            kind = self.schema.layout.columns[known].kind
        return Prediction.VALUE if kind is Kind.NUMERIC else Prediction.CLASS

    def _meet_features(self, rows: Rows, tally: Tally) -> None:
        known = self.schema.layout.index
        new = [n for n in rows.features or () if (Role.FEATURE, n) not in known]
        columns: list[Column] = []
        room = self.plan.feature_limit - sum(role is Role.FEATURE for role, _ in known)
        for name in new:
            assert rows.features is not None  # noqa: S101 - it has names
            values = rows.features[name]
            first = next((v for v in values if v is not None), None)
            if first is None:
                continue
            if len(columns) >= room or not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
                tally.add(sum(v is not None for v in values), "series_overflow", "feature")
                continue
            forced = self.plan.binnings[name].kind if name in self.plan.binnings else None
            codes = forced is Kind.CATEGORICAL
            columns.append(Column(name, forced or kind_of(first, Role.FEATURE), codes=codes))
        if columns:
            self.schema = self.schema.with_extras(columns)


def _teaches_nothing(rows: Rows) -> bool:
    """Whether there is nothing in the rows that a later window could be compared with."""
    return (
        rows.features is None
        and bool(np.isnan(rows.scores).all())
        and all(value is None for value in rows.y_pred)
    )


def _or_none(numbers: NDArray[np.float64]) -> list[float | None]:
    return [None if v != v else v for v in numbers.tolist()]  # noqa: PLR0124 - NaN alone differs
