"""What became of the events that were sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Summary:
    """Counts of one command.

    Attributes:
        sent: events that were sent, those that were refused included.
        sent_before: lines that a former command had sent.
        refused: reason -> events that were not counted.
        warnings: reason -> values that were left out.
    """

    sent: int = 0
    sent_before: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    _messages: dict[str, str] = field(default_factory=dict)

    def refuse(self, reason: str, message: str, count: int = 1) -> None:
        """Count events that are refused, and keep the first message of each reason."""
        self.refused[reason] += count
        self._messages.setdefault(reason, message)

    def warn(self, reason: str, message: str, values: int) -> None:
        """Count values that are left out."""
        self.warnings[reason] += values
        self._messages.setdefault(reason, message)

    def text(self) -> Iterator[str]:
        """Yield lines for people."""
        counted = self.sent - self.refused.total()
        yield f"{self.sent:,} events sent, {counted:,} counted"
        if self.sent_before:
            text = f"{self.sent_before:,} lines were sent before, and not again"
            yield f"{text}; if this is another file that begins alike, use --again"
        for reason, n in self.refused.most_common():
            yield f"{n:,} refused: {reason}: {self._messages.get(reason, '')}"
        for reason, n in self.warnings.most_common():
            yield f"{n:,} values left out: {reason}: {self._messages.get(reason, '')}"
