"""State transitions of a rule's alerts: pending, firing, resolved, as in Prometheus."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlguard_rules.alert import Alert, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlguard_rules.promql import Labels
    from mlguard_rules.rulefile import AlertRule

RESOLVED_RETENTION_SECONDS = 15 * 60.0
"""How long a resolved alert is kept."""


def advance(
    rule: AlertRule,
    active: Mapping[Labels, Alert],
    found: Mapping[Labels, Alert],
    now: float,
    *,
    observed_since: float | None = None,
) -> dict[Labels, Alert]:
    """Return a rule's alerts after one evaluation (prometheus/rules/alerting.go, Eval).

    Args:
        rule: that was evaluated.
        active: its alerts before.
        found: a pending alert for each result; `active_at` is set here.
        now: epoch seconds.
        observed_since: start of the known samples. Alerts that have been active since before
            keep firing when they are not found. None if all samples are known.
    """
    after: dict[Labels, Alert] = {}
    for labels, alert in active.items():
        if labels in found and alert.state is not State.RESOLVED:
            continue
        kept = alert if labels in found else _not_found(rule, alert, now, observed_since)
        if kept is not None:
            after[labels] = kept
    for labels, result in found.items():
        known = active.get(labels)
        is_new = known is None or known.state is State.RESOLVED
        active_at = now if known is None or is_new else known.active_at
        was_firing = known is not None and known.state is State.FIRING
        fires = was_firing or elapsed(now, active_at) >= rule.for_seconds
        state = State.FIRING if fires else State.PENDING
        after[labels] = replace(result, state=state, active_at=active_at)
    return after


def elapsed(now: float, then: float) -> float:
    """Return the seconds between two times, to the millisecond, the resolution of a timestamp."""
    return round(now - then, 3)


def is_expired(alert: Alert, now: float) -> bool:
    """Return whether an alert was resolved longer ago than resolved alerts are kept."""
    return (
        alert.resolved_at is not None
        and elapsed(now, alert.resolved_at) > RESOLVED_RETENTION_SECONDS
    )


def _not_found(
    rule: AlertRule, alert: Alert, now: float, observed_since: float | None
) -> Alert | None:
    if alert.state is State.PENDING:
        return None
    if alert.state is State.RESOLVED:
        return None if is_expired(alert, now) else alert
    if observed_since is not None and alert.active_at < observed_since:
        return alert
    since = now if alert.keep_firing_since is None else alert.keep_firing_since
    if elapsed(now, since) < rule.keep_firing_seconds:
        return replace(alert, keep_firing_since=since)
    return alert.resolved(now)
