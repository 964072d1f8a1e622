"""The decorator that logs each call of a predict function."""

import functools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from inspect import Parameter

Function = TypeVar("Function", bound=Callable[..., Any])


class EventLog(Protocol):
    """What calls are logged to."""

    def log(self, *, features: Any, y_pred: Any, latency_ms: float) -> bool:
        """Log one prediction."""

    def log_batch(self, *, features: Any, y_pred: Any, latency_ms: float) -> bool:
        """Log one prediction for each row."""


def watch_calls(events: EventLog, function: Function) -> Function:
    """Return a function that does the same and logs each call that returns."""
    import inspect  # noqa: PLC0415 - slow to import, and only this decorator needs it

    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(watch_calls(events, function.__func__))
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some functions written in C have no signature
        parameters = []
    calls = _CallLogger(events, parameters)

    if any(map(inspect.iscoroutinefunction, (function, type(function).__call__))):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            features = calls.features(args, kwargs)
            started = time.perf_counter()
            result = await function(*args, **kwargs)
            calls.log(features, result, (time.perf_counter() - started) * 1_000)
            return result

    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            features = calls.features(args, kwargs)
            started = time.perf_counter()
            result = function(*args, **kwargs)
            calls.log(features, result, (time.perf_counter() - started) * 1_000)
            return result

    return cast("Function", wrapper)


class _CallLogger:
    """Finds the features and predictions in the arguments and results of one function."""

    def __init__(self, events: EventLog, parameters: "list[Parameter]") -> None:
        self._events = events
        self._names = [
            each.name
            for each in parameters
            if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
        ]
        self._defaults = {
            each.name: each.default for each in parameters if each.default is not each.empty
        }

    def features(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the features of a call, before it runs: a copy of a mapping, or a frame itself.

        None if looking for them fails.
        """
        try:
            given = {**self._defaults, **dict(zip(self._names, args, strict=False)), **kwargs}
            if self._names and self._names[0] in {"self", "cls"}:
                given.pop(self._names[0], None)
            containers = [each for each in given.values() if _is_container(each)]
            if len(containers) == 1:
                return dict(containers[0]) if isinstance(containers[0], Mapping) else containers[0]
            return {key: each for key, each in given.items() if _is_scalar(each)}
        except Exception:  # noqa: BLE001 - an argument may raise anything when it is inspected
            return None

    def log(self, features: Any, result: Any, latency_ms: float) -> None:
        """Log a call that returned a result."""
        try:
            if features is not None and not isinstance(features, dict):
                if _has_length(result, len(features)):
                    self._events.log_batch(features=features, y_pred=result, latency_ms=latency_ms)
                    return
                features = None
            y_pred = result if _is_scalar(result) else _only_item(result)
        except Exception:  # noqa: BLE001 - a result may raise anything too
            features, y_pred = None, None
        self._events.log(features=features, y_pred=y_pred, latency_ms=latency_ms)


def _is_container(value: Any) -> bool:
    """Return whether a value is a mapping or a frame, which hold features."""
    return isinstance(value, Mapping) or (hasattr(value, "columns") and hasattr(value, "__len__"))


def _has_length(result: Any, rows: int) -> bool:
    """Return whether a result is one prediction for each row."""
    return (
        not isinstance(result, (str, bytes, Mapping))
        and hasattr(result, "__len__")
        and len(result) == rows
    )


def _is_scalar(value: Any) -> bool:
    """Return whether a value can be a feature; numpy's scalars have `item` and no dimensions."""
    if isinstance(value, (str, int, float)):
        return True
    return hasattr(value, "item") and getattr(value, "ndim", None) == 0


def _only_item(value: Any) -> Any:
    """Return the element of an array or tensor of size one; None for anything else."""
    try:
        return value.item()
    except Exception:  # noqa: BLE001 - it has no item, or more than one
        return None
