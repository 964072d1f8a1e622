"""Models as they are stored: their state, and their days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlguard_sidecar.histogram import Pane, Traffic
    from mlguard_sidecar.models.view import ModelView
    from mlguard_sidecar.wire import Rows


@dataclass(frozen=True)
class StoredModel:
    """Stored state of one model.

    Attributes:
        view: its totals and schema, without windows.
        training_rows: rows that are kept until its baseline is built.
        last_event: time of its last event, epoch seconds.
    """

    view: ModelView
    training_rows: list[Rows]
    last_event: float


@dataclass(frozen=True)
class StoredDay:
    """Merged panes of one model and one UTC day.

    Attributes:
        start: start of the day, epoch seconds.
        traffic: its traffic.
        features: baseline -> its feature panes, in the bins of that baseline.
        references: baseline -> the day's sliding reference, in the same bins.
    """

    start: int
    traffic: Traffic
    features: Mapping[str, Pane]
    references: Mapping[str, NDArray[np.int64]]
