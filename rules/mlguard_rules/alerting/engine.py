"""One evaluation of all rules."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlguard_rules.alerting.state import ActiveAlert, Finding, State, advance
from mlguard_rules.promql import EvaluationError, History, UnsupportedError, compile_expression
from mlguard_rules.rulefile import AlertRule, RecordingRule
from mlguard_rules.templates import Context, Found, Template, TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlguard_rules.promql import Labels, Snapshot, Vector
    from mlguard_rules.rulefile import Group

_MISSED_INTERVALS = 4
"""After as many, time between two evaluations was not observed."""

Key = tuple[str, "Labels"]

log = logging.getLogger(__name__)


@dataclass
class Tick:
    """What an evaluation changed.

    Attributes:
        changed: alerts that are new or went on in their life, to be kept.
        gone: rule and labels of alerts to be forgotten.
        failed: rules that could not be evaluated, by name, and why.
    """

    changed: list[ActiveAlert] = field(default_factory=list)
    gone: list[Key] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


class Engine:
    """Rules, the figures that they read, and the alerts that they found.

    Args:
        groups: the rules.
        interval: seconds between two evaluations.
        alerts: as they were when the process ended.
        last: when it last evaluated its rules, epoch seconds, None if never.
        history: made for the expressions of the rules, where others read it too.

    Attributes:
        failures: evaluations that failed, since the start.
    """

    def __init__(
        self,
        groups: Iterable[Group],
        interval: float,
        alerts: Iterable[ActiveAlert] = (),
        last: float | None = None,
        history: History | None = None,
    ) -> None:
        self._rules = [rule for group in groups for rule in group.rules]
        self._interval = interval
        self._history = history or History(rule.expression for rule in self._rules)
        self._began: float | None = None
        self._last = last
        self._failing: dict[str, str] = {}
        self._active: dict[str, dict[Labels, ActiveAlert]] = {}
        for alert in alerts:
            self._active.setdefault(alert.rule, {})[alert.labels] = alert
        self.failures = 0

    @property
    def alerts(self) -> list[ActiveAlert]:
        """All alerts, also those that were resolved in the last quarter of an hour."""
        return [alert for found in self._active.values() for alert in found.values()]

    @property
    def alert_rules(self) -> dict[str, AlertRule]:
        """Alerting rules by their id."""
        return {rule.id: rule for rule in self._rules if isinstance(rule, AlertRule)}

    def use(self, groups: Iterable[Group], interval: float) -> None:
        """Go on with other rules; the alerts of those that stay stay."""
        self._rules = [rule for group in groups for rule in group.rules]
        self._interval = interval
        self._history = self._history.with_expressions(rule.expression for rule in self._rules)
        self._failing.clear()

    def evaluate(self, now: float, snapshot: Snapshot) -> Tick:
        """Evaluate every rule once.

        An alert whose rule cannot be evaluated stays as it is. One whose rule is gone is resolved.

        Args:
            now: epoch seconds.
            snapshot: the figures.
        """
        before = {(a.rule, a.labels): a for a in self.alerts}
        self._leave_out_what_was_missed(now)
        self._history.append(now, snapshot)
        self._began = now if self._began is None else min(self._began, now)
        failed = []
        for rule in self._rules:
            try:
                self._evaluate(rule, now)
            except (EvaluationError, UnsupportedError) as error:
                failed.append((rule.name, str(error)))
                self._fail(rule, str(error))
            except Exception as error:  # a fault of ours must not stop the other rules
                log.exception("rule %s", rule.name)
                failed.append((rule.name, repr(error)))
                self._fail(rule, repr(error))
            else:
                self._failing.pop(_key(rule), None)
        self._resolve_orphans(now)
        self._last = now
        after = {(a.rule, a.labels): a for a in self.alerts}
        return Tick(
            changed=[a for key, a in after.items() if not a.same_life(before.get(key))],
            gone=[key for key in before if key not in after],
            failed=failed,
        )

    def _leave_out_what_was_missed(self, now: float) -> None:
        """After a restart, a pause or a jump of the clock, pending goes on where it was."""
        if self._last is None:
            return
        passed = now - self._last
        if 0 <= passed <= _MISSED_INTERVALS * self._interval:
            return
        moved = passed - self._interval
        for found in self._active.values():
            for labels, alert in found.items():
                found[labels] = alert.moved(moved, now)
        if passed < 0:
            self._began = None

    def _evaluate(self, rule: RecordingRule | AlertRule, now: float) -> None:
        result = rule.expression.evaluate(now, self._history)
        vector: Vector = result if isinstance(result, dict) else {(): result}
        if isinstance(rule, RecordingRule):
            self._record(rule, vector, now)
            return
        active = self._active.get(rule.id, {})
        found = {}
        for series, value in vector.items():
            labels, finding = self._finding(rule, series, value, now)
            if labels in found:
                raise EvaluationError("two results have the same labels once the rule's are set")
            found[labels] = finding
        # a range that reaches back behind the start of this process proves nothing by its silence
        began = now if self._began is None else self._began
        observed_since = began if now - began < rule.expression.range_seconds else None
        after = advance(rule, active, found, now, observed_since=observed_since)
        if after:
            self._active[rule.id] = after
        else:
            self._active.pop(rule.id, None)

    def _record(self, rule: RecordingRule, vector: Vector, now: float) -> None:
        recorded: Vector = {}
        for series, value in vector.items():
            labels = dict(series) | dict(rule.labels)
            labels.pop("__name__", None)
            key = tuple(sorted((name, text) for name, text in labels.items() if text))
            if key in recorded:
                raise EvaluationError("two results have the same labels once the rule's are set")
            recorded[key] = value
        self._history.record(now, rule.name, recorded)

    def _finding(
        self, rule: AlertRule, series: Labels, value: float, now: float
    ) -> tuple[Labels, Finding]:
        context = Context(dict(series), value, query=lambda text: self._query(text, now))
        labels = {name: text for name, text in series if name != "__name__"}
        for name, template in rule.labels:
            labels[name] = self._expand(rule, name, template, context)
        labels["alertname"] = rule.name
        annotations = tuple(
            (name, self._expand(rule, name, template, context))
            for name, template in rule.annotations
        )
        known = tuple(sorted((name, text) for name, text in labels.items() if text))
        return known, Finding(value, annotations)

    def _query(self, text: str, now: float) -> list[Found]:
        try:
            result = compile_expression(text).evaluate(now, self._history)
        except (UnsupportedError, EvaluationError) as error:
            raise TemplateError(f"query: {error}") from error
        vector: Vector = result if isinstance(result, dict) else {(): result}
        return [Found(dict(labels), value) for labels, value in sorted(vector.items())]

    def _expand(self, rule: AlertRule, name: str, template: Template, context: Context) -> str:
        try:
            return template.expand(context)
        except TemplateError as error:
            where = f"{rule.place} {rule.name}.{name}"
            self._warn(where, f"{where}: the template cannot be expanded: {error}")
            return f"<error expanding template: {error}>"

    def _fail(self, rule: RecordingRule | AlertRule, reason: str) -> None:
        self.failures += 1
        place = f"{rule.place} " if isinstance(rule, AlertRule) else ""
        told = f"{place}cannot be evaluated, its alerts stay as they are: {reason}"
        self._warn(_key(rule), f"{rule.name}: {told}")

    def _warn(self, key: str, fault: str) -> None:
        """Tell a fault once, until it is another one."""
        if self._failing.get(key) != fault:
            log.warning("rule %s", fault)
            self._failing[key] = fault

    def _resolve_orphans(self, now: float) -> None:
        known = self.alert_rules
        for rule_id in [name for name in self._active if name not in known]:
            kept = {}
            for labels, alert in self._active[rule_id].items():
                if alert.state is State.FIRING:
                    kept[labels] = alert.ended(now)
                elif alert.state is State.RESOLVED and not alert.is_old(now):
                    kept[labels] = alert
            if kept:
                self._active[rule_id] = kept
            else:
                del self._active[rule_id]


def _key(rule: RecordingRule | AlertRule) -> str:
    """What tells a rule from others of its name."""
    if isinstance(rule, AlertRule):
        return rule.id
    return f"{rule.name} {rule.labels} {rule.expression.text}"
