"""The class that a model server uses."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from mlguard.columns import count_rows, table_from_columns
from mlguard.observation import Observation
from mlguard.queueing import QueueingLogger
from mlguard.records import fields_of
from mlguard.tables import Outcome, warn_left_out
from mlguard.watch import watch_calls

if TYPE_CHECKING:
    from datetime import datetime

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Guard(QueueingLogger):
    """Logger of one model's predictions.

    Events go to a bounded queue, and one background thread sends them to the sidecar. After
    construction no method raises, and only `flush` and `close` wait. Events that find the queue
    full are dropped and counted. A guard may be used from any thread. In a forked child it
    continues with an empty queue. A copy, such as one that is unpickled with a model, is a new
    guard with the same arguments; a name that neither these nor its environment give is that of
    the original.

    ::

        guard = Guard(project="shop", model="churn_v1")
        guard.log(features={"age": 29}, y_pred=1, y_proba=0.81, latency_ms=42)

    Args:
        project: name of the project, 1 to 128 printable characters; by default MLGUARD_PROJECT.
        model: name of the model, likewise; by default MLGUARD_MODEL.
        endpoint: name of the endpoint, likewise; by default MLGUARD_ENDPOINT, else `predict`.
        socket: path of the sidecar's Unix socket; by default MLGUARD_SOCKET, else the first of
            the sidecar's default paths that exists.
        queue_size: how many events of `log` may wait; events of `log_batch` may be as many again.
        flush_seconds: how long the end of the process may wait for the sidecar, and a `flush` or
            `close` without a timeout of its own.

    Raises:
        ValueError: a name is missing or invalid, or a number is out of range.
        TypeError: `socket` is not a path.
    """

    def log(
        self,
        *,
        features: Any = None,
        y_pred: Any = None,
        y_proba: Any = None,
        latency_ms: float | None = None,
        timestamp: "float | datetime | str | None" = None,
        id: Any = None,
    ) -> bool:
        """Log one prediction.

        Args:
            features: name to number, bool, string or None, copied at once; or an object with such
                fields (a dataclass, a pydantic model). At most 512: further ones are left out.
            y_pred: the prediction: a number, bool or string.
            y_proba: its probability, from 0 to 1, or a mapping of classes to probabilities.
            latency_ms: how long the prediction took, in milliseconds.
            timestamp: when it was made, as epoch seconds, a datetime or an RFC 3339 string, in
                UTC if it has no offset; by default now.
            id: by which `outcome` finds the prediction: a string of at most 128 characters, an
                integer, or a UUID.

        Returns:
            Whether it was queued; false if the queue is full or the guard closed.
        """
        # This runs in the host's time: no lock, no call that can be avoided. See EventQueue.
        try:
            events = self._queue
            queue = events.queue
            waiting = len(queue)
            if waiting >= events.size:
                return self._drop("closed" if events.closed else "queue_full", 1)
            queue.append(
                (
                    time.time() if timestamp is None else timestamp,
                    latency_ms,
                    y_pred,
                    dict(y_proba) if type(y_proba) is dict else y_proba,
                    None if features is None else dict(features),
                    id,
                )
            )
        except Exception as error:  # noqa: BLE001 - the host's objects may raise anything
            row = timestamp, latency_ms, y_pred, y_proba, id
            return self._log_record(features, row, error)
        if waiting >= events.wake_at:
            self._wake()
        return True

    def log_batch(
        self,
        *,
        features: Any = None,
        y_pred: Any = None,
        y_proba: Any = None,
        latency_ms: Any = None,
        timestamp: Any = None,
        id: Any = None,
        feature_names: Iterable[Any] | None = None,
        classes: Iterable[Any] | None = None,
    ) -> bool:
        """Log many predictions, as columns of one length: all of them or none.

        A column is a list, an array, a tensor, a Series or the like; it is copied at once.

        ::

            guard.log_batch(
                features=matrix,
                feature_names=["age", "balance"],
                y_pred=model.predict(matrix),
                y_proba=model.predict_proba(matrix),
                classes=model.classes_,
            )

        Args:
            features: a mapping of names to columns; a DataFrame of pandas, polars or the like; a
                structured array; a list of records (mappings, dataclasses, pydantic models); or a
                matrix: an array of two dimensions or a list of rows. At most 512 columns: further
                ones are left out.
            y_pred: the predictions.
            y_proba: their probabilities: a column of numbers or of mappings of classes to
                probabilities, or the matrix of `predict_proba`.
            latency_ms: a column, or one value for all rows, in milliseconds.
            timestamp: a column, or one value for all rows; by default now.
            id: a column of IDs, as in `log`.
            feature_names: names of the columns of a matrix, by default x0, x1 and so on; of
                other features, which columns to log.
            classes: names of the columns of a matrix `y_proba`, each row of which then is a
                mapping of classes to probabilities; by default only its largest number is logged.

        Returns:
            Whether they were queued.
        """
        try:
            table = table_from_columns(
                features=features,
                y_pred=y_pred,
                y_proba=y_proba,
                latency_ms=latency_ms,
                timestamp=timestamp,
                id=id,
                feature_names=feature_names,
                classes=classes,
                on_left_out=partial(warn_left_out, self._counters),
            )
            events = self._queue
            waiting = len(events.queue)
            if not events.put_table(table):
                return self._drop("closed" if events.closed else "queue_full", table.rows)
        except Exception as error:  # noqa: BLE001 - the host's objects may raise anything
            return self._drop("unusable_batch", count_rows(y_pred, features), error)
        if waiting >= events.wake_at or events.table_rows > events.wake_at:
            self._wake()
        return True

    def outcome(self, id: Any, y_true: Any, *, y_pred: Any = None, y_proba: Any = None) -> bool:
        """Log the truth of a prediction, which may arrive minutes or weeks later.

        ::

            guard.log(features=row, y_pred=1, y_proba=0.81, id="order-17")
            guard.outcome("order-17", y_true=0)

        Args:
            id: that of the prediction; an ID counts once.
            y_true: the truth: a number, bool or string.
            y_pred: the prediction, if no sidecar can be expected to know it by its ID.
            y_proba: its probability, or a mapping of classes to probabilities.

        Returns:
            Whether it was queued; false if the queue is full or the guard closed.
        """
        try:
            events = self._queue
            waiting = len(events.queue)
            if waiting >= events.size:
                return self._drop("closed" if events.closed else "queue_full", 1)
            scores = dict(y_proba) if type(y_proba) is dict else y_proba
            events.queue.append(Outcome(id, y_true, y_pred, scores))
        except Exception as error:  # noqa: BLE001 - the host's objects may raise anything
            return self._drop("unusable", 1, error)
        if waiting >= events.wake_at:
            self._wake()
        return True

    def observe(self, *, features: Any = None, id: Any = None) -> Observation:
        """Return a context manager that logs one prediction, with the duration of the block.

        ::

            with guard.observe(features=row) as seen:
                seen.y_pred = model.predict(row)
        """
        return Observation(self.log, features, id)

    @overload
    def watch(self, function: _Function) -> _Function: ...

    @overload
    def watch(
        self,
        *,
        feature_names: Iterable[Any] | None = None,
        classes: Iterable[Any] | None = None,
    ) -> Callable[[_Function], _Function]: ...

    def watch(
        self,
        function: Any = None,
        *,
        feature_names: Iterable[Any] | None = None,
        classes: Iterable[Any] | None = None,
    ) -> Any:
        """Decorate a predict function, sync or async, so that each call is logged.

        The features are the one argument that is a mapping, a dataclass, a pydantic model, or
        that has rows: a DataFrame, a matrix, a list of rows or of records. Without one, they are
        the arguments that are scalars, by name. An argument with rows is as many inferences as
        it has rows; it is logged only if the result has as many elements. The prediction is the
        result if it is a scalar or an array of one element. A generator is timed until it is
        exhausted. Calls that raise are not logged.

        ::

            @guard.watch
            def predict(age, country): ...

            @guard.watch(feature_names=["age", "balance"])
            def predict_rows(matrix): ...

        Args:
            function: what is decorated.
            feature_names: as in `log_batch`.
            classes: likewise.
        """

        def decorate(decorated: Any) -> Any:
            return watch_calls(self, self._warn_once, decorated, feature_names, classes)

        return decorate if function is None else decorate(function)

    def _log_record(self, features: Any, row: tuple[Any, ...], error: Exception) -> bool:
        """Log features that are no mapping, if they have named fields, after an error of `log`."""
        try:
            if isinstance(features, Mapping) or (fields := fields_of(features)) is None:
                return self._drop("unusable", 1, error)
        except Exception as another:  # noqa: BLE001 - the same
            return self._drop("unusable", 1, another)
        timestamp, latency_ms, y_pred, y_proba, name = row
        return self.log(
            features=fields,
            y_pred=y_pred,
            y_proba=y_proba,
            latency_ms=latency_ms,
            timestamp=timestamp,
            id=name,
        )
