"""The end of processes that leave by `os._exit`: children of multiprocessing and its kin."""

import os
import sys
from collections.abc import Callable
from typing import Any

LIBRARIES = ("multiprocessing", "multiprocess", "billiard")
"""multiprocessing, pathos' version of it, and Celery's."""


def call_before_exit(callback: Callable[[], object]) -> bool:
    """Have this process call back before it ends, if it is a child of one of the libraries.

    A library that the host has not imported is not imported either.

    Returns:
        Whether it is such a child, which ends without calling what atexit has.
    """
    for library in LIBRARIES:
        child = _child_process(library)
        if child is None:
            continue
        worker: Any = getattr(child, "_target", None)
        if hasattr(worker, "on_exit"):  # of billiard's pool, which runs no finalizers at its end
            worker.on_exit = _before(callback, worker.on_exit)
        else:
            # The library keeps it.
            sys.modules[f"{library}.util"].Finalize(None, callback, exitpriority=0)
        return True
    return False


def _child_process(library: str) -> Any:
    """Return a library's object for this process; None if it is not a child of this library."""
    process = sys.modules.get(f"{library}.process")
    if process is None or f"{library}.util" not in sys.modules:
        return None
    current = process.current_process()
    # Set where the child was made: in its parent. The main process has none.
    parent = getattr(current, "_parent_pid", None)
    return current if parent is not None and parent != os.getpid() else None


def _before(
    callback: Callable[[], object], on_exit: Callable[..., object] | None
) -> Callable[..., object]:
    """Return what a worker calls at its end: what it called before, then `callback`."""

    def call(*args: Any) -> None:
        try:
            if on_exit is not None:
                on_exit(*args)
        finally:
            callback()

    return call
