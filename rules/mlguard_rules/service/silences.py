"""The silences that hold: of the configuration, and of people."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from mlguard_rules.notify import Matcher, Silence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlguard_rules.service.ledger import Ledger


log = logging.getLogger(__name__)


class Silences:
    """Keeps silences until they are over.

    Args:
        ledger: where those of people are kept.
        configured: those of the configuration.
    """

    def __init__(self, ledger: Ledger, configured: tuple[Silence, ...]) -> None:
        self._ledger = ledger
        self._set = {silence.id: silence for _, silence in ledger.take("silence", Silence)}
        self.configured = configured
        for silence in list(self._set.values()):
            try:
                for matcher in silence.matchers:
                    Matcher.parse(str(matcher))
            except ValueError as error:
                log.error("silence %s is ended: %s", silence.id, error)  # noqa: TRY400
                self.end(silence.id)

    def active(self, now: float) -> list[Silence]:
        """Those that are not over."""
        every = (*self.configured, *self._set.values())
        return [silence for silence in every if not silence.is_over(now)]

    def test(self, now: float) -> Callable[[Mapping[str, str]], bool]:
        """Tells of labels whether an alert with them is silenced now."""
        active = self.active(now)
        return lambda labels: any(silence.holds(labels, now) for silence in active)

    def add(self, silence: Silence, now: float) -> Silence:
        """Keep one more; it with its id."""
        for old in [name for name, kept in self._set.items() if kept.is_over(now)]:
            self.end(old)
        silence = replace(silence, id=uuid4().hex[:12])
        self._set[silence.id] = silence
        self._ledger.put("silence", silence.id, silence)
        return silence

    def end(self, name: str) -> bool:
        """End one; whether there was one of that id."""
        if self._set.pop(name, None) is None:
            return False
        self._ledger.put("silence", name, None)
        return True
