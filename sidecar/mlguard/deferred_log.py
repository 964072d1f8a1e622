"""Log messages that are written later, by a thread of the SDK."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress

MAX_KINDS = 1_000
"""Kinds of `warn_once` in one category, so that the log does not grow with the traffic."""
FORK_WAIT_SECONDS = 0.1
"""How long a fork waits for a handler: enough to write a line, too short to be noticed."""

_logger = logging.getLogger("mlguard")


class DeferredLog:
    """Messages from all threads, which the background thread passes to `logging`.

    A handler may write to a slow disk, and a lock that it holds stays locked in a child that is
    forked meanwhile. So the host's threads never log for the SDK, and no fork happens while the
    background thread does.
    """

    write_lock = threading.RLock()

    def __init__(self) -> None:
        self._kinds: dict[Hashable, dict[Hashable, object]] = {}
        self._pending: deque[tuple[int, str]] = deque()

    def warn_once(self, kind: Hashable, text: str | Callable[[], str]) -> bool:
        """Add a warning unless there was one of its kind; return whether it was added.

        Of a kind that is a tuple, the first element is its category.

        A text that takes time to find is given as a function, which is called only for the first.
        """
        mine = object()  # threads that add the same kind at once: one finds its own object
        kinds = self._kinds.setdefault(_category(kind), {})
        if len(kinds) >= MAX_KINDS or kinds.setdefault(kind, mine) is not mine:
            return False
        self.add(logging.WARNING, text if isinstance(text, str) else text())
        return True

    def has_warned(self, kind: Hashable) -> bool:
        """Return whether there was a warning of this kind."""
        return kind in self._kinds.get(_category(kind), ())

    def add(self, level: int, text: str) -> None:
        """Add a message of a level of `logging`."""
        self._pending.append((level, text))

    def flush(self) -> None:
        """Pass the pending messages to `logging`."""
        while self._pending:
            level, text = self._pending.popleft()
            # A filter or handler that raises costs its message, and no event.
            with DeferredLog.write_lock, suppress(Exception):
                _logger.log(level, "%s", text)


def _category(kind: Hashable) -> Hashable:
    return kind[0] if isinstance(kind, tuple) else kind


def describe_error(error: BaseException) -> str:
    """Return an error's type and text, at most 1,000 characters; its type if its text raises."""
    try:
        return f"{type(error).__name__}: {error}"[:1_000]
    except Exception:  # noqa: BLE001 - the text of a foreign error is foreign code
        return type(error).__name__


def before_fork() -> None:
    """Wait until a message is written, but not for a handler that hangs."""
    DeferredLog.write_lock.acquire(timeout=FORK_WAIT_SECONDS)


def after_fork_in_parent() -> None:
    """Release the lock that `before_fork` acquired."""
    with suppress(RuntimeError):  # it was not acquired in time
        DeferredLog.write_lock.release()


def after_fork_in_child() -> None:
    """Replace the lock: the thread that holds it may not exist in the child."""
    DeferredLog.write_lock = threading.RLock()
