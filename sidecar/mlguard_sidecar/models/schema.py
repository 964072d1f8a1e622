"""Schemas: the columns and classes of models. They are immutable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from mlguard_sidecar.histogram import CLASS_LIMIT, Column, Kind, Layout
from mlguard_sidecar.models.learning import LearningSettings  # noqa: TC001 - msgspec reads it
from mlguard_sidecar.models.prediction import Prediction  # noqa: TC001 - the same
from mlguard_sidecar.models.ruling import Chosen, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlguard_sidecar.baseline import Baseline

UNBINNED = ""
"""Binning of feature panes before there is a baseline."""


@dataclass(frozen=True)
class Schema:
    """Columns and classes of a model.

    Attributes:
        baseline: baseline of the model; None if there is none yet.
        extras: features outside the baseline, in the order of their first appearance.
        classes: predicted classes, in the order of their first appearance.
        prediction: type of `y_pred`; None before the first.
        learned: number of events from which a baseline is learnt so far.
        learnt_with: settings with which the baseline was learnt; None if it was not, or by a
            version that did not store them.
        relearning_with: settings with which another one is being learnt; None if none is.
        is_relearning_requested: whether a person asked for that, not a changed configuration.
        given: the baseline that was put or promoted, in use or not.
        origin: how the model came to its baseline; None without one.
    """

    baseline: Baseline | None = None
    extras: tuple[Column, ...] = ()
    classes: tuple[str, ...] = ()
    prediction: Prediction | None = None
    learned: int = 0
    learnt_with: LearningSettings | None = None
    relearning_with: LearningSettings | None = None
    is_relearning_requested: bool = False
    given: Chosen | None = None
    origin: Origin | None = None

    @property
    def binning(self) -> str:
        """Binning of feature panes: the ID of the baseline, or UNBINNED.

        Only panes of one binning can be merged.
        """
        return self.baseline.id if self.baseline else UNBINNED

    @property
    def baselines(self) -> tuple[Baseline, ...]:
        """Baselines that are stored with the model: the present one, and the one that was given."""
        given = () if self.given is None else (self.given.baseline,)
        return given if self.baseline is None else (self.baseline, *given)

    def is_learning(self, events: int) -> bool:
        """Return whether a baseline is being learnt, given the configured number of events."""
        return bool(events) and (self.baseline is None or self.relearning_with is not None)

    @cached_property
    def layout(self) -> Layout:
        """Layout of a feature pane: the columns of the baseline, then those outside it."""
        if self.baseline is None:
            return Layout(self.extras)
        known = self.baseline.layout
        return known.with_columns(c for c in self.extras if (c.role, c.name) not in known.index)

    @cached_property
    def class_index(self) -> dict[str, int]:
        """Class -> its number."""
        return {text: i for i, text in enumerate(self.classes)}

    def with_extras(self, columns: Iterable[Column]) -> Schema:
        """Return this schema with further features outside the baseline."""
        return replace(self, extras=(*self.extras, *columns))

    def with_classes(self, texts: Iterable[str]) -> Schema:
        """Return this schema with further classes, up to CLASS_LIMIT."""
        return replace(self, classes=(*self.classes, *texts)[:CLASS_LIMIT])


class _Extra(msgspec.Struct, array_like=True):
    name: str
    kind: Kind


class _Stored(msgspec.Struct, omit_defaults=True):
    baseline: str | None
    extras: list[_Extra]
    classes: list[str]
    prediction: Prediction | None
    learned: int
    learnt_with: LearningSettings | None = None
    relearning_with: LearningSettings | None = None
    is_relearning_requested: bool = False
    given: str | None = None
    given_origin: Origin | None = None
    origin: Origin | None = None


def dump_schema(schema: Schema) -> bytes:
    """Return a schema as JSON, with the ID of its baseline."""
    return msgspec.json.encode(
        _Stored(
            schema.baseline.id if schema.baseline else None,
            [_Extra(c.name, c.kind) for c in schema.extras],
            list(schema.classes),
            schema.prediction,
            schema.learned,
            schema.learnt_with,
            schema.relearning_with,
            schema.is_relearning_requested,
            schema.given.baseline.id if schema.given else None,
            schema.given.origin if schema.given else None,
            schema.origin,
        )
    )


def load_schema(data: bytes, baselines: Mapping[str, Baseline]) -> Schema:
    """Return the schema that `dump_schema` wrote, given the model's baselines by ID."""
    stored = msgspec.json.decode(data, type=_Stored)
    baseline = baselines[stored.baseline] if stored.baseline else None
    origin = stored.origin
    if baseline is not None and origin is None:  # of a version that did not store it
        origin = Origin.LEARNT if baseline.source == Origin.LEARNT else Origin.FILE
    given = None
    if stored.given is not None and stored.given_origin is not None:
        given = Chosen(baselines[stored.given], stored.given_origin)
    return Schema(
        baseline,
        tuple(Column(e.name, e.kind) for e in stored.extras),
        tuple(stored.classes),
        stored.prediction,
        stored.learned,
        stored.learnt_with,
        stored.relearning_with,
        stored.is_relearning_requested,
        given,
        origin,
    )
