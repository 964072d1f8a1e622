"""The life of an alert: pending, firing, resolved, as Prometheus keeps it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mlguard_rules.alert import Alert
from mlguard_rules.promql import Labels  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlguard_rules.rulefile import AlertRule

RESOLVED_SECONDS = 15 * 60.0
"""How long a resolved alert is told of."""


class State(StrEnum):
    """Where an alert is in its life."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Finding:
    """What a rule's expression found for one set of labels.

    Attributes:
        value: of the expression.
        annotations: expanded.
    """

    value: float
    annotations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ActiveAlert:
    """An alert with its state; times are epoch seconds.

    Attributes:
        rule: id of its rule.
        labels: with `alertname`.
        annotations: as last expanded.
        value: as last found.
        state: where it is in its life.
        active_at: since when its condition has held.
        resolved_at: when it ended.
        kept_since: since when its condition has not held, while it is kept firing.
    """

    rule: str
    labels: Labels
    annotations: tuple[tuple[str, str], ...]
    value: float
    state: State
    active_at: float
    resolved_at: float | None = None
    kept_since: float | None = None

    def same_life(self, other: ActiveAlert | None) -> bool:
        """Whether another differs in nothing but its value and its texts."""
        return other is not None and replace(other, value=0.0, annotations=()) == replace(
            self, value=0.0, annotations=()
        )

    def moved(self, seconds: float, now: float) -> ActiveAlert:
        """With time that was not observed left out of `for`; nothing lies ahead of now."""
        kept, moved_at = self.kept_since, self.active_at
        if self.state is State.PENDING:
            moved_at += seconds
        kept = None if kept is None else min(kept + seconds, now)
        ended = None if self.resolved_at is None else min(self.resolved_at, now)
        return replace(self, active_at=min(moved_at, now), kept_since=kept, resolved_at=ended)

    @property
    def is_timed(self) -> bool:
        """Whether time that passes changes it: it waits to fire, or to be resolved."""
        return self.state is State.PENDING or self.kept_since is not None

    def ended(self, now: float) -> ActiveAlert:
        """Resolved."""
        return replace(self, state=State.RESOLVED, resolved_at=now, kept_since=None)

    def is_old(self, now: float) -> bool:
        """Whether it was resolved so long ago that it is told no more."""
        return self.resolved_at is not None and since(now, self.resolved_at) > RESOLVED_SECONDS

    def told(self, extra: Mapping[str, str], source: str) -> Alert:
        """As it is handed on, with labels of the process added where it has none of the name."""
        labels = tuple(sorted((dict(extra) | dict(self.labels)).items()))
        return Alert(labels, self.annotations, self.active_at, self.resolved_at, source)


def advance(
    rule: AlertRule,
    active: Mapping[Labels, ActiveAlert],
    found: Mapping[Labels, Finding],
    now: float,
    *,
    observed_since: float | None = None,
) -> dict[Labels, ActiveAlert]:
    """The alerts of a rule after one more evaluation (prometheus/rules/alerting.go, Eval).

    Args:
        rule: that was evaluated.
        active: its alerts before.
        found: what it found, by the alert's labels.
        now: epoch seconds.
        observed_since: what has fired since before is kept where it is not found, as the
            samples that it was found by are not known; None where all are.
    """
    after: dict[Labels, ActiveAlert] = {}
    for labels, alert in active.items():
        if labels in found and alert.state is not State.RESOLVED:
            continue
        kept = alert if labels in found else _unfound(rule, alert, now, observed_since)
        if kept is not None:
            after[labels] = kept
    for labels, finding in found.items():
        alert = active.get(labels) or _new(rule, labels, finding, now)
        if alert.state is State.RESOLVED:
            alert = _new(rule, labels, finding, now)
        fires = alert.state is State.FIRING or since(now, alert.active_at) >= rule.for_seconds
        after[labels] = replace(
            alert,
            state=State.FIRING if fires else State.PENDING,
            value=finding.value,
            annotations=finding.annotations,
            kept_since=None,
        )
    return after


def since(now: float, then: float) -> float:
    """Seconds between two times, to the millisecond, which is how exact a timestamp is."""
    return round(now - then, 3)


def _new(rule: AlertRule, labels: Labels, finding: Finding, now: float) -> ActiveAlert:
    return ActiveAlert(rule.id, labels, finding.annotations, finding.value, State.PENDING, now)


def _unfound(
    rule: AlertRule, alert: ActiveAlert, now: float, observed_since: float | None
) -> ActiveAlert | None:
    if alert.state is State.PENDING:
        return None
    if alert.state is State.RESOLVED:
        return None if alert.is_old(now) else alert
    if observed_since is not None and alert.active_at < observed_since:
        return alert
    kept_since = now if alert.kept_since is None else alert.kept_since
    if since(now, kept_since) < rule.keep_firing_seconds:
        return replace(alert, kept_since=kept_since)
    return alert.ended(now)
