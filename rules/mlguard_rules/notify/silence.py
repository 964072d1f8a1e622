"""Silences: alerts that are not sent for some time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.matchers import Matcher, all_match, parse_matchers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlguard_rules.notify.config import SilenceConfig


@dataclass(frozen=True)
class Silence:
    """A silence; times are epoch seconds.

    Attributes:
        id: empty if it comes from the configuration.
        matchers: all of them match the alerts that are silenced.
        starts_at: None if it has no start.
        ends_at: None if it has no end.
        comment: the reason.
        author: who made it.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: float | None
    ends_at: float | None
    comment: str = ""
    author: str = ""

    @staticmethod
    def configured(config: SilenceConfig) -> Silence:
        """Return a silence of the configuration."""
        matchers = tuple(m for text in config.matchers for m in parse_matchers(text))
        starts, ends = config.epoch_seconds(config.starts), config.epoch_seconds(config.ends)
        return Silence("", matchers, starts, ends, config.comment, "configuration")

    def matches(self, labels: Mapping[str, str], now: float) -> bool:
        """Return whether an alert with these labels is silenced now."""
        started = self.starts_at is None or self.starts_at <= now
        return started and not self.is_expired(now) and all_match(self.matchers, labels)

    def is_expired(self, now: float) -> bool:
        """Return whether it has ended."""
        return self.ends_at is not None and self.ends_at <= now
