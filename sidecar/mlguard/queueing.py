"""The part of a guard that queues, sends and waits, whatever it logs."""

import os
import weakref
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from mlguard.batcher import Batcher, line_prefix
from mlguard.connection import find_socket
from mlguard.counters import Counters, Stats
from mlguard.deferred_log import describe_error
from mlguard.encoding import fastest_encoder
from mlguard.event_queue import EventQueue
from mlguard.names import resolve_names
from mlguard.sender import BackgroundSender

_Self = TypeVar("_Self", bound="QueueingLogger")
_OWN_ATTRIBUTES = frozenset({"_recipe", "_flush_seconds", "_counters", "_queue", "_sender"})
"""What a copy does not copy; attributes of subclasses are copied."""


class QueueingLogger:
    """Owner of a queue and of the background thread that sends what is in it.

    The arguments are those of `Guard`.
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
        given = {"project": project, "model": model, "endpoint": endpoint}
        names = resolve_names(**given)
        if queue_size < 1:
            raise ValueError(f"queue_size must be at least 1, not {queue_size}")
        if not 0 <= flush_seconds < float("inf"):
            raise ValueError(f"flush_seconds must be 0 or more, not {flush_seconds}")
        path = None if socket is None else os.fsdecode(socket)
        options = {"socket": path, "queue_size": queue_size, "flush_seconds": flush_seconds}
        self._recipe = {**given, **options}, {**names, **options}
        self._flush_seconds = flush_seconds
        self._counters = Counters()
        self._queue = EventQueue(queue_size)
        batcher = Batcher(line_prefix(**names), fastest_encoder(), self._queue, self._counters)
        find = find_socket if path is None else partial(Path, path)
        self._sender = BackgroundSender(self._queue, batcher, self._counters, find, flush_seconds)
        # A guard that is garbage-collected must not leave its thread behind.
        weakref.finalize(self, self._sender.begin_close, flush_seconds).atexit = False

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the sidecar has answered for all events that were queued before.

        Args:
            timeout: seconds to wait; by default `flush_seconds`.

        Returns:
            Whether all are acknowledged, or rejected by the sidecar.
        """
        return self._wait(self._sender.flush, timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Accept no more events, send the queued ones, and drop those that remain.

        Args:
            timeout: seconds to wait; by default `flush_seconds`.

        Returns:
            Whether all events are acknowledged, or rejected by the sidecar.
        """
        return self._wait(self._sender.close, timeout)

    def stats(self) -> Stats:
        """Return the counts of events."""
        return self._sender.stats()

    def __getstate__(self) -> tuple[Any, dict[str, Any]]:
        others = {key: each for key, each in vars(self).items() if key not in _OWN_ATTRIBUTES}
        return self._recipe, others

    def __setstate__(self, state: tuple[Any, dict[str, Any]]) -> None:
        (given, resolved), others = state
        try:
            QueueingLogger.__init__(self, **given)
        except ValueError:  # its environment has no names
            QueueingLogger.__init__(self, **resolved)
        vars(self).update(others)

    def __enter__(self: _Self) -> _Self:  # noqa: PYI019 - Python 3.10 has no Self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _drop(self, reason: str, events: int, error: Exception | None = None) -> bool:
        """Count events as dropped; return false, which is the answer to the host."""
        detail = describe_error(error) if error else ""
        if self._counters.drop(reason, events, detail, was_queued=False):
            self._wake()
        return False

    def _warn_once(self, kind: Hashable, text: str) -> None:
        if self._counters.log.warn_once(kind, text):
            self._wake()

    def _count_unread(self, reason: str, kind: Hashable, text: str) -> None:
        """Count what a middleware could not read, and warn of each kind once."""
        self._counters.count_unread(reason)
        self._warn_once(kind, text)

    def _wake(self) -> None:
        try:
            self._sender.wake()
        except Exception as error:  # noqa: BLE001 - no thread or no file descriptor: try again with the next event
            text = f"the background thread cannot be started: {describe_error(error)}"
            self._counters.log.warn_once("wake", text)

    def _wait(self, wait: Callable[[float], bool], timeout: float | None) -> bool:
        try:
            return wait(self._flush_seconds if timeout is None else max(0.0, timeout))
        except Exception as error:  # noqa: BLE001 - the same
            # There may be no background thread to log it, and the caller has time.
            text = f"waiting for the sidecar failed: {describe_error(error)}"
            self._counters.log.warn_once("wait", text)
            self._counters.log.flush()
            return False
