"""Periodic evaluation of rules, as by Prometheus' rule manager."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from mlguard_rules.alert import Alert, State
from mlguard_rules.alerting.state import advance, is_expired
from mlguard_rules.errors import EvaluationError, TemplateError, UnsupportedError
from mlguard_rules.promql import History, ResultCache, compile_expression
from mlguard_rules.rulefile import AlertRule
from mlguard_rules.templates import QuerySample, TemplateContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlguard_rules.promql import Labels, Samples, Snapshot, Vector
    from mlguard_rules.rulefile import RecordingRule, RuleGroup
    from mlguard_rules.templates import Template

_MAX_INTERVALS = 4
"""After more than these, the time between two evaluations was not observed."""

Key = tuple[str, "Labels"]

log = logging.getLogger(__name__)

_compile_query = lru_cache(maxsize=1024)(compile_expression)


@dataclass
class EvaluationResult:
    """Changes by one evaluation of all rules.

    Attributes:
        changed: alerts that are new or have changed their state.
        removed: rule id and labels of alerts that are no more.
        failed: names of rules that could not be evaluated, and the reasons.
    """

    changed: list[Alert] = field(default_factory=list)
    removed: list[Key] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Expanded:
    """The alerts that a rule found, and the objects that they were made of."""

    vector: Vector
    queried: dict[str, Samples]
    found: dict[Labels, Alert]


class RuleManager:
    """Rules, the samples that they read, and their alerts.

    Args:
        groups: the rules.
        interval: seconds between two evaluations.
        alerts: as they were stored.
        last: when rules were last evaluated, epoch seconds; None if never.
        history: made for the expressions of the rules, if it is shared.
        fetch: returns samples of names that are not in `metric_names`; a template can ask for
            them whose query depends on labels.

    Attributes:
        failures: evaluations of a rule that failed.
    """

    def __init__(
        self,
        groups: Iterable[RuleGroup],
        interval: float,
        alerts: Iterable[Alert] = (),
        last: float | None = None,
        history: History | None = None,
        fetch: Callable[[frozenset[str]], Snapshot] | None = None,
    ) -> None:
        self._rules = [rule for group in groups for rule in group.rules]
        self._interval = interval
        self._history = history or History(rule.expression for rule in self._rules)
        self._fetch = fetch
        self._observed_since: float | None = None
        self._last = last
        self._logged: dict[str, str] = {}
        self._alerts: dict[str, dict[Labels, Alert]] = {}
        for alert in alerts:
            self._alerts.setdefault(alert.rule_id, {})[alert.labels] = alert
        self.failures = 0
        self._start()

    def _start(self) -> None:
        self._results = ResultCache(self._history)
        self._expanded: dict[str, _Expanded] = {}
        self._queried: frozenset[str] = frozenset()
        self._reads: set[str] = set()
        self._reads_time = False
        self._named = frozenset[str]().union(*(rule.metrics for rule in self._rules))

    @property
    def metric_names(self) -> frozenset[str]:
        """Names of the samples that rules and their templates read."""
        return self._named | self._queried

    @property
    def alerts(self) -> list[Alert]:
        """All alerts, also those that were resolved recently."""
        return [alert for alerts in self._alerts.values() for alert in alerts.values()]

    @property
    def alert_rules(self) -> dict[str, AlertRule]:
        """Alerting rules by their id."""
        return {rule.id: rule for rule in self._rules if isinstance(rule, AlertRule)}

    def use(self, groups: Iterable[RuleGroup], interval: float) -> None:
        """Use other rules; alerts of rules that stay are kept."""
        self._rules = [rule for group in groups for rule in group.rules]
        self._interval = interval
        self._history = self._history.with_expressions(rule.expression for rule in self._rules)
        self._logged.clear()
        self._start()

    def evaluate(self, now: float, snapshot: Snapshot) -> EvaluationResult:
        """Evaluate every rule once.

        Alerts of a rule that cannot be evaluated stay as they are. Alerts of a rule that was
        removed are resolved.

        Args:
            now: epoch seconds.
            snapshot: current samples. A list of samples that has not changed since the last
                snapshot may be the same object, which saves the evaluation of its rules.
        """
        before = {(a.rule_id, a.labels): a for a in self.alerts}
        self._skip_unobserved_time(now)
        self._history.append(now, snapshot)
        self._results.prune(now)
        since = self._observed_since
        self._observed_since = now if since is None else min(since, now)
        failed = []
        for rule in self._rules:
            try:
                self._evaluate(rule, now)
            except (EvaluationError, UnsupportedError) as error:
                failed.append((rule.name, str(error)))
                self._fail(rule, str(error))
            except Exception as error:  # a fault here must not stop the other rules
                log.exception("rule %s", rule.name)
                failed.append((rule.name, repr(error)))
                self._fail(rule, repr(error))
            else:
                self._logged.pop(_log_key(rule), None)
        self._resolve_removed(now)
        self._last = now
        after = {(a.rule_id, a.labels): a for a in self.alerts}
        return EvaluationResult(
            changed=[a for key, a in after.items() if not a.same_state(before.get(key))],
            removed=[key for key in before if key not in after],
            failed=failed,
        )

    def _skip_unobserved_time(self, now: float) -> None:
        """Move the timers of alerts after a restart, a pause or a jump of the clock."""
        if self._last is None:
            return
        passed = now - self._last
        if 0 <= passed <= _MAX_INTERVALS * self._interval:
            return
        shift = passed - self._interval
        for alerts in self._alerts.values():
            for labels, alert in alerts.items():
                alerts[labels] = alert.shifted(shift, now)
        if passed < 0:
            self._observed_since = None

    def _evaluate(self, rule: RecordingRule | AlertRule, now: float) -> None:
        result = self._results.evaluate(rule.expression, now)
        vector: Vector = result if isinstance(result, dict) else {(): result}
        if not isinstance(rule, AlertRule):
            self._record(rule, vector, now)
            return
        active = self._alerts.get(rule.id, {})
        found = self._found(rule, vector, now)
        # a range that begins before the first known sample does not show that a condition ended
        since = now if self._observed_since is None else self._observed_since
        since = max(since, self._history.restarted_at(rule.expression) or since)
        observed_since = since if now - since < rule.expression.range_seconds else None
        after = advance(rule, active, found, now, observed_since=observed_since)
        if after:
            self._alerts[rule.id] = after
        else:
            self._alerts.pop(rule.id, None)

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

    def _found(self, rule: AlertRule, vector: Vector, now: float) -> dict[Labels, Alert]:
        """Return a pending alert for each result; those of the last evaluation if unchanged."""
        if not vector:
            return {}
        last = self._expanded.pop(rule.id, None)
        current = self._history.current
        if (
            last is not None
            and last.vector is vector
            and all(current(name, now) is samples for name, samples in last.queried.items())
        ):
            self._expanded[rule.id] = last
            return last.found
        found = {}
        self._reads, self._reads_time = set(), False
        for series, value in vector.items():
            alert = self._alert(rule, series, value, now)
            if alert.labels in found:
                raise EvaluationError("two results have the same labels once the rule's are set")
            found[alert.labels] = alert
        if not self._reads_time:
            queried = {name: current(name, now) for name in self._reads}
            self._expanded[rule.id] = _Expanded(vector, queried, found)
        return found

    def _alert(self, rule: AlertRule, series: Labels, value: float, now: float) -> Alert:
        context = TemplateContext(dict(series), value, query=lambda text: self._query(text, now))
        labels = {name: text for name, text in series if name != "__name__"}
        for name, template in rule.labels:
            labels[name] = self._expand(rule, name, template, context)
        labels["alertname"] = rule.name
        annotations = tuple(
            (name, self._expand(rule, name, template, context))
            for name, template in rule.annotations
        )
        known = tuple(sorted((name, text) for name, text in labels.items() if text))
        return Alert(known, annotations, now, state=State.PENDING, value=value, rule_id=rule.id)

    def _query(self, text: str, now: float) -> list[QuerySample]:
        try:
            expression = _compile_query(text)
            self._fetch_missing(expression.metrics)
            self._reads |= expression.metrics
            self._reads_time |= expression.depends_on_time
            result = self._results.evaluate(expression, now)
        except (UnsupportedError, EvaluationError) as error:
            raise TemplateError(f"query: {error}") from error
        vector: Vector = result if isinstance(result, dict) else {(): result}
        return [QuerySample(dict(labels), value) for labels, value in sorted(vector.items())]

    def _fetch_missing(self, names: frozenset[str]) -> None:
        """Fetch samples of which only a template with its values says that it reads them."""
        missing = names - self.metric_names
        if missing and self._fetch is not None:
            self._history.extend(self._fetch(missing))
            self._queried |= missing

    def _expand(
        self, rule: AlertRule, name: str, template: Template, context: TemplateContext
    ) -> str:
        try:
            return template.expand(context)
        except TemplateError as error:
            where = f"{rule.location} {rule.name}.{name}"
            self._warn(where, f"{where}: the template cannot be expanded: {error}")
            return f"<error expanding template: {error}>"

    def _fail(self, rule: RecordingRule | AlertRule, reason: str) -> None:
        self.failures += 1
        location = f"{rule.location} " if isinstance(rule, AlertRule) else ""
        text = f"{location}cannot be evaluated, its alerts stay as they are: {reason}"
        self._warn(_log_key(rule), f"{rule.name}: {text}")

    def _warn(self, key: str, fault: str) -> None:
        """Log a fault once, until it is another one."""
        if self._logged.get(key) != fault:
            log.warning("rule %s", fault)
            self._logged[key] = fault

    def _resolve_removed(self, now: float) -> None:
        """Resolve alerts of rules that were removed, and delete them later."""
        known = self.alert_rules
        for rule_id in [name for name in self._alerts if name not in known]:
            kept = {}
            for labels, alert in self._alerts[rule_id].items():
                if alert.state is State.FIRING:
                    kept[labels] = alert.resolved(now)
                elif alert.state is State.RESOLVED and not is_expired(alert, now):
                    kept[labels] = alert
            if kept:
                self._alerts[rule_id] = kept
            else:
                del self._alerts[rule_id]


def _log_key(rule: RecordingRule | AlertRule) -> str:
    """Return what distinguishes a rule from others of its name."""
    if isinstance(rule, AlertRule):
        return rule.id
    return f"{rule.name} {rule.labels} {rule.expression.text}"
