"""What a model's columns are: frozen, and replaced by a larger one when something new appears."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from mlguard_sidecar.histogram import CLASS_LIMIT, Column, Kind, Layout, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlguard_sidecar.baseline import Baseline

UNBINNED = ""
"""The binning of feature panes from the time before there is a baseline."""


class Prediction(StrEnum):
    """What `y_pred` is: one of some classes, or the value of a regression."""

    CLASS = "class"
    VALUE = "value"


@dataclass(frozen=True)
class Schema:
    """What a model's columns are.

    Attributes:
        baseline: what windows are compared with; None while it is being learnt.
        extras: features outside the baseline, in the order of their appearance.
        classes: the predicted classes, in the order of their appearance.
        prediction: what `y_pred` is, None before the first.
        learned: events taken towards the baseline.
    """

    baseline: Baseline | None = None
    extras: tuple[Column, ...] = ()
    classes: tuple[str, ...] = ()
    prediction: Prediction | None = None
    learned: int = 0

    @property
    def binning(self) -> str:
        """Return which feature panes belong together: those counted in one baseline's bins."""
        return self.baseline.id if self.baseline else UNBINNED

    @cached_property
    def layout(self) -> Layout:
        """The columns of a feature pane: the baseline's, then those outside it."""
        if self.baseline is None:
            return Layout(self.extras)
        known = self.baseline.layout
        return known.with_columns(c for c in self.extras if (c.role, c.name) not in known.index)

    @cached_property
    def class_index(self) -> dict[str, int]:
        """The number of each class."""
        return {text: i for i, text in enumerate(self.classes)}

    def with_extras(self, columns: Iterable[Column]) -> Schema:
        """This schema with more features outside the baseline."""
        return replace(self, extras=(*self.extras, *columns))

    def with_classes(self, texts: Iterable[str]) -> Schema:
        """This schema with more classes, as far as there is room."""
        return replace(self, classes=(*self.classes, *texts)[:CLASS_LIMIT])


class _Extra(msgspec.Struct, array_like=True):
    name: str
    kind: Kind
    codes: bool


class _Stored(msgspec.Struct):
    baseline: str | None
    extras: list[_Extra]
    classes: list[str]
    prediction: Prediction | None
    learned: int


def dump_schema(schema: Schema) -> bytes:
    """A schema as JSON, its baseline by name."""
    extras = [_Extra(c.name, c.kind, c.codes) for c in schema.extras]
    return msgspec.json.encode(
        _Stored(
            schema.baseline.id if schema.baseline else None,
            extras,
            list(schema.classes),
            schema.prediction,
            schema.learned,
        )
    )


def load_schema(data: bytes, baselines: dict[str, Baseline]) -> Schema:
    """The schema that `dump_schema` wrote, given the model's baselines by name."""
    stored = msgspec.json.decode(data, type=_Stored)
    return Schema(
        baselines[stored.baseline] if stored.baseline else None,
        tuple(Column(e.name, e.kind, Role.FEATURE, codes=e.codes) for e in stored.extras),
        tuple(stored.classes),
        stored.prediction,
        stored.learned,
    )
