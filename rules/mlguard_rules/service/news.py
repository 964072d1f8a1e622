"""What was told in the last minutes, so that a sender's retry is not told again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlguard_rules.service.ledger import Ledger

_SAME_NEWS_SECONDS = 300.0
"""In which the same news is a sender's retry, or its twin's; later it is a reminder."""


class News:
    """Digests of what was told, with when that was."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._told = dict(ledger.take("news", float, str))

    def is_new(self, digest: str, now: float) -> bool:
        """Whether it was not told in the last minutes."""
        for old in [d for d, at in self._told.items() if not 0 <= now - at < _SAME_NEWS_SECONDS]:
            self.forget(old)
        return digest not in self._told

    def add(self, digest: str, now: float) -> None:
        """Keep what is told now."""
        self._told[digest] = now
        self._ledger.put("news", digest, now)

    def forget(self, digest: str) -> None:
        """Let it be new again."""
        del self._told[digest]
        self._ledger.put("news", digest, None)
