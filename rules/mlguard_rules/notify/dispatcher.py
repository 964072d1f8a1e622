"""Grouping, waiting, repetition and inhibition of alerts, as in Alertmanager."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlguard_rules.matchers import all_match
from mlguard_rules.notify.group import (
    AlertGroup,
    DispatchResult,
    GroupKey,
    GroupState,
    merge_groups,
)
from mlguard_rules.notify.route import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mlguard_rules.alert import Alert
    from mlguard_rules.notify.route import Route
    from mlguard_rules.promql import Labels

RESOLVE_TIMEOUT_SECONDS = 300.0
"""After which an alert without an end is resolved unless it is received again."""

_CRITICAL, _WARNING = ("severity", "critical"), ("severity", "warning")
_MIN_WAIT_SECONDS = 0.25
_MAX_STEP_SECONDS = 90.0
"""The dispatcher runs far more often; time in a longer pause was not observed."""


class Dispatcher:
    """Receives alerts, and decides which of them are sent when.

    Args:
        routes: in the order in which they are tried.
        alerts: as they were stored.
        groups: as they were stored.
        now: epoch seconds.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        alerts: Iterable[Alert] = (),
        groups: Mapping[GroupKey, GroupState] | None = None,
        now: float = 0.0,
    ) -> None:
        self._routes: dict[str, Route] = {}
        self._alerts = {alert.labels: alert for alert in alerts}
        self._expires_at = {
            labels: now if alert.is_resolved else now + RESOLVE_TIMEOUT_SECONDS
            for labels, alert in self._alerts.items()
        }
        self._groups = dict(groups or {})
        self._members: dict[GroupKey, set[Labels]] = {}
        self._rate_limits: dict[str, RateLimit] = {}
        self._last: float | None = None
        self._changes = DispatchResult()
        self.use(routes)
        for key, group in self._groups.items():
            # whether its alerts still fire is known only after an evaluation; and the clock may
            # have been set back
            route = self._routes[key.route]
            earliest = now + route.group_wait
            was_sent = group.last_notified_at is not None
            latest = max(earliest, now + route.group_interval) if was_sent else earliest
            self._groups[key] = GroupState(
                min(max(group.next_flush_at, earliest), latest),
                group.notified,
                None if group.last_notified_at is None else min(group.last_notified_at, now),
            )

    @property
    def alerts(self) -> list[Alert]:
        """All alerts that are known."""
        return list(self._alerts.values())

    def _rate_limit(self, route: Route) -> RateLimit:
        return self._rate_limits.setdefault(route.name, RateLimit())

    def seconds_until_due(self, now: float) -> float:
        """Return the time until `step` may find something to do."""
        times = [group.next_flush_at for group in self._groups.values()]
        times += [
            self._expires_at[labels]
            for labels, alert in self._alerts.items()
            if not alert.is_resolved
        ]
        return max(min(times, default=float("inf")) - now, _MIN_WAIT_SECONDS)

    def use(self, routes: Iterable[Route]) -> None:
        """Use other routes; groups of routes that stay are kept."""
        self._routes = {route.name: route for route in routes}
        for key in [key for key in self._groups if key.route not in self._routes]:
            self._put_group(key, None)
        self._members.clear()
        for labels in self._alerts:
            self._join_groups(labels, None)

    def receive(self, alert: Alert, now: float, expires_at: float | None = None) -> None:
        """Receive an alert, firing or resolved, new or repeated.

        Args:
            alert: its `resolved_at` is in the past if it is resolved.
            now: epoch seconds.
            expires_at: when it is resolved unless it is received again.
        """
        self._skip_unobserved_time(now)
        known = self._alerts.get(alert.labels)
        if alert.resolved_at is not None and alert.resolved_at <= now:
            # nothing to resolve, or the end of an earlier episode
            if known and not known.is_resolved and alert.resolved_at >= known.active_at:
                alert = alert.resolved(alert.resolved_at)
                self._put_alert(replace(alert, active_at=known.active_at), now)
            return
        alert = alert.firing()
        is_known = known is not None and not known.is_resolved
        if known is not None and is_known:
            alert = replace(alert, active_at=min(alert.active_at, known.active_at))
        expires_at = now + RESOLVE_TIMEOUT_SECONDS if expires_at is None else expires_at
        if is_known:  # a repetition, which is not worth a write
            self._alerts[alert.labels] = alert
            self._expires_at[alert.labels] = expires_at
        else:
            self._put_alert(alert, expires_at)
            self._join_groups(alert.labels, now)

    def _put_alert(self, alert: Alert, expires_at: float) -> None:
        self._alerts[alert.labels] = alert
        self._expires_at[alert.labels] = expires_at
        self._changes.alerts[alert.labels] = alert

    def _put_group(self, key: GroupKey, group: GroupState | None) -> None:
        self._changes.groups[key] = group
        if group is None:
            del self._groups[key]
        else:
            self._groups[key] = group

    def _join_groups(self, labels: Labels, now: float | None) -> None:
        """Add an alert to its groups; `group_wait` of a new group starts now."""
        values = dict(labels)
        for route in self._routes.values():
            if not all_match(route.matchers, values):
                continue
            key = GroupKey(route.name, route.group_labels(labels))
            self._members.setdefault(key, set()).add(labels)
            if key not in self._groups:
                self._put_group(key, GroupState(0.0 if now is None else now + route.group_wait))
            if not route.continues:
                return

    def step(self, now: float, silenced: Callable[[Mapping[str, str]], bool]) -> DispatchResult:
        """Resolve alerts that expired, and return the groups that are due.

        Args:
            now: epoch seconds.
            silenced: returns whether an alert with these labels is silenced.
        """
        self._skip_unobserved_time(now)
        for labels, alert in list(self._alerts.items()):
            expires_at = self._expires_at[labels]
            if not alert.is_resolved and expires_at <= now:
                self._put_alert(alert.resolved(expires_at), now)
        if any(group.next_flush_at <= now for group in self._groups.values()):
            suppressed = {labels for labels in self._alerts if silenced(dict(labels))}
            inhibited = self._inhibited()
            for route in self._routes.values():
                self._flush_route(route, now, suppressed, inhibited)
        self._delete_resolved()
        return self.take_changes()

    def take_changes(self) -> DispatchResult:
        """Return what has changed since the last call."""
        changes, self._changes = self._changes, DispatchResult()
        return changes

    def _skip_unobserved_time(self, now: float) -> None:
        """Move all timers after a pause of the machine or a jump of its clock."""
        last, self._last = self._last, now
        if last is None or 0 <= now - last <= _MAX_STEP_SECONDS:
            return
        shift = now - last
        self._expires_at = {labels: at + shift for labels, at in self._expires_at.items()}
        for key, group in self._groups.items():
            sent = None if group.last_notified_at is None else group.last_notified_at + shift
            next_flush_at = group.next_flush_at + shift
            self._put_group(key, GroupState(next_flush_at, group.notified, sent))
        self._rate_limits.clear()

    def _inhibited(self) -> set[Labels]:
        """Return warnings for which a critical alert with the same other labels fires."""
        critical = {
            _without_severity(labels)
            for labels, alert in self._alerts.items()
            if not alert.is_resolved and _CRITICAL in labels
        }
        if not critical:
            return set()
        return {
            labels
            for labels in self._alerts
            if _WARNING in labels and _without_severity(labels) in critical
        }

    def _flush_route(
        self, route: Route, now: float, suppressed: set[Labels], inhibited: set[Labels]
    ) -> None:
        limit = self._rate_limit(route)
        remaining = limit.remaining(now)
        keys = [
            key
            for key, group in self._groups.items()
            if key.route == route.name and group.next_flush_at <= now
        ]
        if not keys or remaining <= 0:
            return  # the groups stay due
        flushed = (self._flush_group(route, key, now, suppressed, inhibited) for key in keys)
        due = [group for group in flushed if group is not None]
        if len(due) > remaining:
            due[remaining - 1 :] = [merge_groups(route, due[remaining - 1 :])]
        limit.count(now, len(due))
        self._changes.due += due

    def _flush_group(
        self,
        route: Route,
        key: GroupKey,
        now: float,
        suppressed: set[Labels],
        inhibited: set[Labels],
    ) -> AlertGroup | None:
        """Return the alerts of a group to send, None if there is no reason; restart its timer."""
        state = self._groups[key]
        alerts = [self._alerts[labels] for labels in self._members.get(key, ())]
        firing = [a for a in alerts if not a.is_resolved]
        active = [a for a in firing if a.labels not in suppressed and a.labels not in inhibited]
        ended = [a for a in alerts if a.is_resolved and a.labels in state.notified]
        resolved = [a for a in ended if a.labels not in suppressed] if route.send_resolved else []
        notified = state.notified & {a.labels for a in firing}
        last_notified_at, due = state.last_notified_at, None
        is_new = any(a.labels not in state.notified for a in active)
        repeats = last_notified_at is not None and now - last_notified_at >= route.repeat_interval
        if route.receivers and (is_new or resolved or (active and repeats)):
            notified |= {a.labels for a in active}
            last_notified_at = now
            due = AlertGroup(route, _by_age(active), _by_age(resolved))
        for alert in alerts:
            if alert.is_resolved:
                self._members[key].discard(alert.labels)
        if firing:
            self._put_group(key, GroupState(now + route.group_interval, notified, last_notified_at))
        else:
            self._members.pop(key, None)
            self._put_group(key, None)
        return due

    def _delete_resolved(self) -> None:
        """Delete resolved alerts that all of their groups have flushed."""
        resolved = [labels for labels, alert in self._alerts.items() if alert.is_resolved]
        if not resolved:
            return
        waiting = set().union(*self._members.values()) if self._members else set()
        for labels in resolved:
            if labels not in waiting:
                del self._alerts[labels], self._expires_at[labels]
                self._changes.alerts[labels] = None


def _by_age(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    return tuple(sorted(alerts, key=lambda alert: (alert.active_at, alert.labels)))


def _without_severity(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != "severity")
