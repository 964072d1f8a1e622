"""Accumulation of one model's pending rows: folding into panes, and learning its baseline."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import CLASS_LIMIT, OTHER, Column, Kind, Role
from mlguard_sidecar.histogram.encoded_column import distinct
from mlguard_sidecar.histogram.values import (
    INVALID,
    category,
    is_missing,
)
from mlguard_sidecar.models.fold import (
    Widths,
    by_pane,
    count_features,
    count_traffic,
    values_as_scores,
)
from mlguard_sidecar.models.learning import (
    LearningSettings,
    has_nothing_to_compare,
    learn,
    shortened,
)
from mlguard_sidecar.models.outcomes import OutcomeSettings, PendingOutcomes
from mlguard_sidecar.models.prediction import Prediction, prediction_after
from mlguard_sidecar.models.ruling import Chosen, Origin, ruling
from mlguard_sidecar.models.schema import UNBINNED, Schema
from mlguard_sidecar.wire.rows import joined

if TYPE_CHECKING:
    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.models.delta import Counters, ModelDelta
    from mlguard_sidecar.wire import Rows


@dataclass(frozen=True)
class AccumulationSettings:
    """Settings of the accumulation of one model.

    Attributes:
        widths: widths of panes.
        events: number of rows from which a baseline is learnt; 0 for none.
        learning: kinds and bins of a learnt baseline.
        file: baseline of the configured file.
        folder: the model's baseline in the configured folder.
        feature_limit: maximum number of features.
        outcomes: settings of outcomes.
    """

    widths: Widths
    events: int
    learning: LearningSettings = field(default_factory=LearningSettings)
    file: Baseline | None = None
    folder: Baseline | None = None
    feature_limit: int = 512
    outcomes: OutcomeSettings = field(default_factory=OutcomeSettings)


@dataclass
class ModelAccumulator:
    """Folds the rows of one model into a delta, and builds its baseline from the first ones.

    Attributes:
        settings: settings of the model.
        schema: schema after all folded rows.
        training_rows: rows that are kept until the baseline is built.
        last_event: when rows or outcomes arrived last, epoch seconds.
    """

    settings: AccumulationSettings
    schema: Schema
    training_rows: list[Rows] = field(default_factory=list)
    last_event: float = 0.0

    # settings

    def apply_settings(self, delta: ModelDelta, now: float) -> str | None:
        """Follow changed settings: adopt the baseline that rules, or learn another one.

        Args:
            delta: the model's pending changes; changed.
            now: epoch seconds.

        Returns:
            What is done, for the log; None if nothing has changed.
        """
        chosen, before = self.chosen, self.schema.baseline
        if chosen is not None:
            if self._use(chosen, delta, now):
                found = chosen.baseline
                return f"baseline {found.id} from {found.source} is in use ({chosen.origin})"
            return None
        return None if before is None else self._follow_learning(before, delta)

    @property
    def chosen(self) -> Chosen | None:
        """The baseline that rules; None if it is learnt."""
        return ruling(self.settings.file, self.settings.folder, self.schema.given)

    def give(self, given: Chosen, delta: ModelDelta, now: float) -> None:
        """Use a baseline that was put or promoted, unless a file rules.

        Args:
            given: the baseline.
            delta: the model's pending changes; changed.
            now: epoch seconds.
        """
        self.schema = replace(self.schema, given=given)
        if self.chosen is given:
            self._use(given, delta, now)
        delta.schema = self.schema

    def _use(self, chosen: Chosen, delta: ModelDelta, now: float) -> bool:
        """Adopt a baseline if it is not the present one; return whether it was adopted."""
        before = self.schema.baseline
        if before is None or before.id != chosen.baseline.id:
            self._adopt(chosen, None, delta, now)
            return True
        if self.schema.relearning_with is not None:
            self._stop_learning(delta)
        if self.schema.origin is not chosen.origin:
            self.schema = replace(self.schema, origin=chosen.origin, learnt_with=None)
        return False

    def _follow_learning(self, before: Baseline, delta: ModelDelta) -> str | None:
        """Learn another baseline if the present one does not fit the configuration any more."""
        if self._is_taken_back(before):
            self._stop_learning(delta)
            return f"baseline {before.id} fits the configuration again, and is not learnt again"
        why = self._why_to_learn_again(before)
        if why is None:
            return None
        if not self.settings.events:
            return f"{why}, but baseline {before.id} stays in use, as baseline.events is 0"
        self.learn_again(delta)
        return (
            f"{why}: a baseline is learnt again from the next {self.settings.events} events;"
            f" until then {before.id} stays in use"
        )

    def learn_again(self, delta: ModelDelta, *, is_requested: bool = False) -> None:
        """Learn a baseline from the next rows; the present one stays in use until then.

        One that was put or promoted does not rule any more.

        Args:
            delta: the model's pending changes; changed.
            is_requested: whether a person asked for it, not a changed configuration.
        """
        self.schema = replace(
            self.schema,
            learned=0,
            given=None,
            relearning_with=self.settings.learning,
            is_relearning_requested=is_requested or self.schema.is_relearning_requested,
        )
        self._drop_training_rows(delta)
        delta.schema = self.schema

    def _stop_learning(self, delta: ModelDelta) -> None:
        self.schema = replace(
            self.schema, learned=0, relearning_with=None, is_relearning_requested=False
        )
        self._drop_training_rows(delta)

    def _drop_training_rows(self, delta: ModelDelta) -> None:
        self.training_rows.clear()
        delta.training_rows.clear()
        delta.training_restarted = True

    def _is_taken_back(self, baseline: Baseline) -> bool:
        """Return whether a change for which a baseline is being learnt was taken back."""
        wanted, schema = self.settings.learning, self.schema
        return (
            schema.relearning_with is not None
            and not schema.is_relearning_requested
            and schema.learnt_with is not None
            and bool(schema.relearning_with.changed_columns(wanted, baseline))
            and not schema.learnt_with.changed_columns(wanted, baseline)
        )

    def _why_to_learn_again(self, baseline: Baseline) -> str | None:
        schema, wanted = self.schema, self.settings.learning
        if schema.origin is not Origin.LEARNT:
            if schema.relearning_with is not None:
                return None
            where = "in the folder" if schema.origin is Origin.FOLDER else "configured"
            return f"its baseline file is not {where} any more"
        if schema.learnt_with is None:  # a version that did not store them
            self.schema = schema = replace(schema, learnt_with=wanted)
        known = schema.relearning_with or schema.learnt_with or wanted
        changed = known.changed_columns(wanted, baseline)
        if not changed:
            return None
        names = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if changed[5:] else "")
        return f"the binning or kind of {names} has changed"

    # rows

    def outcomes_in(self, delta: ModelDelta) -> PendingOutcomes:
        """Return the outcomes of a delta of the model, to add to them."""
        if delta.outcomes is None:
            delta.outcomes = PendingOutcomes(self.settings.outcomes, self.settings.widths.pane)
        return delta.outcomes

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
        if not self.schema.is_learning(self.settings.events) or has_nothing_to_compare(rows):
            self._count(rows, delta, counters, now)
            return
        room = max(self.settings.events - self.schema.learned, 0)
        head = rows if len(rows) <= room else rows.taken(np.arange(room))
        if len(head):
            self._count(head, delta, counters, now)
            kept = shortened(head)
            self.training_rows.append(kept)
            delta.training_rows.append(kept)
            self.schema = replace(self.schema, learned=self.schema.learned + len(head))
        if len(head) == room:
            self._build_baseline(delta, now)
        if len(head) < len(rows):
            self._fold(rows.taken(np.arange(room, len(rows))), delta, counters, now)

    def _count(self, rows: Rows, delta: ModelDelta, counters: Counters, now: float) -> None:
        self._register_classes(rows, delta, now)
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
        names = [c.name for c in self.schema.layout.columns if c.role is Role.FEATURE]
        learning = self.settings.learning
        baseline = learn(names, self.training_rows, learning, now)
        self._adopt(Chosen(baseline, Origin.LEARNT), learning, delta, now)

    def _adopt(
        self, chosen: Chosen, learning: LearningSettings | None, delta: ModelDelta, now: float
    ) -> None:
        """Adopt a baseline, and count the training rows again in its bins.

        They are in its bins already if the same rows were learnt twice in one second.
        """
        before, baseline = self.schema.baseline, chosen.baseline
        is_other = before is None or before.id != baseline.id
        self.schema = replace(
            self.schema,
            baseline=baseline,
            origin=chosen.origin,
            learnt_with=learning,
            relearning_with=None,
            is_relearning_requested=False,
        )
        delta.features.pop(UNBINNED, None)
        for rows in self.training_rows if is_other else ():
            self._register_classes(rows, delta, now)
            ordered, panes = by_pane(rows, self.settings.widths, now)
            delta.add_features(baseline.id, count_features(ordered, panes, self.schema))
        delta.schema = self.schema
        self._drop_training_rows(delta)
        delta.baseline_built = True

    # columns and classes

    def _register_classes(self, rows: Rows, delta: ModelDelta, now: float) -> None:
        prediction = self._prediction_with(rows)
        if prediction is not self.schema.prediction:
            was, self.schema = self.schema, replace(self.schema, prediction=prediction)
            if was.prediction is Prediction.CLASS:
                self._count_values_as_scores(delta, now)
        if prediction is Prediction.CLASS and len(self.schema.classes) < CLASS_LIMIT:
            valid = (v for v in distinct(rows.y_pred) if not is_missing(v) and v is not INVALID)
            new = sorted({category(v) for v in valid} - self.schema.class_index.keys() - {OTHER})
            if new:
                self.schema = self.schema.with_classes(new)

    def _prediction_with(self, rows: Rows) -> Prediction | None:
        """Return the type of predictions: configured, else the baseline's, else as values show."""
        if self.settings.learning.prediction is not None:
            return self.settings.learning.prediction
        known = self.schema.layout.index.get((Role.PREDICTION, "y_pred"))
        if known is not None:
            kind = self.schema.layout.columns[known].kind
            return Prediction.VALUE if kind is Kind.NUMERIC else Prediction.CLASS
        return prediction_after(rows.y_pred, self.schema.prediction, self.schema.classes)

    def _count_values_as_scores(self, delta: ModelDelta, now: float) -> None:
        """Count the predictions of the training rows, which were taken for classes, as values."""
        for rows in self.training_rows:
            ordered, panes = by_pane(rows, self.settings.widths, now)
            delta.add_traffic(values_as_scores(ordered, panes))

    def _register_features(self, rows: Rows, counters: Counters) -> None:
        known = self.schema.layout.index
        new = [n for n in rows.features or () if (Role.FEATURE, n) not in known]
        columns: list[Column] = []
        room = self.settings.feature_limit - sum(role is Role.FEATURE for role, _ in known)
        binnings = self.settings.learning.binnings
        for name in new:
            if len(columns) >= room:
                assert rows.features is not None  # noqa: S101 - there are names
                values = sum(v is not None for v in rows.features[name])
                counters.add(values, "series_overflow", "feature")
                continue
            forced = binnings[name].kind if name in binnings else None
            columns.append(Column(name, forced or Kind.UNDECIDED))
        if columns:
            self.schema = self.schema.with_extras(columns)
