"""Predictions that report themselves: a block, a function."""

import functools
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from inspect import Parameter

    from mlguard.guard import Guard


class Observation:
    """A `with` block around one prediction.

    Set `y_pred` and `y_proba` inside; `features` may still be changed. At the block's end the
    event is logged with the block's duration as its latency. If the block raises, nothing is.
    """

    __slots__ = ("_log", "_started", "features", "y_pred", "y_proba")

    def __init__(self, log: Callable[..., bool], features: Any) -> None:
        self._log = log
        self.features = features
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
                latency_ms=(time.perf_counter() - self._started) * 1_000,
            )


Function = TypeVar("Function", bound=Callable[..., Any])


def watched(guard: "Guard", function: Function) -> Function:
    """Return the function, reporting each call that returns; its outcome passes untouched."""
    import inspect  # noqa: PLC0415 - slow to import, and only decorators need it

    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(watched(guard, function.__func__))
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some functions written in C do not tell
        parameters = []
    call = _Call(guard, parameters)

    if any(map(inspect.iscoroutinefunction, (function, type(function).__call__))):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            features = call.features(args, kwargs)
            started = time.perf_counter()
            result = await function(*args, **kwargs)
            call.report(features, result, (time.perf_counter() - started) * 1_000)
            return result

    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            features = call.features(args, kwargs)
            started = time.perf_counter()
            result = function(*args, **kwargs)
            call.report(features, result, (time.perf_counter() - started) * 1_000)
            return result

    return cast("Function", wrapper)


class _Call:
    """Finds features and predictions in a function's arguments and results."""

    def __init__(self, guard: "Guard", parameters: "list[Parameter]") -> None:
        self._guard = guard
        self._names = [
            each.name
            for each in parameters
            if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
        ]
        self._defaults = {
            each.name: each.default for each in parameters if each.default is not each.empty
        }

    def features(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return a call's features as they are before it: a mapping's copy, or a frame itself.

        None if there are none, or if looking for them fails.
        """
        try:
            given = {**self._defaults, **dict(zip(self._names, args, strict=False)), **kwargs}
            if self._names and self._names[0] in {"self", "cls"}:
                given.pop(self._names[0], None)
            holders = [each for each in given.values() if _holds_features(each)]
            if len(holders) == 1:
                return dict(holders[0]) if isinstance(holders[0], Mapping) else holders[0]
            return {key: each for key, each in given.items() if _is_scalar(each)}
        except Exception:  # noqa: BLE001 - an argument may raise whatever it likes when looked at
            return None

    def report(self, features: Any, result: Any, latency_ms: float) -> None:
        """Log what a call came to."""
        try:
            if features is not None and not isinstance(features, dict):
                if _has_length(result, len(features)):
                    self._guard.log_batch(features=features, y_pred=result, latency_ms=latency_ms)
                    return
                features = None
            y_pred = result if _is_scalar(result) else _only_item(result)
        except Exception:  # noqa: BLE001 - so may a result
            features, y_pred = None, None
        self._guard.log(features=features, y_pred=y_pred, latency_ms=latency_ms)


def _holds_features(value: Any) -> bool:
    return isinstance(value, Mapping) or (hasattr(value, "columns") and hasattr(value, "__len__"))


def _has_length(result: Any, rows: int) -> bool:
    """Tell whether a result is one prediction for each row."""
    return (
        not isinstance(result, (str, bytes, Mapping))
        and hasattr(result, "__len__")
        and len(result) == rows
    )


def _is_scalar(value: Any) -> bool:
    """Tell a value that can be a feature; numpy's scalars have an item and no dimensions."""
    if isinstance(value, (str, int, float)):
        return True
    return hasattr(value, "item") and getattr(value, "ndim", None) == 0


def _only_item(value: Any) -> Any:
    """Return the element of an array or tensor of size one; None for anything else."""
    try:
        return value.item()
    except Exception:  # noqa: BLE001 - it has none, or more than one
        return None
