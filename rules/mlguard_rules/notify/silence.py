"""Silences: alerts that nobody is told of, for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.notify.matchers import Matcher, all_match

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlguard_rules.notify.config import SilenceConfig


@dataclass(frozen=True)
class Silence:
    """Some alerts, for some time.

    Attributes:
        id: empty where it comes from the configuration.
        matchers: all of them hold for an alert that is silenced.
        starts_at: epoch seconds, None for ever.
        ends_at: epoch seconds, None for ever.
        comment: why.
        author: who.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: float | None
    ends_at: float | None
    comment: str = ""
    author: str = ""

    @staticmethod
    def configured(config: SilenceConfig) -> Silence:
        """One from the configuration."""
        matchers = tuple(Matcher.parse(text) for text in config.matchers)
        starts, ends = config.seconds(config.starts), config.seconds(config.ends)
        return Silence("", matchers, starts, ends, config.comment, "configuration")

    def holds(self, labels: Mapping[str, str], now: float) -> bool:
        """Whether an alert with these labels is silenced now."""
        begun = self.starts_at is None or self.starts_at <= now
        return begun and not self.is_over(now) and all_match(self.matchers, labels)

    def is_over(self, now: float) -> bool:
        """Whether it has ended."""
        return self.ends_at is not None and self.ends_at <= now
