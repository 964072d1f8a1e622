"""The silences of the configuration and of users."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from mlguard_rules.notify import Silence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlguard_rules.service.state_store import StateStore


class Silences:
    """Keeps silences until they end.

    Args:
        store: where those of users are kept.
        configured: those of the configuration.
    """

    def __init__(self, store: StateStore, configured: tuple[Silence, ...]) -> None:
        self._store = store
        self._by_id = {silence.id: silence for _, silence in store.load("silence", Silence)}
        self.configured = configured

    def active(self, now: float) -> list[Silence]:
        """Return those that have not ended, also those that have not started."""
        silences = (*self.configured, *self._by_id.values())
        return [silence for silence in silences if not silence.is_expired(now)]

    def predicate(self, now: float) -> Callable[[Mapping[str, str]], bool]:
        """Return a function that says of labels whether an alert with them is silenced now."""
        active = self.active(now)
        return lambda labels: any(silence.matches(labels, now) for silence in active)

    def add(self, silence: Silence, now: float) -> Silence:
        """Add a silence; return it with its id."""
        for old in [name for name, kept in self._by_id.items() if kept.is_expired(now)]:
            self.remove(old)
        silence = replace(silence, id=uuid4().hex[:12])
        self._by_id[silence.id] = silence
        self._store.put("silence", silence.id, silence)
        return silence

    def remove(self, silence_id: str) -> bool:
        """Remove a silence; return whether there was one of this id."""
        if self._by_id.pop(silence_id, None) is None:
            return False
        self._store.put("silence", silence_id, None)
        return True
