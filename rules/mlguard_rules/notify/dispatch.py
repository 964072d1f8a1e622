"""When is whom told what: grouping, waiting, repeating, inhibiting, as Alertmanager does it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlguard_rules.notify.budget import Budget
from mlguard_rules.notify.group import Group, GroupKey, Notification, Step, merged
from mlguard_rules.notify.matchers import all_match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mlguard_rules.alert import Alert
    from mlguard_rules.notify.route import Route
    from mlguard_rules.promql import Labels

RESOLVE_SECONDS = 300.0
"""How long an alert lives that is not told again and named no end."""

_CRITICAL, _WARNING = ("severity", "critical"), ("severity", "warning")
_SHORTEST_STEP_SECONDS = 0.25
_LONGEST_STEP_SECONDS = 90.0
"""The dispatcher steps far more often; a longer pause was not observed."""


@dataclass
class Live:
    """An alert that is known, and until when it is believed to fire."""

    alert: Alert
    expires_at: float


class Dispatcher:
    """Takes alerts in, says what to tell.

    Args:
        routes: in the order in which they are tried.
        alerts: as they were when the process ended.
        groups: the same.
        now: epoch seconds.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        alerts: Iterable[Alert] = (),
        groups: Mapping[GroupKey, Group] | None = None,
        now: float = 0.0,
    ) -> None:
        self._routes: dict[str, Route] = {}
        self._live = {
            alert.labels: Live(alert, now + RESOLVE_SECONDS if alert.ends_at is None else now)
            for alert in alerts
        }
        self._groups = dict(groups or {})
        self._members: dict[GroupKey, set[Labels]] = {}
        self._budgets: dict[str, Budget] = {}
        self._last: float | None = None
        self._changed = Step()
        self.use(routes)
        for key, group in self._groups.items():
            # whether it still fires shows only once it has been judged again; and the clock may
            # have been set back meanwhile
            route = self._routes[key.route]
            soonest = now + route.group_wait
            told = group.last_sent is not None
            latest = max(soonest, now + route.group_interval) if told else soonest
            self._groups[key] = Group(
                min(max(group.next_flush, soonest), latest),
                group.told,
                None if group.last_sent is None else min(group.last_sent, now),
            )

    @property
    def alerts(self) -> list[Alert]:
        """Every alert that is known."""
        return [live.alert for live in self._live.values()]

    def _budget(self, route: Route) -> Budget:
        """What a route may still send; what is due beyond that becomes one message."""
        return self._budgets.setdefault(route.name, Budget())

    def due_in(self, now: float) -> float:
        """Seconds until a step may find something to do."""
        times = [group.next_flush for group in self._groups.values()]
        times += [live.expires_at for live in self._live.values() if live.alert.ends_at is None]
        return max(min(times, default=float("inf")) - now, _SHORTEST_STEP_SECONDS)

    def use(self, routes: Iterable[Route]) -> None:
        """Go on with other routes; what is known of the groups of those that stay is kept."""
        self._routes = {route.name: route for route in routes}
        for key in [key for key in self._groups if key.route not in self._routes]:
            del self._groups[key]
            self._changed.groups[key] = None
        self._members.clear()
        for labels in self._live:
            self._join(labels, None)

    def receive(self, alert: Alert, now: float, expires_at: float | None = None) -> None:
        """Take in an alert, firing or resolved, told again or new.

        Args:
            alert: its `ends_at` is in the past where it is resolved.
            now: epoch seconds.
            expires_at: when it is over unless it is told again.
        """
        self._leave_out_what_was_missed(now)
        known = self._live.get(alert.labels)
        over = alert.ends_at is not None and alert.ends_at <= now
        if over:
            if known is None or known.alert.ends_at is not None:
                return
            if (alert.ends_at or 0.0) < known.alert.starts_at:
                return  # the end of an earlier one
            self._keep(replace(alert, starts_at=known.alert.starts_at), now)
            return
        alert = replace(alert, ends_at=None)
        if known is not None and known.alert.ends_at is None:
            alert = replace(alert, starts_at=min(alert.starts_at, known.alert.starts_at))
        expires_at = now + RESOLVE_SECONDS if expires_at is None else expires_at
        if known is None or known.alert.ends_at is not None:
            self._keep(alert, expires_at)
            self._join(alert.labels, now)
        else:  # told again, which is not worth a write
            self._live[alert.labels] = Live(alert, expires_at)

    def _keep(self, alert: Alert, expires_at: float) -> None:
        self._live[alert.labels] = Live(alert, expires_at)
        self._changed.alerts[alert.labels] = alert

    def _join(self, labels: Labels, now: float | None) -> None:
        """Put an alert into its groups; a group that is not known yet begins to wait."""
        values = dict(labels)
        for route in self._routes.values():
            if not all_match(route.matchers, values):
                continue
            key = GroupKey(route.name, route.group_labels(labels))
            self._members.setdefault(key, set()).add(labels)
            if key not in self._groups and now is not None:
                self._put(key, Group(now + route.group_wait))
            elif key not in self._groups:
                self._put(key, Group(0.0))
            if not route.go_on:
                return

    def _put(self, key: GroupKey, group: Group | None) -> None:
        self._changed.groups[key] = group
        if group is None:
            del self._groups[key]
        else:
            self._groups[key] = group

    def step(self, now: float, silenced: Callable[[Mapping[str, str]], bool]) -> Step:
        """What is due now.

        Args:
            now: epoch seconds.
            silenced: whether nobody is told of an alert with these labels.
        """
        self._leave_out_what_was_missed(now)
        for labels, live in self._live.items():
            if live.alert.ends_at is None and live.expires_at <= now:
                self._keep(replace(self._live[labels].alert, ends_at=live.expires_at), now)
        if any(group.next_flush <= now for group in self._groups.values()):
            mute = {labels for labels in self._live if silenced(dict(labels))}
            inhibited = self._inhibited()
            for route in self._routes.values():
                self._flush(route, now, mute, inhibited)
        self._forget_resolved()
        return self.take_changes()

    def take_changes(self) -> Step:
        """What is to be kept of what was taken in since the last step."""
        done, self._changed = self._changed, Step()
        return done

    def _leave_out_what_was_missed(self, now: float) -> None:
        """After a pause of the machine or a jump of its clock, waiting goes on where it was."""
        last, self._last = self._last, now
        if last is None or 0 <= now - last <= _LONGEST_STEP_SECONDS:
            return
        moved = now - last
        for live in self._live.values():
            live.expires_at += moved
        for key, group in self._groups.items():
            sent = None if group.last_sent is None else group.last_sent + moved
            self._put(key, replace(group, next_flush=group.next_flush + moved, last_sent=sent))
        self._budgets.clear()

    def _inhibited(self) -> set[Labels]:
        """Warnings whose critical twin fires."""
        critical = {
            _without_severity(labels)
            for labels, live in self._live.items()
            if live.alert.ends_at is None and _CRITICAL in labels
        }
        if not critical:
            return set()
        return {
            labels
            for labels in self._live
            if _WARNING in labels and _without_severity(labels) in critical
        }

    def _flush(self, route: Route, now: float, mute: set[Labels], inhibited: set[Labels]) -> None:
        budget = self._budget(route).left(now)
        due = [
            key
            for key, group in self._groups.items()
            if key.route == route.name and group.next_flush <= now
        ]
        if not due or budget <= 0:
            return  # what is due stays due
        told = [
            n for key in due if (n := self._look_at(route, key, now, mute, inhibited)) is not None
        ]
        if len(told) > budget:
            told[budget - 1 :] = [merged(route, told[budget - 1 :])]
        self._budget(route).spend(now, len(told))
        self._changed.notifications += told

    def _look_at(
        self, route: Route, key: GroupKey, now: float, mute: set[Labels], inhibited: set[Labels]
    ) -> Notification | None:
        """What is to be told of a group, if anything; in any case its time goes on."""
        group = self._groups[key]
        alerts = [self._live[labels].alert for labels in self._members.get(key, ())]
        firing = [a for a in alerts if a.ends_at is None]
        loud = [a for a in firing if a.labels not in mute and a.labels not in inhibited]
        ended = [a for a in alerts if a.ends_at is not None and a.labels in group.told]
        resolved = [a for a in ended if a.labels not in mute] if route.send_resolved else []
        told = group.told & {a.labels for a in firing}
        last_sent, notification = group.last_sent, None
        new = any(a.labels not in group.told for a in loud)
        repeat = last_sent is not None and now - last_sent >= route.repeat_interval
        if route.receivers and (new or resolved or (loud and repeat)):
            told |= {a.labels for a in loud}
            last_sent = now
            notification = Notification(
                route,
                tuple(sorted(loud, key=lambda a: (a.starts_at, a.labels))),
                tuple(sorted(resolved, key=lambda a: (a.starts_at, a.labels))),
            )
        for alert in alerts:
            if alert.ends_at is not None:
                self._members[key].discard(alert.labels)
        if firing:
            self._put(key, Group(now + route.group_interval, told, last_sent))
        else:
            self._members.pop(key, None)
            self._put(key, None)
        return notification

    def _forget_resolved(self) -> None:
        """Drop resolved alerts that every one of their groups has looked at."""
        if all(live.alert.ends_at is None for live in self._live.values()):
            return
        waiting = set().union(*self._members.values()) if self._members else set()
        for labels in [
            labels
            for labels, live in self._live.items()
            if live.alert.ends_at is not None and labels not in waiting
        ]:
            del self._live[labels]
            self._changed.alerts[labels] = None


def _without_severity(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != "severity")
