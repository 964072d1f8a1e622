"""What deliveries must do when the process forks or ends."""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from mlguard import tally

if TYPE_CHECKING:
    from mlguard.delivery import Delivery


_enlisted: weakref.WeakSet[Delivery] = weakref.WeakSet()
_exit_began: list[float] = []
_finalizers: list[object] = []


def enlist(delivery: Delivery) -> None:
    """Have a delivery take part, for as long as it lives."""
    _enlisted.add(delivery)


def started() -> None:
    """Note that a delivery has just started its thread in this process."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None and not _finalizers:
        # A child of multiprocessing leaves without atexit, having run its own finalizers.
        from multiprocessing.util import Finalize  # noqa: PLC0415 - imported by now, never by us

        _finalizers.append(Finalize(None, _at_exit, exitpriority=0))


def _at_exit() -> None:
    """Deliver what is left, each within its time; the times run together, and once a process."""
    if not _exit_began:
        _exit_began.append(time.monotonic())
    for delivery in list(_enlisted):
        seconds = max(0.0, _exit_began[0] + delivery.exit_seconds - time.monotonic())
        try:
            delivery.flush(seconds)
        except Exception:  # noqa: BLE001 - no thread can be started: some Pythons refuse by now
            with suppress(Exception):
                delivery.finish_here(seconds)


def _in_child() -> None:
    tally.after_fork_in_child()
    _exit_began.clear()
    _finalizers.clear()
    for delivery in list(_enlisted):
        delivery.begin_anew()


atexit.register(_at_exit)
os.register_at_fork(
    before=tally.before_fork,
    after_in_parent=tally.after_fork_in_parent,
    after_in_child=_in_child,
)
