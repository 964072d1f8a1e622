"""Lines of the wire format."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from mlguard.protocol import DEFAULT_ENDPOINT, MAX_SEQ

Value = int | float | bool | str | None
Proba = float | dict[str, float] | None
Id = str | int | float | None


class Hello(msgspec.Struct, gc=False):
    """First line of a client that wants acknowledgements."""

    client: str
    version: int


class Batch(msgspec.Struct, gc=False):
    """Columns of one length; a column that is left out is missing in every row."""

    timestamp: list[float | str | None] | None = None
    latency_ms: list[float | None] | None = None
    y_pred: list[Value] | None = None
    y_proba: list[Proba] | None = None
    features: dict[str, list[Value]] | None = None
    id: list[Id] | None = None

    def lengths(self) -> list[int]:
        """Return the different lengths of the columns, in ascending order."""
        columns = [self.timestamp, self.latency_ms, self.y_pred, self.y_proba, self.id]
        columns += (self.features or {}).values()
        return sorted({len(column) for column in columns if column is not None})


class Outcome(msgspec.Struct, gc=False):
    """Truth of a prediction; or of many, as columns of one length."""

    id: Id | list[Id] = None
    y_true: Value | list[Value] = None
    y_pred: Value | list[Value] = None
    y_proba: Proba | list[Proba] = None

    def lengths(self) -> list[int]:
        """Return the different lengths of the columns, in ascending order; 1 for single values."""
        columns = (self.id, self.y_true, self.y_pred, self.y_proba)
        return sorted({len(column) for column in columns if isinstance(column, list)}) or [1]


class Stats(msgspec.Struct, gc=False):
    """Number of events that a client has dropped since its last report."""

    dropped: Annotated[int, Meta(ge=0, le=2**31)] = 0


class Line(msgspec.Struct, gc=False):
    """Line of any type: an event, a batch, outcomes, a hello or stats."""

    project_id: str | None = None
    model_id: str | None = None
    endpoint: str = DEFAULT_ENDPOINT
    timestamp: float | str | None = None
    latency_ms: float | None = None
    y_pred: Value = None
    y_proba: Proba = None
    features: dict[str, Value] | None = None
    columns: Batch | None = None
    seq: Annotated[int, Meta(ge=1, le=MAX_SEQ)] | None = None
    hello: Hello | None = None
    stats: Stats | None = None
    id: Id = None
    outcome: Outcome | None = None

    @property
    def rows(self) -> int:
        """Number of events or outcomes; 1 for what is neither a batch nor columns of outcomes."""
        if self.columns is not None:
            return max(self.columns.lengths(), default=0)
        return 1 if self.outcome is None else max(self.outcome.lengths())


decoder = msgspec.json.Decoder(Line)
