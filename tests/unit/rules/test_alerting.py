"""The life of alerts over restarts, faults and clocks that jump."""

from __future__ import annotations

import logging

import pytest

from mlguard_rules.alert import State
from mlguard_rules.alerting import RuleManager
from mlguard_rules.promql import History
from mlguard_rules.rulefile import load_rules

NOW = 1_800_000_000.0
STEP = 15.0


@pytest.fixture
def rules(tmp_path):
    def make(*alerts: str):
        path = tmp_path / "r.yml"
        indented = "".join(f"      {line}\n" for alert in alerts for line in alert.splitlines())
        path.write_text(f"groups:\n  - name: g\n    rules:\n{indented}")
        return load_rules(path)

    return make


HIGH = "- alert: High\n  expr: x > 1\n  for: 5m\n  labels: {severity: warning}"


def x(value: float, **labels: str):
    return {"x": [(tuple(sorted(labels.items())), value)]}


def states(manager):
    return {alert.state for alert in manager.alerts}


def run(manager, begin, seconds, snapshot):
    now = begin
    while now < begin + seconds:
        manager.evaluate(now, snapshot)
        now += STEP
    return now


def test_pending_goes_on_after_a_restart_where_it_was(rules):
    manager = RuleManager(rules(HIGH), STEP)
    now = run(manager, NOW, 4 * 60, x(2))
    assert states(manager) == {State.PENDING}
    after = RuleManager(rules(HIGH), STEP, manager.alerts, last=now - STEP)
    again = now + 3600
    after.evaluate(again, x(2))
    assert states(after) == {State.PENDING}, "time while it was down does not count"
    now = run(after, again + STEP, 45, x(2))
    assert states(after) == {State.PENDING}
    run(after, now, 30, x(2))
    assert states(after) == {State.FIRING}


def test_firing_goes_on_after_a_restart_and_keeps_its_beginning(rules):
    manager = RuleManager(rules(HIGH), STEP)
    now = run(manager, NOW, 6 * 60, x(2))
    after = RuleManager(rules(HIGH), STEP, manager.alerts, last=now - STEP)
    result = after.evaluate(now + 7200, x(3))
    assert result.changed == []
    (alert,) = after.alerts
    assert (alert.state, alert.active_at, alert.value) == (State.FIRING, NOW, 3)


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_jump_of_the_clock_counts_for_nothing(rules, jump):
    manager = RuleManager(rules(HIGH), STEP)
    now = run(manager, NOW, 4 * 60, x(2)) + jump
    now = run(manager, now, 60, x(2))
    assert states(manager) == {State.PENDING}
    now = run(manager, now, 30, x(2))
    assert states(manager) == {State.FIRING}
    (alert,) = manager.alerts
    assert alert.active_at <= now
    now = run(manager, now - jump, STEP, x(2))
    assert states(manager) == {State.FIRING}
    manager.evaluate(now, x(0))
    assert states(manager) == {State.RESOLVED}


def test_resolved_alerts_are_sent_for_a_quarter_of_an_hour(rules):
    manager = RuleManager(rules(HIGH.replace("5m", "0s")), STEP)
    now = run(manager, NOW, STEP, x(2))
    run(manager, now, 15 * 60 + STEP, x(0))
    assert states(manager) == {State.RESOLVED}
    result = manager.evaluate(now + 15 * 60 + STEP, x(0))
    assert manager.alerts == []
    assert len(result.removed) == 1


def test_a_rule_that_fails_changes_nothing_and_is_reported_once(rules, caplog):
    manager = RuleManager(rules("- alert: Twice\n  expr: x + on (a) y"), STEP)
    one = {"x": [((("a", "1"),), 1.0)], "y": [((("a", "1"),), 1.0)]}
    two = one | {"y": [((("a", "1"), ("b", "1")), 1.0), ((("a", "1"), ("b", "2")), 1.0)]}
    manager.evaluate(NOW, one)
    with caplog.at_level(logging.WARNING):
        now = run(manager, NOW + STEP, 60, two)
    assert states(manager) == {State.FIRING}
    assert manager.failures == 4
    assert len(caplog.records) == 1
    manager.evaluate(now, {})
    assert states(manager) == {State.RESOLVED}


def test_a_broken_template_is_marked_and_loses_no_alert(rules, caplog):
    broken = (
        '- alert: B\n  expr: x\n  annotations: {summary: "{{ query `none` | first | value }}!"}'
    )
    manager = RuleManager(rules(broken), STEP)
    with caplog.at_level(logging.WARNING):
        run(manager, NOW, 60, x(1, model="m"))
    (alert,) = manager.alerts
    assert alert.state is State.FIRING
    (pair,) = alert.annotations
    assert pair[1].startswith("<error expanding template: first: ")
    assert len(caplog.records) == 1


def test_labels_that_collide_are_an_error_not_a_lost_alert(rules):
    manager = RuleManager(rules("- alert: C\n  expr: x\n  labels: {model: same}"), STEP)
    manager.evaluate(NOW, {"x": [((("model", "a"),), 1.0), ((("model", "b"),), 1.0)]})
    assert manager.failures == 1
    assert manager.alerts == []


def test_an_alert_whose_rule_is_taken_away_is_resolved(rules):
    manager = RuleManager(rules(HIGH.replace("5m", "0s")), STEP)
    manager.evaluate(NOW, x(2))
    manager.use(rules("- alert: Other\n  expr: x > 5"), STEP)
    manager.evaluate(NOW + STEP, x(2))
    assert states(manager) == {State.RESOLVED}


def test_a_range_that_begins_anew_resolves_nothing_by_its_silence(rules):
    errors = "- alert: E\n  expr: increase(x[5m]) > 0"
    manager = RuleManager(rules(errors), STEP)
    now = NOW
    for i in range(8):
        now = run(manager, now, STEP, x(i))
    assert states(manager) == {State.FIRING}
    after = RuleManager(rules(errors), STEP, manager.alerts, last=now - STEP)
    now = run(after, now, 5 * 60, x(8))
    assert states(after) == {State.FIRING}
    run(after, now, 30, x(8))
    assert states(after) == {State.RESOLVED}


def test_a_range_that_begins_anew_after_a_burst_resolves_nothing_by_its_silence(rules):
    rule = rules("- alert: Bad\n  expr: max_over_time(x[10m]) > 1")
    history = History((rule[0].rules[0].expression,), max_samples=500)
    manager = RuleManager(rule, STEP, history=history)
    manager.evaluate(NOW, x(2))
    many = {"x": [((("i", str(n)),), 0.0) for n in range(600)]}
    assert manager.evaluate(NOW + STEP, many).failed
    now = NOW + 2 * STEP
    while now < NOW + 2 * STEP + 600:
        assert not manager.evaluate(now, x(0)).failed
        assert states(manager) == {State.FIRING}
        now += STEP
    manager.evaluate(now, x(0))
    assert states(manager) == {State.RESOLVED}


def test_a_range_that_has_grown_since_an_alert_began_may_resolve_it(rules):
    manager = RuleManager(rules("- alert: E\n  expr: increase(x[1h]) > 28"), STEP)
    now = run(manager, NOW, STEP, x(100))
    now = run(manager, now, STEP, x(120))
    assert states(manager) == {State.FIRING}, "two samples are stretched to 30"
    run(manager, now, STEP, x(120))
    assert states(manager) == {State.RESOLVED}


def test_recording_rules_feed_the_rules_behind_them(rules):
    manager = RuleManager(
        rules(
            "- record: r\n  expr: sum by (a) (x)\n  labels: {k: v}",
            "- alert: R\n  expr: r > 2",
        ),
        STEP,
    )
    manager.evaluate(NOW, {"x": [((("a", "1"), ("b", str(i))), 1.0) for i in range(3)]})
    (alert,) = manager.alerts
    assert dict(alert.labels) == {"alertname": "R", "a": "1", "k": "v"}


def test_an_empty_label_of_a_recording_rule_takes_the_label_away(rules):
    manager = RuleManager(
        rules("- record: r\n  expr: x\n  labels: {a: ''}", "- alert: R\n  expr: r"), STEP
    )
    manager.evaluate(NOW, x(1, a="1", b="2"))
    (alert,) = manager.alerts
    assert dict(alert.labels) == {"alertname": "R", "b": "2"}


def test_a_rule_that_fails_is_reported_once_also_where_its_twin_does_not(rules, caplog):
    manager = RuleManager(
        rules(
            "- alert: T\n  expr: x + on (a) y\n  labels: {severity: a}",
            "- alert: T\n  expr: x\n  labels: {severity: b}",
        ),
        STEP,
    )
    two = [((("a", "1"), ("b", "1")), 1.0), ((("a", "1"), ("b", "2")), 1.0)]
    with caplog.at_level(logging.WARNING):
        run(manager, NOW, 60, {"x": [((("a", "1"),), 1.0)], "y": two})
    assert manager.failures == 4
    assert len(caplog.records) == 1
