"""Waiting for a sidecar that restarts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 5.0


@dataclass
class Patience:
    """How long to wait for the sidecar, counted from the first failure since its last answer.

    Attributes:
        seconds: how long.
        notify: is called with a text when the waiting begins.
    """

    seconds: float
    notify: Callable[[str], None]
    _since: float | None = None
    _pause: float = _FIRST_SECONDS

    def answered(self) -> None:
        """Note an answer."""
        self._since, self._pause = None, _FIRST_SECONDS

    def is_over(self) -> bool:
        """Return whether there was no answer for too long."""
        waited = 0.0 if self._since is None else time.monotonic() - self._since
        return waited >= self.seconds

    def pause(self, reason: str, least: float = 0.0) -> None:
        """Sleep before the next attempt, longer each time.

        Args:
            reason: why there was no answer, for people.
            least: how long to sleep at least, seconds, as the sidecar asked.
        """
        if self._since is None:
            self.notify(f"waiting up to {self.seconds:g} s for the sidecar: {reason}")
            self._since = time.monotonic()
        left = max(self._since + self.seconds - time.monotonic(), 0.0)
        time.sleep(min(max(self._pause, least), left + 0.01))
        self._pause = min(2 * self._pause, _LONGEST_SECONDS)
