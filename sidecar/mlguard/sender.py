"""The thread that sends events, and sends them again until the sidecar acknowledges them."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlguard import lifecycle
from mlguard.batcher import BATCH_ROWS, Batcher
from mlguard.connection import Connection
from mlguard.counters import Counters, Stats
from mlguard.deferred_log import describe_error
from mlguard.event_queue import NEVER, EventQueue
from mlguard.replies import handle_reply
from mlguard.unacked_batches import UnackedBatches
from mlguard.waker import Waker

GATHER_SECONDS = 0.05
"""How long the first event of a batch waits for others."""
MIN_BACKOFF_SECONDS = 0.025
MAX_BACKOFF_SECONDS = 1.0


class PendingFlush:
    """A caller that waits until everything enqueued so far is acknowledged.

    Attributes:
        enqueued: how many entries of the queue that is.
        seq: number of the batch that holds the last of them; None before they are batched.
        done: set when the wait is over.
        succeeded: whether they are acknowledged.
    """

    def __init__(self, enqueued: int) -> None:
        self.enqueued = enqueued
        self.seq: int | None = None
        self.done = threading.Event()
        self.succeeded = False


class BackgroundSender:
    """Sends what is in the queue to the sidecar, from a thread that starts with the first event.

    Args:
        queue: where the events come from.
        batcher: makes batches of them.
        counters: counts what is dropped.
        find_socket: returns the path to connect to, before each attempt.
        exit_seconds: how long the end of the process may wait.
    """

    def __init__(
        self,
        queue: EventQueue,
        batcher: Batcher,
        counters: Counters,
        find_socket: Callable[[], Path],
        exit_seconds: float,
    ) -> None:
        self.exit_seconds = exit_seconds
        self._queue = queue
        self._batcher = batcher
        self._counters = counters
        self._find_socket = find_socket
        self._reset()
        lifecycle.register(self)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._waker: Waker | None = None
        self._thread: threading.Thread | None = None
        self._connection = Connection()
        self._batches = UnackedBatches()
        self._flushes: list[PendingFlush] = []
        self._gather_until: float | None = None
        self._stop_at: float | None = None
        self._retry_at = 0.0
        self._failures = 0
        self._is_down = False
        self._down_text = ""
        self._gave_up = False

    # Called by other threads.

    def wake(self) -> None:
        """Have the thread look at the queue; start it if it does not run."""
        # The thread sets it back before it sleeps: until then no other caller need wake it.
        self._queue.wake_at = NEVER
        try:
            if self._waker is None:
                self._start()
            else:
                self._waker.wake()
        except BaseException:
            self._queue.wake_at = 0  # there is no thread to set it back: the next event tries again
            raise

    def flush(self, seconds: float) -> bool:
        """Wait until all queued events are acknowledged; return whether they are in time."""
        if self._waker is None and self._batcher.is_idle:
            return True
        if self._queue.closed:
            return self._join(seconds)
        flush = PendingFlush(self._queue.enqueued())
        with self._lock:
            self._flushes.append(flush)
        try:
            self.wake()
            return flush.done.wait(seconds) and flush.succeeded
        finally:
            with self._lock:  # or flushes that time out would accumulate
                self._flushes.remove(flush)

    def close(self, seconds: float) -> bool:
        """Accept no more events, send the queued ones within the time, and end the thread.

        Returns:
            Whether all events are acknowledged.
        """
        self.begin_close(seconds)
        return self._join(seconds + GATHER_SECONDS)

    def begin_close(self, seconds: float) -> None:
        """Do what `close` does, without waiting for it."""
        self._queue.close()
        if self._stop_at is None:
            self._stop_at = time.monotonic() + seconds
        if self._waker is not None:
            self.wake()

    def finish_in_this_thread(self, seconds: float) -> None:
        """Close, and send from the calling thread, if no other could be started."""
        if self._waker is None:
            self.begin_close(seconds)
            self._waker = Waker()
            self._run(self._waker)

    def stats(self) -> Stats:
        """Return the counts of events."""
        # Read in the order in which events move, so that none is missed: what is not yet settled,
        # whatever the background thread is doing with it, is queued.
        dropped, dropped_from_queue = self._counters.drops()
        counts = self._batches.counts
        rejected = sum(counts.rejected.values())
        settled = dropped_from_queue + counts.unacknowledged + counts.acknowledged + rejected
        return Stats(
            queued=max(0, self._queue.accepted() - settled),
            sent=counts.sent,
            acknowledged=counts.acknowledged,
            dropped=sum(dropped.values()),
            dropped_by_reason=dropped,
            rejected=rejected,
            rejected_by_reason=dict(counts.rejected),
            unacknowledged=counts.unacknowledged,
            unread_by_reason=self._counters.unread_by_reason(),
        )

    def reset_after_fork(self) -> None:
        """Forget all events and the connection, in a forked child: the parent handles them."""
        self._connection.close()
        if self._waker is not None:
            self._waker.close()
        self._queue.reset()
        self._batcher.reset()
        self._counters.reset()
        self._reset()

    def _start(self) -> None:
        with self._lock:
            if self._waker is not None:
                return
            # Set first: a signal handler that logs meanwhile must not start another thread.
            waker = self._waker = Waker()
            thread = threading.Thread(target=self._run, args=(waker,), name="mlguard", daemon=True)
            try:
                thread.start()
            except BaseException:
                self._waker = None  # which also ends the thread, if an interrupt was the error
                waker.close()
                raise
            self._thread = thread
        lifecycle.thread_started()

    def _join(self, seconds: float) -> bool:
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)
        return self._has_sent_all

    @property
    def _has_sent_all(self) -> bool:
        return not self._gave_up and self._batcher.is_idle and self._batches.is_empty

    # Called by the thread itself.

    def _run(self, waker: Waker) -> None:
        with self._lock:
            if self._waker is not waker:
                return
        while True:
            try:
                if not self._run_once(waker):
                    break
            except BaseException as error:  # noqa: BLE001 - if the thread ended, all events would wait for ever
                text = f"internal error: {describe_error(error)}"
                self._counters.log.warn_once("internal_error", text)
                self._counters.drop("internal_error", self._batcher.discard_in_progress())
                self._disconnect(error)
                time.sleep(MAX_BACKOFF_SECONDS)
        self._connection.close()
        self._gave_up = not self._has_sent_all
        self._batcher.discard_all()
        self._counters.drop("closed", self._batches.discard_all())
        for flush in list(self._flushes):
            flush.done.set()
        self._counters.log.flush()
        waker.close()

    def _run_once(self, waker: Waker) -> bool:
        """Do what can be done, then wait for more; return false when the thread should end."""
        try:
            if self._connection.is_open:
                self._handle_replies(self._connection.replies())
            self._batch()
            self._send()
        except OSError as error:
            self._disconnect(error)
        self._counters.log.flush()
        self._complete_flushes()
        stop_at = self._stop_at
        if stop_at is not None and (self._has_sent_all or time.monotonic() >= stop_at):
            return False
        self._wait(waker)
        return True

    def _complete_flushes(self) -> None:
        for flush in list(self._flushes):
            if flush.seq is None and self._batcher.batched >= flush.enqueued:
                flush.seq = self._batches.last_seq
            if flush.seq is not None and flush.seq <= self._batches.acknowledged_seq:
                flush.succeeded = True
                flush.done.set()

    def _batch(self) -> None:
        if self._is_batch_due() and not self._batches.is_full:
            self._gather_until = None
            self._batcher.add_next_batch(self._batches)

    def _is_batch_due(self) -> bool:
        """Return whether to batch now; the first call that finds events sets the time limit."""
        if self._batcher.is_idle:
            return False
        now = time.monotonic()
        if self._gather_until is None:
            self._gather_until = now + GATHER_SECONDS
        return (
            self._batcher.has_full_batch
            or self._stop_at is not None
            or any(flush.seq is None for flush in list(self._flushes))
            or now >= self._gather_until
        )

    def _send(self) -> None:
        connection, batches = self._connection, self._batches
        if batches.next_unsent() and not connection.is_open and time.monotonic() >= self._retry_at:
            self._connect()
        if not connection.is_open:
            return
        while (batch := batches.next_unsent()) is not None:
            batches.mark_sending(batch)
            connection.send(batch.line)
            batches.mark_sent()
        dropped = self._counters.unreported_drops()
        if dropped:
            connection.send(b'{"stats":{"dropped":%d}}\n' % dropped)
            self._counters.mark_reported(dropped)

    def _connect(self) -> None:
        last_seq = self._connection.open(self._find_socket())
        if not self._batches.acknowledge(last_seq):
            # The sidecar would take the next numbers for batches that it has.
            self._connection.renew_client()
            raise ConnectionAbortedError(
                f"the sidecar answered hello with number {last_seq}, which was never sent"
            )

    def _handle_replies(self, replies: list[dict[str, Any]]) -> None:
        for reply in replies:
            if handle_reply(reply, self._batches, self._counters):
                self._mark_recovered()

    def _mark_recovered(self) -> None:
        self._failures = 0
        if self._is_down:
            self._is_down = False
            self._counters.log.add(logging.INFO, "the sidecar can be reached again")

    def _disconnect(self, error: BaseException) -> None:
        """Close the connection after an error, and set the time of the next attempt."""
        self._connection.close()
        self._batches.rewind()
        backoff = min(MAX_BACKOFF_SECONDS, MIN_BACKOFF_SECONDS * 2 ** min(self._failures, 10))
        self._retry_at = time.monotonic() + backoff * (0.5 + os.urandom(1)[0] / 512)
        self._failures += 1
        text = f"the sidecar cannot be reached, events are queued: {describe_error(error)}"
        # Missing rights show only once the sidecar runs, after other errors.
        is_news = isinstance(error, PermissionError) and text != self._down_text
        if not self._is_down or is_news:
            self._is_down = True
            self._down_text = text
            self._counters.log.add(logging.WARNING, text)

    def _wait(self, waker: Waker) -> None:
        """Sleep until there is something to do, without a time limit if nothing is under way."""
        deadlines = [] if self._stop_at is None else [self._stop_at]
        if self._batches.next_unsent():
            deadlines.append(self._retry_at)
        if not self._batches.is_full:
            # First set when to be woken, then look again: events before that did not wake.
            self._queue.wake_at = 0 if self._batcher.is_idle else BATCH_ROWS - 1
            if self._is_batch_due():
                return
            if self._gather_until is not None:
                deadlines.append(self._gather_until)
        seconds = min(deadlines) - time.monotonic() if deadlines else None
        waker.wait(self._connection.fileno(), seconds)
