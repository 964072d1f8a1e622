"""Accumulation of one model's pending rows: folding into panes, and building its baseline."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.baseline import Baseline, Binning, build
from mlguard_sidecar.histogram import CLASS_LIMIT, OTHER, Column, Kind, Role
from mlguard_sidecar.histogram.column import kind_of
from mlguard_sidecar.histogram.values import MAX_CATEGORY_LENGTH, category, distinct
from mlguard_sidecar.models.fold import Widths, by_pane, count_features, count_traffic
from mlguard_sidecar.models.schema import UNBINNED, Prediction, Schema
from mlguard_sidecar.wire.rows import is_name, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlguard_sidecar.models.delta import Counters, ModelDelta
    from mlguard_sidecar.wire import Rows


@dataclass(frozen=True)
class AccumulationSettings:
    """Settings of the accumulation of one model.

    Attributes:
        widths: widths of panes.
        events: number of rows from which a baseline is learnt; 0 for none.
        binning: binning of the columns that `binnings` does not name.
        binnings: feature -> its binning.
        baseline: configured baseline, used instead of a learnt one.
        feature_limit: maximum number of features.
    """

    widths: Widths
    events: int
    binning: Binning
    binnings: Mapping[str, Binning] = field(default_factory=dict)
    baseline: Baseline | None = None
    feature_limit: int = 512


@dataclass
class ModelAccumulator:
    """Folds the rows of one model into a delta, and builds its baseline from the first ones.

    Attributes:
        settings: settings of the model.
        schema: schema after all folded rows.
        training_rows: rows that are kept until the baseline is built.
    """

    settings: AccumulationSettings
    schema: Schema
    training_rows: list[Rows] = field(default_factory=list)

    def adopt_given(self, delta: ModelDelta, now: float) -> bool:
        """Adopt a configured baseline that is not in use yet; return whether there was one."""
        given = self.settings.baseline
        if given is None or self.schema.binning == given.id:
            return False
        self._adopt(given, delta, now)
        return True

    def admitted(self, rows: Rows, counters: Counters) -> Rows:
        """Register new features up to the limit, and return the rows without all further ones."""
        self._register_features(rows, counters)
        if rows.features is None:
            return rows
        known = self.schema.layout.index
        if all((Role.FEATURE, name) in known for name in rows.features):
            return rows
        kept = {n: v for n, v in rows.features.items() if (Role.FEATURE, n) in known}
        return replace(rows, features=kept)

    def fold(self, parts: list[Rows], delta: ModelDelta, counters: Counters, now: float) -> None:
        """Fold admitted rows into a delta; rows with features come first.

        Args:
            parts: rows of this model.
            delta: the delta; changed.
            counters: counts overflow; changed.
            now: epoch seconds.
        """
        for bare in (False, True):
            group = [part for part in parts if (part.features is None) is bare]
            if group:
                self._fold(joined(group), delta, counters, now)
        delta.schema = self.schema

    def _fold(self, rows: Rows, delta: ModelDelta, counters: Counters, now: float) -> None:
        if (
            self.schema.baseline is not None
            or not self.settings.events
            or _has_nothing_to_compare(rows)
        ):
            self._count(rows, delta, counters, now)
            return
        room = max(self.settings.events - self.schema.learned, 0)
        head = rows if len(rows) <= room else rows.taken(np.arange(room))
        if len(head):
            self._count(head, delta, counters, now)
            kept = _shortened(head)
            self.training_rows.append(kept)
            delta.training_rows.append(kept)
            self.schema = replace(self.schema, learned=self.schema.learned + len(head))
        if len(head) == room:
            self._build_baseline(delta, now)
        if len(head) < len(rows):
            self._fold(rows.taken(np.arange(room, len(rows))), delta, counters, now)

    def _count(self, rows: Rows, delta: ModelDelta, counters: Counters, now: float) -> None:
        self._register_classes(rows)
        rows, panes = by_pane(rows, self.settings.widths, now)
        traffic = count_traffic(rows, panes, self.schema)
        delta.add_traffic(traffic)
        pooled = sum(part.classes[-1] for part in traffic.values())
        if pooled:
            counters.add(pooled, "series_overflow", "prediction")
        if self.schema.layout.columns:
            delta.add_features(self.schema.binning, count_features(rows, panes, self.schema))

    def _build_baseline(self, delta: ModelDelta, now: float) -> None:
        """Build the baseline from the training rows, and adopt it."""
        features: dict[str, list[object]] = {}
        for column in self.schema.extras:
            values: list[object] = []
            for rows in self.training_rows:
                if rows.features is not None:
                    values += rows.features.get(column.name) or [None] * len(rows)
            features[column.name] = values
        baseline = build(
            features,
            {
                "y_pred": [value for rows in self.training_rows for value in rows.y_pred],
                "y_proba": [v for rows in self.training_rows for v in rows.optional_scores()],
            },
            samples=self.schema.learned,
            source="first_events",
            created=now,
            default=self.settings.binning,
            binnings=self.settings.binnings,
        )
        self._adopt(baseline, delta, now)

    def _adopt(self, baseline: Baseline, delta: ModelDelta, now: float) -> None:
        """Adopt a baseline, and count the training rows again in its bins."""
        self.schema = replace(self.schema, baseline=baseline)
        delta.schema = self.schema
        delta.features.pop(UNBINNED, None)
        for rows in self.training_rows:
            ordered, panes = by_pane(rows, self.settings.widths, now)
            delta.add_features(baseline.id, count_features(ordered, panes, self.schema))
        self.training_rows.clear()
        delta.training_rows.clear()
        delta.baseline_built = True

    def _register_classes(self, rows: Rows) -> None:
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

    def _register_features(self, rows: Rows, counters: Counters) -> None:
        known = self.schema.layout.index
        new = [n for n in rows.features or () if (Role.FEATURE, n) not in known]
        columns: list[Column] = []
        room = self.settings.feature_limit - sum(role is Role.FEATURE for role, _ in known)
        for name in new:
            assert rows.features is not None  # noqa: S101 - there are names
            values = rows.features[name]
            first = next((v for v in values if v is not None), None)
            if first is None:
                continue
            if len(columns) >= room or not is_name(name):
                counters.add(sum(v is not None for v in values), "series_overflow", "feature")
                continue
            forced = self.settings.binnings[name].kind if name in self.settings.binnings else None
            codes = forced is Kind.CATEGORICAL
            columns.append(Column(name, forced or kind_of(first, Role.FEATURE), codes=codes))
        if columns:
            self.schema = self.schema.with_extras(columns)


def _shortened(rows: Rows) -> Rows:
    """Return the rows with strings cut to the maximum length of a category."""

    def cut(values: Sequence[object]) -> list[object]:
        return [v[:MAX_CATEGORY_LENGTH] if isinstance(v, str) else v for v in values]

    features: dict[str, Sequence[object]] | None = None
    if rows.features is not None:
        features = {name: cut(values) for name, values in rows.features.items()}
    return replace(rows, y_pred=cut(rows.y_pred), features=features)


def _has_nothing_to_compare(rows: Rows) -> bool:
    """Return whether the rows have no features, predictions and scores."""
    return (
        rows.features is None
        and bool(np.isnan(rows.scores).all())
        and all(value is None for value in rows.y_pred)
    )
