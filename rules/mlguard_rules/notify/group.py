"""Groups of alerts that are told together, and what is told of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlguard_rules.notify.matchers import all_match
from mlguard_rules.promql import Labels  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mlguard_rules.alert import Alert
    from mlguard_rules.notify.route import Route


@dataclass(frozen=True)
class GroupKey:
    """A group of alerts that are told together."""

    route: str
    labels: Labels


@dataclass(frozen=True)
class Group:
    """What is known of a group; times are epoch seconds.

    Attributes:
        next_flush: when it is looked at again.
        told: firing alerts that its receivers know of.
        last_sent: when they were last told something.
    """

    next_flush: float
    told: frozenset[Labels] = frozenset()
    last_sent: float | None = None


@dataclass(frozen=True)
class Notification:
    """What is told to the receivers of a route.

    Attributes:
        route: that it goes by.
        firing: alerts that fire.
        resolved: alerts that ended since the last message.
        omitted: further alerts that the sender left out.
    """

    route: Route
    firing: tuple[Alert, ...]
    resolved: tuple[Alert, ...]
    omitted: int = 0


@dataclass
class Step:
    """What came of a step: messages, and what is to be kept of groups and alerts."""

    notifications: list[Notification] = field(default_factory=list)
    groups: dict[GroupKey, Group | None] = field(default_factory=dict)
    alerts: dict[Labels, Alert | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.notifications or self.groups or self.alerts)


def grouped(
    routes: Iterable[Route],
    alerts: Iterable[Alert],
    silenced: Callable[[Mapping[str, str]], bool],
    omitted: int = 0,
) -> list[Notification]:
    """What is to be told at once of alerts that another has grouped, waited for and inhibited."""
    left = [(alert, dict(alert.labels)) for alert in alerts]
    left = [(alert, labels) for alert, labels in left if not silenced(labels)]
    told = []
    for route in routes:
        mine, others = [], []
        for alert, labels in left:
            matches = all_match(route.matchers, labels)
            if matches:
                mine.append(alert)
            if route.go_on or not matches:
                others.append((alert, labels))
        left = others
        firing = tuple(a for a in mine if a.ends_at is None)
        resolved = tuple(a for a in mine if a.ends_at is not None and route.send_resolved)
        if route.receivers and (firing or resolved):
            told.append(Notification(route, firing, resolved, omitted))
    return told


def merged(route: Route, told: Sequence[Notification]) -> Notification:
    """One message of many."""
    return Notification(
        route,
        tuple(alert for n in told for alert in n.firing),
        tuple(alert for n in told for alert in n.resolved),
    )
