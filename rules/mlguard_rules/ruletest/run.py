"""Runs test scenarios (prometheus/cmd/promtool/unittest.go)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mlguard_rules.alert import State
from mlguard_rules.alerting import RuleManager
from mlguard_rules.errors import EvaluationError
from mlguard_rules.promql import NAME, format_labels
from mlguard_rules.ruletest.scenario import AlertCheck, Difference, QueryCheck, Sample, Stale
from mlguard_rules.ruletest.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlguard_rules.promql import History, Labels, Vector
    from mlguard_rules.rulefile import RuleGroup
    from mlguard_rules.ruletest.scenario import Check, Firing, InputSeries, RuleTests, Scenario


def run(tests: RuleTests) -> list[Difference]:
    """Return the failed checks of a file, in the order of the file."""
    found = [
        difference
        for scenario in tests.scenarios
        for difference in _run_scenario(scenario, tests.groups, tests.interval)
    ]
    return sorted(found, key=lambda difference: difference.line)


def _run_scenario(
    scenario: Scenario, groups: Sequence[RuleGroup], interval: int
) -> list[Difference]:
    """Evaluate every rule from time 0 until the last check; return the failed checks."""
    rules = [rule for group in groups for rule in group.rules]
    queries = [check for check in scenario.checks if isinstance(check, QueryCheck)]
    storage = Storage([one.expression for one in (*rules, *queries)])
    manager = RuleManager(groups, interval / 1000, history=storage)
    steps = range(0, scenario.end + 1, interval)
    samples = _by_time(scenario, until=steps[-1])
    checks: dict[int, list[Check]] = defaultdict(list)
    for check in scenario.checks:
        checks[check.at].append(check)
    differences: list[Difference] = []
    for at in sorted({*steps, *samples, *checks}):
        snapshot = _snapshot(samples.get(at, ()), storage, at)
        if at in steps:
            failed = manager.evaluate(at / 1000, snapshot).failed
            if failed:  # promtool ends a scenario here too
                what = _description(scenario, "rules", at)
                reasons = tuple(f"{rule} cannot be evaluated: {reason}" for rule, reason in failed)
                return [*differences, Difference(scenario.line, what, (), reasons)]
            record_alerts(manager, storage, at)
        elif at in samples:
            storage.append(at / 1000, snapshot)
        for check in checks.get(at, ()):
            difference = _difference(scenario, check, manager, storage)
            if difference is not None:
                differences.append(difference)
    return differences


_Samples = list[tuple["InputSeries", "float | Stale"]]


def _by_time(scenario: Scenario, until: int) -> dict[int, _Samples]:
    """Return samples and ends of series by time; promtool loads none after the last evaluation."""
    found: dict[int, _Samples] = defaultdict(list)
    for series in scenario.series:
        for i, value in enumerate(series.values):
            if value is not None and i * scenario.interval <= until:
                found[i * scenario.interval].append((series, value))
    return found


def _snapshot(
    samples: Iterable[tuple[InputSeries, float | Stale]], storage: Storage, at: int
) -> dict[str, list[Sample]]:
    snapshot: dict[str, list[Sample]] = defaultdict(list)
    for series, value in samples:
        if isinstance(value, Stale):
            storage.end(series.metric, series.labels, at)
        else:
            snapshot[series.metric].append((series.labels, value))
    return snapshot


def record_alerts(manager: RuleManager, history: History, at: int) -> None:
    """Record ALERTS and ALERTS_FOR_STATE as Prometheus does.

    A label whose template expands to nothing has the template as its value there
    (prometheus/rules/alerting.go, sample).
    """
    rules = manager.alert_rules
    alerts: Vector = {}
    for_state: Vector = {}
    for alert in manager.alerts:
        if alert.state is State.RESOLVED:
            continue
        labels = {name: template.source for name, template in rules[alert.rule_id].labels}
        labels |= dict(alert.labels)
        known = tuple(sorted((name, text) for name, text in labels.items() if text))
        for_state.setdefault(known, float(int(alert.active_at)))
        alerts[tuple(sorted({**dict(known), "alertstate": str(alert.state)}.items()))] = 1.0
    history.record(at / 1000, "ALERTS", alerts)
    history.record(at / 1000, "ALERTS_FOR_STATE", for_state)


def _difference(
    scenario: Scenario, check: Check, manager: RuleManager, storage: Storage
) -> Difference | None:
    if isinstance(check, AlertCheck):
        what, firing = f"alert {check.name}", _firing(manager, check.name)
        if firing == check.expected:
            return None
        expected, found = _firing_lines(check.expected), _firing_lines(firing)
    else:
        what, expected = " ".join(check.expression.text.split()), _sample_lines(check.expected)
        try:
            result = check.expression.evaluate(check.at / 1000, storage)
        except EvaluationError as error:
            found = (f"an error: {error}",)
        else:
            vector: Vector = result if isinstance(result, dict) else {(): result}
            samples = tuple(sorted(vector.items()))
            if samples == check.expected:
                return None
            found = _sample_lines(samples)
    return Difference(check.line, _description(scenario, what, check.at), expected, found)


def _firing(manager: RuleManager, name: str) -> tuple[Firing, ...]:
    return tuple(
        sorted(
            (alert.labels, tuple(sorted(alert.annotations)))
            for alert in manager.alerts
            if alert.state is State.FIRING and ("alertname", name) in alert.labels
        )
    )


def _description(scenario: Scenario, what: str, at: int) -> str:
    seconds, rest = divmod(at, 1000)
    time = f"{seconds // 60}m" if seconds % 60 == rest == 0 else f"{at / 1000:g}s"
    return f"{scenario.name + ': ' if scenario.name else ''}{what} at {time}"


def _firing_lines(firing: Iterable[Firing]) -> tuple[str, ...]:
    return tuple(
        f"{format_labels(labels)} {format_labels(annotations)}" for labels, annotations in firing
    )


def _sample_lines(samples: Iterable[Sample]) -> tuple[str, ...]:
    return tuple(f"{_series_text(labels)} {value!r}" for labels, value in samples)


def _series_text(labels: Labels) -> str:
    known = dict(labels)
    return known.pop(NAME, "") + format_labels(tuple(known.items()))
