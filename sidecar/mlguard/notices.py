"""What the log is told: once of each kind, and never by the host's own threads."""

import logging
import threading
from collections import deque
from collections.abc import Hashable
from contextlib import suppress

# More kinds of trouble than this are not told apart: the log must not grow with the traffic.
KINDS_LIMIT = 1_000
# Long enough for a handler to write a line, too short to be noticed by who forks.
FORK_SECONDS = 0.1

_logger = logging.getLogger("mlguard")


class Notices:
    """Gathers messages from all threads; the delivering thread logs them.

    A handler may write to a slow disk, and a lock inside it may be lost to a forked child for
    ever, if another thread writes in the moment of the fork. The host's threads therefore never
    log for us, and no fork happens while our thread does.
    """

    speaking = threading.RLock()

    def __init__(self) -> None:
        self._kinds: dict[Hashable, object] = {}
        self._waiting: deque[tuple[int, str]] = deque()

    def once(self, kind: Hashable, text: str) -> bool:
        """Have a warning logged, and return true, unless there was one of its kind."""
        mine = object()  # of several threads with the same, one finds its own
        if len(self._kinds) >= KINDS_LIMIT or self._kinds.setdefault(kind, mine) is not mine:
            return False
        self.add(logging.WARNING, text)
        return True

    def add(self, level: int, text: str) -> None:
        """Have a message logged."""
        self._waiting.append((level, text))

    def speak(self) -> None:
        """Log what has gathered."""
        while self._waiting:
            level, text = self._waiting.popleft()
            with Notices.speaking:
                _logger.log(level, "%s", text)


def shown(error: BaseException) -> str:
    """Return an error as text, even if it refuses."""
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except Exception:  # noqa: BLE001 - a foreign error's text is foreign code
        return type(error).__name__


def before_fork() -> None:
    """Wait for a message that is being logged, but not for a handler that hangs."""
    Notices.speaking.acquire(timeout=FORK_SECONDS)


def after_fork_in_parent() -> None:
    """Let messages be logged again."""
    with suppress(RuntimeError):  # the waiting was in vain
        Notices.speaking.release()


def after_fork_in_child() -> None:
    """Let messages be logged again; whoever held the lock may not exist here."""
    Notices.speaking = threading.RLock()
