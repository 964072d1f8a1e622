"""What became of the events, and what the log is told of it."""

import logging
import threading
from collections import deque
from collections.abc import Hashable, Mapping
from contextlib import suppress
from typing import NamedTuple

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


class Stats(NamedTuple):
    """Counts of events since the process started (or was forked).

    Attributes:
        queued: taken and not yet written to the sidecar.
        sent: written to the sidecar; what is sent again after a reconnect counts once.
        acknowledged: committed by the sidecar.
        dropped: given up, for whatever reason.
        dropped_by_reason: the same, split by reason.
    """

    queued: int
    sent: int
    acknowledged: int
    dropped: int
    dropped_by_reason: Mapping[str, int]


class Tally:
    """Counts drops by reason, and knows how many the sidecar was told of."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from nothing; a forked child must not touch a lock that its parent held."""
        # Reentrant, so that a signal handler may drop while its own thread is dropping.
        self._lock = threading.RLock()
        self._dropped: dict[str, int] = {}
        self._reported = 0
        self.notices = Notices()

    def drop(self, reason: str, events: int = 1, detail: str = "") -> bool:
        """Count events as dropped.

        The first of each reason also becomes a notice, with the detail; true is returned then.
        """
        if events < 1:
            return False
        with self._lock:
            self._dropped.setdefault(reason, 0)
            self._dropped[reason] += events  # no call in between, where a signal could strike
        return self.notices.once(("drop", reason), f"events are dropped: {reason} {detail}")

    def by_reason(self) -> dict[str, int]:
        """Return the counts of dropped events by reason."""
        with self._lock:
            return dict(self._dropped)

    def unreported(self) -> int:
        """Return how many dropped events the sidecar was not yet told of."""
        return sum(self.by_reason().values()) - self._reported

    def reported(self, events: int) -> None:
        """Note that the sidecar was told of so many more."""
        self._reported += events
