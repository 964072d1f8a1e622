"""What background senders do when the process forks or ends."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from contextlib import suppress
from typing import Protocol

from mlguard import deferred_log
from mlguard.child_exit import call_before_exit


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
_has_exit_hook: list[bool] = []


def register(sender: Sender) -> None:
    """Have a sender take part for as long as it lives."""
    _senders.add(sender)


def thread_started() -> None:
    """Note that a sender has started its thread in this process."""
    if not _has_exit_hook and call_before_exit(_at_exit):
        _has_exit_hook.append(True)


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
    _has_exit_hook.clear()
    for sender in list(_senders):
        sender.reset_after_fork()


atexit.register(_at_exit)
os.register_at_fork(
    before=deferred_log.before_fork,
    after_in_parent=deferred_log.after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
