"""The context manager that logs one prediction."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any


class Observation:
    """A `with` block around one prediction.

    At the end of the block the event is logged, with the duration of the block as its latency.
    Nothing is logged if the block raises.

    Attributes:
        features: may be changed inside the block.
        id: likewise.
        y_pred: set it inside the block.
        y_proba: likewise.
    """

    __slots__ = ("_log", "_started", "features", "id", "y_pred", "y_proba")

    def __init__(self, log: Callable[..., bool], features: Any, id: Any = None) -> None:
        self._log = log
        self.features = features
        self.id = id
        self.y_pred: Any = None
        self.y_proba: Any = None

    def __enter__(self) -> "Observation":  # noqa: PYI034 - Python 3.10 has no Self
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._log(
                features=self.features,
                y_pred=self.y_pred,
                y_proba=self.y_proba,
                id=self.id,
                latency_ms=(time.perf_counter() - self._started) * 1_000,
            )
