"""The thread that packs, sends, and sends again until the sidecar has acknowledged."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlguard import lifecycle
from mlguard.link import Bell, Link
from mlguard.packing import BATCH_ROWS, Packer
from mlguard.queues import NEVER, Flush, Intake, Outbox
from mlguard.tally import Stats, Tally, shown

GATHER_SECONDS = 0.05
BACKOFF_LEAST_SECONDS = 0.025
BACKOFF_MOST_SECONDS = 1.0


class Delivery:
    """Brings what is in the intake to the sidecar; its thread starts with the first event."""

    def __init__(
        self,
        intake: Intake,
        packer: Packer,
        tally: Tally,
        find_socket: Callable[[], Path],
        exit_seconds: float,
    ) -> None:
        self.exit_seconds = exit_seconds
        self._intake = intake
        self._packer = packer
        self._tally = tally
        self._find_socket = find_socket
        self._reset()
        lifecycle.enlist(self)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._bell: Bell | None = None
        self._thread: threading.Thread | None = None
        self._link = Link()
        self._outbox = Outbox()
        self._flushes: list[Flush] = []
        self._gather_until: float | None = None
        self._stop_at: float | None = None
        self._retry_at = 0.0
        self._failures = 0
        self._is_down = False
        self._gave_up = False

    # What other threads call.

    def rouse(self) -> None:
        """Have the thread look at the intake; start it if there is none."""
        # Set back by the thread before it sleeps: meanwhile no other caller need come here.
        self._intake.wake_at = NEVER
        try:
            if self._bell is None:
                self._start()
            else:
                self._bell.ring()
        except BaseException:
            self._intake.wake_at = 0  # there is no thread to do it: the next event tries again
            raise

    def flush(self, seconds: float) -> bool:
        """Wait until all that was taken is acknowledged; false if that takes longer."""
        if self._bell is None and self._packer.is_idle:
            return True
        if self._intake.closed:
            return self._await_end(seconds)
        flush = Flush(self._intake.put_in())
        with self._lock:
            self._flushes.append(flush)
        try:
            self.rouse()
            return flush.done.wait(seconds) and flush.delivered
        finally:
            with self._lock:  # or calls that are not answered would pile up
                self._flushes.remove(flush)

    def close(self, seconds: float) -> bool:
        """Take nothing more, deliver what was taken within the time, and end the thread."""
        self.retire(seconds)
        return self._await_end(seconds + GATHER_SECONDS)

    def retire(self, seconds: float) -> None:
        """Do as close does, without waiting."""
        self._intake.close()
        if self._stop_at is None:
            self._stop_at = time.monotonic() + seconds
        if self._bell is not None:
            self.rouse()

    def finish_here(self, seconds: float) -> None:
        """Close, and do the thread's work in this one, if no other could be started."""
        if self._bell is None:
            self.retire(seconds)
            self._bell = Bell()
            self._run(self._bell)

    def stats(self) -> Stats:
        """Count what became of the events."""
        dropped = self._tally.by_reason()
        outbox = self._outbox
        return Stats(
            queued=self._intake.waiting() + self._packer.in_hand + outbox.unsent_events,
            sent=outbox.sent,
            acknowledged=outbox.acknowledged,
            dropped=sum(dropped.values()),
            dropped_by_reason=dropped,
        )

    def begin_anew(self) -> None:
        """Forget the parent's doings, in a forked child: they are the parent's to finish."""
        self._link.close()
        if self._bell is not None:
            self._bell.close()
        self._intake.reset()
        self._packer.reset()
        self._tally.reset()
        self._reset()

    def _start(self) -> None:
        with self._lock:
            if self._bell is not None:
                return
            # Set first: a signal handler that logs meanwhile must not start another thread.
            bell = self._bell = Bell()
            thread = threading.Thread(target=self._run, args=(bell,), name="mlguard", daemon=True)
            try:
                thread.start()
            except BaseException:
                self._bell = None  # which also ends the thread, if it was an interrupt that came
                bell.close()
                raise
            self._thread = thread
        lifecycle.started()

    def _await_end(self, seconds: float) -> bool:
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)
        return self._has_delivered_all

    @property
    def _has_delivered_all(self) -> bool:
        return not self._gave_up and self._packer.is_idle and self._outbox.is_empty

    # What the thread does.

    def _run(self, bell: Bell) -> None:
        with self._lock:
            if self._bell is not bell:
                return
        while True:
            try:
                if not self._turn(bell):
                    break
            except BaseException as error:  # noqa: BLE001 - nothing may end the thread, or all waits for ever
                self._tally.notices.once("internal_error", f"an error inside: {shown(error)}")
                self._tally.drop("internal_error", self._packer.lose_in_hand())
                self._lose(error)
                time.sleep(BACKOFF_MOST_SECONDS)
        self._link.close()
        self._gave_up = not self._has_delivered_all
        self._packer.abandon()
        self._tally.drop("closed", self._outbox.abandon())
        for flush in list(self._flushes):
            flush.done.set()
        self._tally.notices.speak()
        bell.close()

    def _turn(self, bell: Bell) -> bool:
        """Do whatever can be done, then wait for more; false when it is over."""
        try:
            if self._link.is_open:
                self._heed(self._link.replies())
            self._pack()
            self._send()
        except OSError as error:
            self._lose(error)
        self._tally.notices.speak()
        self._answer_flushes()
        stop_at = self._stop_at
        if stop_at is not None and (self._has_delivered_all or time.monotonic() >= stop_at):
            return False
        self._wait(bell)
        return True

    def _answer_flushes(self) -> None:
        for flush in list(self._flushes):
            if flush.seq is None and self._packer.packed >= flush.put_in:
                flush.seq = self._outbox.last_seq
            if flush.seq is not None and flush.seq <= self._outbox.settled_seq:
                flush.delivered = True
                flush.done.set()

    def _pack(self) -> None:
        if self._is_due() and not self._outbox.full:
            self._gather_until = None
            self._packer.pack(self._outbox)

    def _is_due(self) -> bool:
        """Tell whether it is time to pack; the first look at something waiting sets the time."""
        if self._packer.is_idle:
            return False
        now = time.monotonic()
        if self._gather_until is None:
            self._gather_until = now + GATHER_SECONDS
        return (
            self._packer.is_due
            or self._stop_at is not None
            or any(flush.seq is None for flush in list(self._flushes))
            or now >= self._gather_until
        )

    def _send(self) -> None:
        link, outbox = self._link, self._outbox
        if outbox.next_unsent() and not link.is_open and time.monotonic() >= self._retry_at:
            self._connect()
        if not link.is_open:
            return
        while (batch := outbox.next_unsent()) is not None:
            outbox.sending(batch)
            link.send(batch.line)
            outbox.was_sent()
        dropped = self._tally.unreported()
        if dropped:
            link.send(b'{"stats":{"dropped":%d}}\n' % dropped)
            self._tally.reported(dropped)

    def _connect(self) -> None:
        last_seq = self._link.open(self._find_socket())
        if not self._outbox.acknowledge(last_seq):
            # The sidecar would take our next numbers for ones that it has.
            self._link.rename()
            raise ConnectionAbortedError(f"the sidecar claims number {last_seq}, never sent")

    def _heed(self, replies: list[dict[str, Any]]) -> None:
        for reply in replies:
            seq, error = reply.get("ack"), reply.get("error")
            if isinstance(seq, int) and self._outbox.acknowledge(seq):
                self._recovered()
            if error is not None:
                text = f"the sidecar found an error: {error}"[:500]
                self._tally.notices.once("sidecar_error", text)

    def _recovered(self) -> None:
        self._failures = 0
        if self._is_down:
            self._is_down = False
            self._tally.notices.add(logging.INFO, "the sidecar is reached again")

    def _lose(self, error: BaseException) -> None:
        self._link.close()
        self._outbox.rewind()
        limit = min(BACKOFF_MOST_SECONDS, BACKOFF_LEAST_SECONDS * 2 ** min(self._failures, 10))
        self._retry_at = time.monotonic() + limit * (0.5 + os.urandom(1)[0] / 512)
        self._failures += 1
        if not self._is_down:
            self._is_down = True
            text = f"no connection to the sidecar, events wait for it: {shown(error)}"
            self._tally.notices.add(logging.WARNING, text)

    def _wait(self, bell: Bell) -> None:
        """Sleep until there is something to do, and for ever if nothing is under way."""
        until = [] if self._stop_at is None else [self._stop_at]
        if self._outbox.next_unsent():
            until.append(self._retry_at)
        if not self._outbox.full:
            # First say what to be woken for, then look again: what came before was not told.
            self._intake.wake_at = 0 if self._packer.is_idle else BATCH_ROWS - 1
            if self._is_due():
                return
            if self._gather_until is not None:
                until.append(self._gather_until)
        seconds = min(until) - time.monotonic() if until else None
        bell.wait(self._link.fileno(), seconds)
