"""The decorator that logs each call of a predict function."""

import functools
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Hashable, Iterable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from mlguard.arguments import NO_FEATURES, ArgumentReader, CallFeatures
from mlguard.results import YieldedItems, prediction_of, predictions_of

Function = TypeVar("Function", bound=Callable[..., Any])


class EventLog(Protocol):
    """What calls are logged to."""

    def log(self, *, features: Any, y_pred: Any, latency_ms: float) -> bool:
        """Log one prediction."""

    def log_batch(
        self,
        *,
        features: Any,
        y_pred: Any = None,
        y_proba: Any = None,
        latency_ms: float,
        feature_names: list[Any] | None,
        classes: list[Any] | None,
    ) -> bool:
        """Log one prediction for each row."""


Warn: TypeAlias = Callable[[Hashable, str], object]
"""Logs a warning unless there was one of its kind."""


def watch_calls(
    events: EventLog,
    warn: Warn,
    function: Function,
    feature_names: Iterable[Any] | None = None,
    classes: Iterable[Any] | None = None,
) -> Function:
    """Return a function that does the same and logs each call that returns.

    Args:
        events: what the calls are logged to.
        warn: called with what cannot be logged, and its kind.
        function: sync or async; it may also be or return a generator or a coroutine.
        feature_names: names of the columns of a matrix among the arguments.
        classes: names of the columns of a matrix of probabilities that it returns.
    """
    import inspect  # noqa: PLC0415 - slow to import, and only this decorator needs it

    if isinstance(function, (classmethod, staticmethod)):
        inner = watch_calls(events, warn, function.__func__, feature_names, classes)
        return type(function)(inner)
    calls = _CallLogger(
        events,
        warn,
        function,
        None if feature_names is None else list(feature_names),
        None if classes is None else list(classes),
    )

    def is_any(kind: Callable[[Any], bool]) -> bool:
        return kind(function) or kind(type(function).__call__)

    # The wrapper is of the function's kind, which frameworks look at.
    if is_any(inspect.isasyncgenfunction):

        def begin(*args: Any, **kwargs: Any) -> tuple[_Call, Any]:
            return calls.begin(args, kwargs), function(*args, **kwargs)

        wrapped = functools.wraps(function)(_async_generator_function(begin))
        return cast("Function", wrapped)

    if is_any(inspect.iscoroutinefunction):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            call = calls.begin(args, kwargs)
            return call.finish(await function(*args, **kwargs))

    elif is_any(inspect.isgeneratorfunction):

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return (
                yield from _watch_generator(calls.begin(args, kwargs), function(*args, **kwargs))
            )

    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            call = calls.begin(args, kwargs)
            return call.finish(function(*args, **kwargs))

    return cast("Function", wrapper)


class _CallLogger:
    """Logs the calls of one function."""

    def __init__(
        self,
        events: EventLog,
        warn: Warn,
        function: Callable[..., Any],
        feature_names: list[Any] | None,
        classes: list[Any] | None,
    ) -> None:
        import inspect  # noqa: PLC0415 - the same

        self._events = events
        self._warn_once = warn
        self._function = getattr(function, "__qualname__", type(function).__qualname__)
        self._feature_names = feature_names
        self._classes = classes
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # some functions written in C have no signature
            parameters = []
        self._arguments = ArgumentReader(parameters, feature_names)

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "_Call":
        """Return a call that starts now, with the features of its arguments."""
        try:
            features = self._arguments.read(args, kwargs)
        except Exception:  # noqa: BLE001 - an argument may raise anything when it is inspected
            features = NO_FEATURES
        return _Call(self, features)

    def log(self, features: CallFeatures, result: Any, latency_ms: float) -> None:
        """Log a call that returned a result."""
        values = features.values
        try:
            if features.rows is not None:
                predictions = predictions_of(result, features.rows)
                if predictions is not None:
                    self._events.log_batch(
                        features=values,
                        latency_ms=latency_ms,
                        feature_names=self._feature_names,
                        classes=self._classes,
                        **predictions,
                    )
                    return
                values = None
                self._warn("its result has not one element for each row of its argument")
            elif values is None:
                self._warn("none is, or only one of them must be, a mapping or the like")
            elif features.is_vector and predictions_of(result, len(values)) and len(values) > 1:
                values = None
                self._warn("an array of one dimension may be one row or one column")
            y_pred = prediction_of(result)
        except Exception:  # noqa: BLE001 - a result may raise anything too
            values, y_pred = None, None
        self._events.log(features=values, y_pred=y_pred, latency_ms=latency_ms)

    def _warn(self, why: str) -> None:
        self._warn_once(
            ("watch", self._function),
            f"calls of {self._function} are logged without features, as none are found in its"
            f" arguments: {why}; give it one mapping, DataFrame, matrix, dataclass or pydantic"
            " model, or scalars, or call guard.log instead",
        )


class _Call:
    """One call of a function, which is logged once its result is there."""

    def __init__(self, calls: _CallLogger, features: CallFeatures) -> None:
        self._calls = calls
        self._features = features
        self._started = time.perf_counter()

    def finish(self, result: Any) -> Any:
        """Return the result, and log the call; now, or once the result is exhausted or awaited."""
        kind = type(result)
        if kind is GeneratorType:
            return _watch_generator(self, result)
        if kind is AsyncGeneratorType:
            return _async_generator_function(lambda: (self, result))()
        if kind is CoroutineType:
            return _watch_coroutine(self, result)
        self.log(result)
        return result

    def log(self, result: Any, seconds: float | None = None) -> None:
        """Log the call, with its duration until now by default."""
        seconds = self.seconds() if seconds is None else seconds
        self._calls.log(self._features, result, seconds * 1_000)

    def seconds(self) -> float:
        """Return how long it has taken until now."""
        return time.perf_counter() - self._started

    def new_items(self) -> YieldedItems:
        """Return where to put what a generator yields."""
        rows = self._features.rows
        return YieldedItems(1 if rows is None else rows)

    def log_items(self, items: YieldedItems, returned: Any, seconds: float | None = None) -> None:
        """Log the call of a generator that has ended."""
        self.log(items.result(returned, many=self._features.rows is not None), seconds)


async def _watch_coroutine(call: _Call, coroutine: Coroutine[Any, Any, Any]) -> Any:
    return call.finish(await coroutine)


def _watch_generator(call: _Call, stream: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Yield what a generator yields, and log the call at its end."""
    items = call.new_items()
    try:
        item = next(stream)
        while True:
            items.add(item)
            until_now = call.seconds()
            try:
                sent = yield item
            except GeneratorExit:
                stream.close()
                # Nobody may have asked for more for a long time.
                call.log_items(items, None, until_now)
                raise
            except BaseException as error:  # noqa: BLE001 - the generator's to handle
                item = stream.throw(error)
            else:
                item = stream.send(sent)
    except StopIteration as end:
        call.log_items(items, end.value)
        return end.value


def _async_generator_function(
    begin: Callable[..., tuple[_Call, AsyncGenerator[Any, Any]]],
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Return a function that does what `_watch_generator` does, with what `begin` returns."""

    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call, stream = begin(*args, **kwargs)
        items = call.new_items()
        try:
            item = await anext(stream)
            while True:
                items.add(item)
                until_now = call.seconds()
                try:
                    sent = yield item
                except GeneratorExit:
                    await stream.aclose()
                    call.log_items(items, None, until_now)
                    raise
                except BaseException as error:  # noqa: BLE001 - the generator's to handle
                    item = await stream.athrow(error)
                else:
                    item = await stream.asend(sent)
        except StopAsyncIteration:
            call.log_items(items, None)

    return wrapper
