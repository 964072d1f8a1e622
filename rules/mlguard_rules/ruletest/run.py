"""Rules played through scenarios (prometheus/cmd/promtool/unittest.go)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mlguard_rules.alerting import Engine, State
from mlguard_rules.promql import EvaluationError
from mlguard_rules.promql.values import NAME, text_of
from mlguard_rules.ruletest.model import AlertCheck, Difference, QueryCheck, Sample, Stale
from mlguard_rules.ruletest.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlguard_rules.promql import History, Labels, Vector
    from mlguard_rules.rulefile import Group
    from mlguard_rules.ruletest.model import Check, Firing, InputSeries, RuleTests, Scenario


def run(tests: RuleTests) -> list[Difference]:
    """Where the engine does not do what the tests of a file expect, in the file's order."""
    found = [
        difference
        for scenario in tests.scenarios
        for difference in _play(scenario, tests.groups, tests.interval)
    ]
    return sorted(found, key=lambda difference: difference.line)


def _play(scenario: Scenario, groups: Sequence[Group], interval: int) -> list[Difference]:
    """Evaluate every rule from time 0 on, until the last check."""
    rules = [rule for group in groups for rule in group.rules]
    queries = [check for check in scenario.checks if isinstance(check, QueryCheck)]
    storage = Storage([one.expression for one in (*rules, *queries)])
    engine = Engine(groups, interval / 1000, history=storage)
    steps = range(0, scenario.end + 1, interval)
    samples = _by_time(scenario, until=steps[-1])
    checks: dict[int, list[Check]] = defaultdict(list)
    for check in scenario.checks:
        checks[check.at].append(check)
    differences: list[Difference] = []
    for at in sorted({*steps, *samples, *checks}):
        snapshot = _snapshot(samples.get(at, ()), storage)
        if at in steps:
            failed = engine.evaluate(at / 1000, snapshot).failed
            if failed:  # promtool too ends a scenario here
                what = _told(scenario, "rules", at)
                told = tuple(f"{rule} cannot be evaluated: {reason}" for rule, reason in failed)
                return [*differences, Difference(scenario.line, what, (), told)]
            record_alerts(engine, storage, at)
        elif at in samples:
            storage.append(at / 1000, snapshot)
        for check in checks.get(at, ()):
            difference = _difference(scenario, check, engine, storage)
            if difference is not None:
                differences.append(difference)
    return differences


_Samples = list[tuple["InputSeries", "float | Stale"]]


def _by_time(scenario: Scenario, until: int) -> dict[int, _Samples]:
    """Samples, and ends of series, by their time; promtool loads none after the last evaluation."""
    found: dict[int, _Samples] = defaultdict(list)
    for series in scenario.series:
        for i, value in enumerate(series.values):
            if value is not None and i * scenario.interval <= until:
                found[i * scenario.interval].append((series, value))
    return found


def _snapshot(
    samples: Iterable[tuple[InputSeries, float | Stale]], storage: Storage
) -> dict[str, list[Sample]]:
    snapshot: dict[str, list[Sample]] = defaultdict(list)
    for series, value in samples:
        if isinstance(value, Stale):
            storage.end(series.metric, series.labels)
        else:
            snapshot[series.metric].append((series.labels, value))
    return snapshot


def record_alerts(engine: Engine, history: History, at: int) -> None:
    """Write the series of Prometheus about its alerts, ALERTS and ALERTS_FOR_STATE.

    A rule's label whose template expands to nothing has the template for its value there
    (prometheus/rules/alerting.go, sample).
    """
    rules = engine.alert_rules
    alerts: Vector = {}
    for_state: Vector = {}
    for alert in engine.alerts:
        if alert.state is State.RESOLVED:
            continue
        labels = {name: template.source for name, template in rules[alert.rule].labels}
        labels |= dict(alert.labels)
        known = tuple(sorted((name, text) for name, text in labels.items() if text))
        for_state.setdefault(known, float(int(alert.active_at)))
        alerts[tuple(sorted({**dict(known), "alertstate": str(alert.state)}.items()))] = 1.0
    history.record(at / 1000, "ALERTS", alerts)
    history.record(at / 1000, "ALERTS_FOR_STATE", for_state)


def _difference(
    scenario: Scenario, check: Check, engine: Engine, storage: Storage
) -> Difference | None:
    if isinstance(check, AlertCheck):
        what, firing = f"alert {check.name}", _firing(engine, check.name)
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
    return Difference(check.line, _told(scenario, what, check.at), expected, found)


def _firing(engine: Engine, name: str) -> tuple[Firing, ...]:
    return tuple(
        sorted(
            (alert.labels, tuple(sorted(alert.annotations)))
            for alert in engine.alerts
            if alert.state is State.FIRING and ("alertname", name) in alert.labels
        )
    )


def _told(scenario: Scenario, what: str, at: int) -> str:
    seconds, rest = divmod(at, 1000)
    time = f"{seconds // 60}m" if seconds % 60 == rest == 0 else f"{at / 1000:g}s"
    return f"{scenario.name + ': ' if scenario.name else ''}{what} at {time}"


def _firing_lines(firing: Iterable[Firing]) -> tuple[str, ...]:
    return tuple(f"{text_of(labels)} {text_of(annotations)}" for labels, annotations in firing)


def _sample_lines(samples: Iterable[Sample]) -> tuple[str, ...]:
    return tuple(f"{_series_text(labels)} {value!r}" for labels, value in samples)


def _series_text(labels: Labels) -> str:
    known = dict(labels)
    return known.pop(NAME, "") + text_of(tuple(known.items()))
