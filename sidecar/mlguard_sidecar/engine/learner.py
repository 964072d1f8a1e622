"""The pending side of one model: rows wait here, are folded, and teach the baseline."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline import Baseline, Binning, build
from mlguard_sidecar.engine.fold import Widths, by_pane, fold_features, fold_traffic
from mlguard_sidecar.engine.schema import LEARNING, Prediction, Schema
from mlguard_sidecar.histogram import CLASS_LIMIT, OTHER, Column, Kind, Role
from mlguard_sidecar.histogram.column import LONGEST_CATEGORY, category, distinct, kind_of
from mlguard_sidecar.wire.rows import is_name, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlguard_sidecar.engine.delta import ModelDelta, Tally
    from mlguard_sidecar.wire import Rows
    from mlguard_sidecar.wire.message import Value


@dataclass(frozen=True)
class Plan:
    """How one model is to be counted.

    Attributes:
        widths: of panes.
        events: rows that a baseline is learnt from; 0 where none is learnt.
        binning: how its columns are binned, unless named in `binnings`.
        binnings: feature -> how it is binned.
        baseline: a given one, used instead of a learnt one.
        feature_limit: features that are counted.
    """

    widths: Widths
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

    def adopt_given(self, delta: ModelDelta, now: float) -> bool:
        """Change to the baseline that the plan gives, if it gives one that is not in use."""
        given = self.plan.baseline
        if given is None or self.schema.series == given.id:
            return False
        self._adopt(given, delta, now)
        return True

    def admitted(self, rows: Rows, tally: Tally) -> Rows:
        """Meet the features that are new, as far as there is room, and leave out all others."""
        self._meet_features(rows, tally)
        if rows.features is None:
            return rows
        known = self.schema.layout.index
        if all((Role.FEATURE, name) in known for name in rows.features):
            return rows
        kept = {n: v for n, v in rows.features.items() if (Role.FEATURE, n) in known}
        return replace(rows, features=kept)

    def fold(self, parts: list[Rows], delta: ModelDelta, tally: Tally, now: float) -> None:
        """Fold admitted rows into the delta; those with features count first."""
        for bare in (False, True):
            group = [part for part in parts if (part.features is None) is bare]
            if group:
                self._fold(joined(group), delta, tally, now)
        delta.schema = self.schema

    def _fold(self, rows: Rows, delta: ModelDelta, tally: Tally, now: float) -> None:
        if self.schema.baseline is not None or not self.plan.events or _teaches_nothing(rows):
            self._count(rows, delta, tally, now)
            return
        room = max(self.plan.events - self.schema.learned, 0)
        head = rows if len(rows) <= room else rows.taken(np.arange(room))
        if len(head):
            self._count(head, delta, tally, now)
            lesson = _shortened(head)
            self.lesson.append(lesson)
            delta.lesson.append(lesson)
            self.schema = replace(self.schema, learned=self.schema.learned + len(head))
        if len(head) == room:
            self._graduate(delta, now)
        if len(head) < len(rows):
            self._fold(rows.taken(np.arange(room, len(rows))), delta, tally, now)

    def _count(self, rows: Rows, delta: ModelDelta, tally: Tally, now: float) -> None:
        self._meet_classes(rows)
        rows, parts = by_pane(rows, self.plan.widths, now)
        traffic = fold_traffic(rows, parts, self.schema)
        delta.add_traffic(traffic)
        pooled = sum(part.classes[-1] for part in traffic.values())
        if pooled:
            tally.add(pooled, "series_overflow", "prediction")
        if self.schema.layout.columns:
            delta.add_features(self.schema.series, fold_features(rows, parts, self.schema))

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
                "y_proba": [v for rows in self.lesson for v in rows.optional_scores()],
            },
            samples=self.schema.learned,
            source="first_events",
            created=now,
            default=self.plan.binning,
            binnings=self.plan.binnings,
        )
        self._adopt(baseline, delta, now)

    def _adopt(self, baseline: Baseline, delta: ModelDelta, now: float) -> None:
        """Use a baseline, and count what was kept for learning again, in its bins."""
        self.schema = replace(self.schema, baseline=baseline)
        delta.schema = self.schema
        delta.features.pop(LEARNING, None)
        for rows in self.lesson:
            ordered, parts = by_pane(rows, self.plan.widths, now)
            delta.add_features(baseline.id, fold_features(ordered, parts, self.schema))
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
            texts = {category(v) for v in distinct(rows.y_pred) if v is not None}
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
            if len(columns) >= room or not is_name(name):
                tally.add(sum(v is not None for v in values), "series_overflow", "feature")
                continue
            forced = self.plan.binnings[name].kind if name in self.plan.binnings else None
            codes = forced is Kind.CATEGORICAL
            columns.append(Column(name, forced or kind_of(first, Role.FEATURE), codes=codes))
        if columns:
            self.schema = self.schema.with_extras(columns)


def _shortened(rows: Rows) -> Rows:
    """The rows with texts no longer than what tells categories apart."""

    def cut(values: Sequence[Value]) -> list[Value]:
        return [v[:LONGEST_CATEGORY] if isinstance(v, str) else v for v in values]

    features = None
    if rows.features is not None:
        features = {name: cut(values) for name, values in rows.features.items()}
    return replace(rows, y_pred=cut(rows.y_pred), features=features)


def _teaches_nothing(rows: Rows) -> bool:
    """Whether there is nothing in the rows that a later window could be compared with."""
    return (
        rows.features is None
        and bool(np.isnan(rows.scores).all())
        and all(value is None for value in rows.y_pred)
    )
