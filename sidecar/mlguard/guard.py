"""What a model server calls."""

import os
import time
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from mlguard import packing, paths
from mlguard.calls import Observation, watched
from mlguard.delivery import Delivery
from mlguard.encoding import fastest_encoder
from mlguard.queues import Intake
from mlguard.tables import FEATURES_LIMIT, table_of
from mlguard.tally import Stats, Tally, shown

if TYPE_CHECKING:
    from datetime import datetime

NAME_LIMIT = 128

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Guard:
    """Reports one model's predictions to the sidecar beside it.

    After construction nothing raises, and nothing but `flush` and `close` waits: events go to
    a bounded queue, which one background thread empties. What finds the queue full is dropped
    and counted. It may be used from any thread, and goes on, with an empty queue, in a forked
    child.

    Args:
        project: the project's name, 1 to 128 printable characters; else MLGUARD_PROJECT.
        model: the model's name, likewise; else MLGUARD_MODEL.
        endpoint: the endpoint's name, likewise; else MLGUARD_ENDPOINT, else `predict`.
        socket: the sidecar's Unix socket; else MLGUARD_SOCKET, else where a sidecar serves.
        queue_size: how many events may wait; events of `log_batch` may be as many again.
        flush_seconds: how long the process's end, or a `flush` or `close` without a time of
            its own, may wait for the sidecar.

    Raises:
        ValueError: a name is missing or unfit, or a number out of its range.
    """

    def __init__(
        self,
        project: str | None = None,
        model: str | None = None,
        endpoint: str | None = None,
        *,
        socket: str | os.PathLike[str] | None = None,
        queue_size: int = 10_000,
        flush_seconds: float = 2.0,
    ) -> None:
        head = packing.head(
            _name("project", project, "MLGUARD_PROJECT"),
            _name("model", model, "MLGUARD_MODEL"),
            _name("endpoint", endpoint, "MLGUARD_ENDPOINT", default="predict"),
        )
        if queue_size < 1:
            raise ValueError(f"queue_size must be at least 1, not {queue_size}")
        if not 0 <= flush_seconds < float("inf"):
            raise ValueError(f"flush_seconds must be 0 or more, not {flush_seconds}")
        self._flush_seconds = flush_seconds
        self._tally = Tally()
        self._intake = Intake(queue_size)
        packer = packing.Packer(head, fastest_encoder(), self._intake, self._tally)
        find_socket = paths.socket_to_reach if socket is None else partial(Path, socket)
        self._delivery = Delivery(self._intake, packer, self._tally, find_socket, flush_seconds)
        # A guard that is simply forgotten must not leave its thread behind.
        weakref.finalize(self, self._delivery.retire, flush_seconds).atexit = False

    def log(
        self,
        *,
        features: Mapping[str, Any] | None = None,
        y_pred: Any = None,
        y_proba: Any = None,
        latency_ms: float | None = None,
        timestamp: "float | datetime | str | None" = None,
    ) -> bool:
        """Take one prediction; return whether there was room for it.

        Args:
            features: name to number, bool, text or None, at most 512; copied at once.
            y_pred: the prediction: a number, bool or text.
            y_proba: its score from 0 to 1, or a mapping of classes to theirs.
            latency_ms: how long it took, in milliseconds.
            timestamp: when it was made, as epoch seconds, datetime or RFC 3339 text, in UTC
                unless it says otherwise; now if not given.
        """
        # This is the host's time: no lock, no call that can be spared. See Intake.
        try:
            intake = self._intake
            queue = intake.queue
            waiting = len(queue)
            if waiting >= intake.size:
                return self._drop("closed" if intake.closed else "queue_full", 1)
            queue.append(
                (
                    time.time() if timestamp is None else timestamp,
                    latency_ms,
                    y_pred,
                    dict(y_proba) if type(y_proba) is dict else y_proba,
                    None if features is None else dict(features),
                )
            )
        except Exception as error:  # noqa: BLE001 - the host's objects may raise, the host may not see it
            return self._drop("unusable", 1, error)
        if waiting >= intake.wake_at:
            self._rouse()
        return True

    def log_batch(
        self,
        *,
        features: Any = None,
        y_pred: Any = None,
        y_proba: Any = None,
        latency_ms: Any = None,
        timestamp: Any = None,
    ) -> bool:
        """Take many predictions as columns of one length, all of them or none.

        Args:
            features: a mapping of names to columns, or a DataFrame of pandas or polars. A
                column here and below is a list, an array or anything like them; copied at once.
            y_pred: the predictions.
            y_proba: their scores.
            latency_ms: a column, or one value for all.
            timestamp: a column, or one value for all; now if not given.

        Returns:
            Whether they were taken.
        """
        try:
            table = table_of(
                features=features,
                y_pred=y_pred,
                y_proba=y_proba,
                latency_ms=latency_ms,
                timestamp=timestamp,
            )
            if len(table.features or ()) > FEATURES_LIMIT:
                return self._drop("too_many_features", table.rows)
            if not self._intake.put_table(table):
                return self._drop("closed" if self._intake.closed else "queue_full", table.rows)
        except Exception as error:  # noqa: BLE001 - the same
            return self._drop("unusable_batch", _rows(y_pred, features), error)
        self._rouse()
        return True

    def observe(self, *, features: Mapping[str, Any] | None = None) -> Observation:
        """Return a context manager that logs one prediction with the block's duration.

        ::

            with guard.observe(features=row) as seen:
                seen.y_pred = model.predict(row)
        """
        return Observation(self.log, features)

    def watch(self, function: _Function) -> _Function:
        """Decorate a predict function, sync or async, so that each call is logged.

        The features are the one argument that is a mapping, or a DataFrame whose result has as
        many elements as it has rows; else the arguments that are plain values, by name. The
        prediction is the result, if it is a plain value or an array of one. Calls that raise are
        not logged.
        """
        return watched(self, function)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was taken before is acknowledged.

        Args:
            timeout: seconds to wait at most; `flush_seconds` if not given.

        Returns:
            Whether it is.
        """
        return self._waited(self._delivery.flush, timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Take nothing more, and deliver what was taken; what then is left is dropped.

        Args:
            timeout: seconds to wait at most; `flush_seconds` if not given.

        Returns:
            Whether all was delivered.
        """
        return self._waited(self._delivery.close, timeout)

    def stats(self) -> Stats:
        """Return counts of what became of the events."""
        return self._delivery.stats()

    def __enter__(self) -> "Guard":  # noqa: PYI034 - Python 3.10 has no Self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _drop(self, reason: str, events: int, error: Exception | None = None) -> bool:
        """Count events that are not taken; always false, which is what the host is told."""
        if self._tally.drop(reason, events, shown(error) if error else ""):
            self._rouse()
        return False

    def _rouse(self) -> None:
        try:
            self._delivery.rouse()
        except Exception as error:  # noqa: BLE001 - no thread, no descriptors left: try again next time
            self._tally.notices.once("rouse", f"events wait: {shown(error)}")

    def _waited(self, wait: Callable[[float], bool], timeout: float | None) -> bool:
        try:
            return wait(self._flush_seconds if timeout is None else max(0.0, timeout))
        except Exception as error:  # noqa: BLE001 - the same
            # There may be no thread that could tell; and this one has time.
            self._tally.notices.once("wait", f"waiting for the sidecar failed: {shown(error)}")
            self._tally.notices.speak()
            return False


def _name(what: str, given: str | None, variable: str, default: str = "") -> str:
    """Return a name that was given, or stands in the environment, or is the default."""
    name = given if given is not None else os.environ.get(variable, "") or default
    if not name:
        raise ValueError(f"{what} is missing: give Guard a {what}, or set {variable}")
    if not isinstance(name, str) or len(name) > NAME_LIMIT or not name.isprintable():
        raise ValueError(
            f"{what} must be 1 to {NAME_LIMIT} printable characters, not {name!r:.200}"
        )
    return name


def _rows(*columns: Any) -> int:
    """Guess how many events an unusable batch had; at least one, so that it is counted."""
    for column in columns:
        try:
            if not isinstance(column, Mapping):
                return max(1, len(column))
            return max(1, *(len(each) for each in column.values()))
        except Exception:  # noqa: BLE001, PERF203, S112 - a guess
            continue
    return 1
