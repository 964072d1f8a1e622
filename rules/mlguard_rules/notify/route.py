"""Routes: which alerts go where, and how often."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_rules.notify.config import RouteConfig
from mlguard_rules.notify.matchers import Matcher

if TYPE_CHECKING:
    from mlguard_rules.notify.config import NotifyConfig
    from mlguard_rules.promql import Labels


@dataclass(frozen=True)
class Route:
    """Which alerts go where, and how often; times are seconds.

    Attributes:
        name: what its groups are kept under.
        matchers: all of them hold for an alert that it takes.
        receivers: names.
        group_by: labels whose values an alert shares with its group; `...` stands for all.
        group_wait: from a group's first alert to its first message.
        group_interval: between messages of a group that changed.
        repeat_interval: between messages of a group that did not.
        send_resolved: whether the end of an alert is told.
        go_on: whether later routes take the alert too.
    """

    name: str
    matchers: tuple[Matcher, ...]
    receivers: tuple[str, ...]
    group_by: tuple[str, ...]
    group_wait: float
    group_interval: float
    repeat_interval: float
    send_resolved: bool
    go_on: bool

    @staticmethod
    def configured(config: NotifyConfig) -> tuple[Route, ...]:
        """Those of the configuration, and behind them one to all receivers of what none takes."""
        routes: list[Route] = []
        names: Counter[str] = Counter()
        for part in config.routes:
            matchers = tuple(Matcher.parse(text) for text in part.matchers)
            # by what it takes, so that another receiver or other times keep what is known
            name = ",".join(map(str, matchers))
            routes.append(Route._one(part, f"{name}#{names[name]}", matchers))
            names[name] += 1
        rest = RouteConfig(receivers=[receiver.name for receiver in config.receivers])
        return (*routes, Route._one(rest, "default", ()))

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
            go_on=config.go_on,
        )

    def group_labels(self, labels: Labels) -> Labels:
        """Those that alerts of one group share."""
        if "..." in self.group_by:
            return labels
        return tuple(pair for pair in labels if pair[0] in self.group_by)
