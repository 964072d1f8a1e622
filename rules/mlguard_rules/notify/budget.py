"""How many messages may still go out."""

from __future__ import annotations

from collections import deque

MESSAGES_A_MINUTE = 20
"""What a route sends at the most."""

_MINUTE_SECONDS = 60.0


class Budget:
    """Messages of the last minute, counted against the limit."""

    def __init__(self) -> None:
        self._sent: deque[float] = deque()

    def left(self, now: float) -> int:
        """How many more there may be now; a clock that jumped begins a new minute."""
        while self._sent and not now - _MINUTE_SECONDS < self._sent[0] <= now:
            self._sent.popleft()
        return MESSAGES_A_MINUTE - len(self._sent)

    def spend(self, now: float, messages: int) -> None:
        """Count some."""
        self._sent.extend([now] * messages)
