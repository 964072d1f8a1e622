"""What background senders do when the process forks or ends."""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from contextlib import suppress
from typing import Protocol

from mlguard import deferred_log


class Sender(Protocol):
    """What takes part in forks and in the end of the process."""

    @property
    def exit_seconds(self) -> float:
        """How long the end of the process may wait for it."""

    def flush(self, seconds: float) -> bool:
        """Wait until all events are acknowledged; return whether they are."""

    def finish_in_this_thread(self, seconds: float) -> None:
        """Send all events from the calling thread."""

    def reset_after_fork(self) -> None:
        """Start afresh in a forked child."""


_senders: weakref.WeakSet[Sender] = weakref.WeakSet()
_exit_began: list[float] = []
_finalizers: list[object] = []


def register(sender: Sender) -> None:
    """Have a sender take part for as long as it lives."""
    _senders.add(sender)


def thread_started() -> None:
    """Note that a sender has started its thread in this process."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None and not _finalizers:
        # A child of multiprocessing runs its own finalizers and ends without atexit.
        from multiprocessing.util import Finalize  # noqa: PLC0415 - the host has imported it

        _finalizers.append(Finalize(None, _at_exit, exitpriority=0))


def _at_exit() -> None:
    """Flush all senders; their time limits run at the same time, once for each process."""
    if not _exit_began:
        _exit_began.append(time.monotonic())
    for sender in list(_senders):
        seconds = max(0.0, _exit_began[0] + sender.exit_seconds - time.monotonic())
        try:
            sender.flush(seconds)
        except Exception:  # noqa: BLE001 - some Pythons refuse to start a thread at exit
            with suppress(Exception):
                sender.finish_in_this_thread(seconds)


def _after_fork_in_child() -> None:
    deferred_log.after_fork_in_child()
    _exit_began.clear()
    _finalizers.clear()
    for sender in list(_senders):
        sender.reset_after_fork()


atexit.register(_at_exit)
os.register_at_fork(
    before=deferred_log.before_fork,
    after_in_parent=deferred_log.after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
