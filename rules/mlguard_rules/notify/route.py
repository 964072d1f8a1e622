"""Routes: which receivers an alert is sent to, and how often."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.matchers import parse_matchers
from mlguard_rules.notify.config import RouteConfig

if TYPE_CHECKING:
    from mlguard_rules.matchers import Matcher
    from mlguard_rules.notify.config import NotifyConfig
    from mlguard_rules.promql import Labels

MAX_NOTIFICATIONS_PER_MINUTE = 20
"""The limit of each route."""

_MINUTE_SECONDS = 60.0


@dataclass(frozen=True)
class Route:
    """Receivers for the alerts that its matchers match; times are seconds.

    Attributes:
        name: key of its stored groups.
        matchers: all of them match the alerts that take the route.
        receivers: names of receivers.
        group_by: labels that the alerts of a group share; `...` stands for all labels.
        group_wait: from a group's first alert to its first notification.
        group_interval: between two notifications of a group that changed.
        repeat_interval: between two notifications of a group that did not change.
        send_resolved: whether resolved alerts are sent.
        continues: whether later routes are tried too.
    """

    name: str
    matchers: tuple[Matcher, ...]
    receivers: tuple[str, ...]
    group_by: tuple[str, ...]
    group_wait: float
    group_interval: float
    repeat_interval: float
    send_resolved: bool
    continues: bool

    @staticmethod
    def configured(config: NotifyConfig) -> tuple[Route, ...]:
        """Return the configured routes, and after them a default route to all receivers."""
        routes: list[Route] = []
        names: Counter[str] = Counter()
        for part in config.routes:
            matchers = tuple(m for text in part.matchers for m in parse_matchers(text))
            # named by its matchers, so that a change of receivers or times keeps stored groups
            name = ",".join(map(str, matchers))
            routes.append(Route._one(part, f"{name}#{names[name]}", matchers))
            names[name] += 1
        default = RouteConfig(receivers=[receiver.name for receiver in config.receivers])
        return (*routes, Route._one(default, "default", ()))

    @staticmethod
    def _one(config: RouteConfig, name: str, matchers: tuple[Matcher, ...]) -> Route:
        return Route(
            name=name,
            matchers=matchers,
            receivers=tuple(dict.fromkeys(config.receivers)),
            group_by=tuple(config.group_by),
            group_wait=config.group_wait.seconds,
            group_interval=config.group_interval.seconds,
            repeat_interval=config.repeat_interval.seconds,
            send_resolved=config.send_resolved,
            continues=config.continues,
        )

    def group_labels(self, labels: Labels) -> Labels:
        """Return the labels that an alert shares with its group."""
        if "..." in self.group_by:
            return labels
        return tuple(pair for pair in labels if pair[0] in self.group_by)


class RateLimit:
    """Notifications of a route in the last minute, counted against the limit."""

    def __init__(self) -> None:
        self._sent: deque[float] = deque()

    def remaining(self, now: float) -> int:
        """Return how many more may be sent; a clock that jumped starts a new minute."""
        while self._sent and not now - _MINUTE_SECONDS < self._sent[0] <= now:
            self._sent.popleft()
        return MAX_NOTIFICATIONS_PER_MINUTE - len(self._sent)

    def count(self, now: float, notifications: int) -> None:
        """Count notifications that are sent now."""
        self._sent.extend([now] * notifications)
