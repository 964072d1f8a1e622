"""Groups of alerts that are sent in one notification."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlguard_rules.matchers import all_match
from mlguard_rules.promql import Labels  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mlguard_rules.alert import Alert
    from mlguard_rules.notify.route import Route


@dataclass(frozen=True)
class GroupKey:
    """The identity of a group: the name of its route, and the labels that its alerts share."""

    route: str
    labels: Labels


@dataclass(frozen=True)
class GroupState:
    """The timers of a group, and the alerts that its receivers know; times are epoch seconds.

    Attributes:
        next_flush_at: when the group is next considered.
        notified: firing alerts that were in a notification.
        last_notified_at: when its last notification was made, None before the first.
    """

    next_flush_at: float
    notified: frozenset[Labels] = frozenset()
    last_notified_at: float | None = None


@dataclass(frozen=True)
class AlertGroup:
    """Alerts that are sent in one notification.

    Attributes:
        route: that they take.
        firing: alerts that fire.
        resolved: alerts that were resolved since the last notification.
        omitted: number of further alerts that the sender left out.
    """

    route: Route
    firing: tuple[Alert, ...]
    resolved: tuple[Alert, ...]
    omitted: int = 0


@dataclass
class DispatchResult:
    """Alerts to notify of, and state to store; None stands for state to delete."""

    due: list[AlertGroup] = field(default_factory=list)
    groups: dict[GroupKey, GroupState | None] = field(default_factory=dict)
    alerts: dict[Labels, Alert | None] = field(default_factory=dict)


def group_once(
    routes: Iterable[Route],
    alerts: Iterable[Alert],
    silenced: Callable[[Mapping[str, str]], bool],
    omitted: int = 0,
) -> list[AlertGroup]:
    """Return one group for each route that alerts take, without waiting or inhibition.

    Args:
        routes: in the order in which they are tried.
        alerts: that an Alertmanager has grouped already.
        silenced: returns whether an alert with these labels is silenced.
        omitted: number of alerts that the Alertmanager left out.
    """
    rest = [(alert, dict(alert.labels)) for alert in alerts]
    rest = [(alert, labels) for alert, labels in rest if not silenced(labels)]
    groups = []
    for route in routes:
        taken, others = [], []
        for alert, labels in rest:
            matches = all_match(route.matchers, labels)
            if matches:
                taken.append(alert)
            if route.continues or not matches:
                others.append((alert, labels))
        rest = others
        firing = tuple(a for a in taken if not a.is_resolved)
        resolved = tuple(a for a in taken if a.is_resolved and route.send_resolved)
        if route.receivers and (firing or resolved):
            groups.append(AlertGroup(route, firing, resolved, omitted))
    return groups


def merge_groups(route: Route, groups: Sequence[AlertGroup]) -> AlertGroup:
    """Return one group with the alerts of several groups of a route."""
    return AlertGroup(
        route,
        tuple(alert for group in groups for alert in group.firing),
        tuple(alert for group in groups for alert in group.resolved),
    )
