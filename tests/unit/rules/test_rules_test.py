"""The runner of promtool's test files, where a slip would make a user trust a broken rule."""

from __future__ import annotations

import math

import pytest

from mlguard_rules.errors import NotationError
from mlguard_rules.promql import compile_expression
from mlguard_rules.rulefile import RuleFileError
from mlguard_rules.ruletest import Storage, load_tests, run
from mlguard_rules.ruletest.notation import parse_labels, parse_values
from mlguard_rules.ruletest.scenario import STALE

RULES = """
groups:
  - name: g
    rules:
      - {record: r, expr: sum(x)}
      - alert: High
        expr: x > 1
        for: 2m
        labels: {owner: "{{ $labels.team }}"}
        annotations: {summary: "{{ $value }}"}
      - {alert: Twice, expr: x + on (a) y}
"""


@pytest.fixture
def written(tmp_path):
    (tmp_path / "r.yml").write_text(RULES)

    def make(tests: str, head: str = "rule_files: [r.yml]"):
        path = tmp_path / "t.yml"
        path.write_text(f"{head}\ntests:\n{tests}")
        return path

    return make


@pytest.fixture
def differences(written):
    """Of a single test with one series x."""

    def make(values: str, checks: str):
        series = f"[{{series: 'x{{a=\"1\"}}', values: '{values}'}}]"
        path = written(f"  - interval: 1m\n    input_series: {series}\n{checks}")
        return [str(difference) for difference in run(load_tests(path))]

    return make


def query(expr: str, at: str, *samples: str) -> str:
    expected = ", ".join(f"{{labels: '{labels}', value: {v}}}" for labels, v in map(_pair, samples))
    return (
        f"    promql_expr_test: [{{expr: '{expr}', eval_time: {at}, exp_samples: [{expected}]}}]\n"
    )


def _pair(sample: str) -> list[str]:
    return sample.rsplit(" ", 1)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1 2.5 -3", [1, 2.5, -3]),
        ("7x2", [7, 7, 7]),
        ("1+2x2 1-2x2", [1, 3, 5, 1, -1, -3]),
        ("-1+.5x1", [-1, -0.5]),
        ("0x0 1e2+1e1x1", [0, 100, 110]),
        ("_ _x2 stale 4", [None, None, None, STALE, 4]),
        ("_x0 Inf -inf", [math.inf, -math.inf]),
        ("", []),
    ],
)
def test_values_are_expanded_as_by_promtool(text, values):
    assert list(parse_values(text)) == values


def test_steps_are_added_up_one_by_one():
    assert parse_values("0+0.1x10")[10] == 0.9999999999999999


@pytest.mark.parametrize(
    "text", ["1y2", "1+x3", "x3", "stalex3", "1\n2", "1x9999999", "1 x3", "--1"]
)
def test_values_that_promtool_would_not_read_are_refused(text):
    with pytest.raises(NotationError):
        parse_values(text)


@pytest.mark.parametrize(
    "text", ["x{a!='1'}", "x[5m]", "x offset 5m", "x{a='1',a='2'}", "x + y", "{"]
)
def test_what_is_no_series_is_refused(text):
    with pytest.raises(NotationError):
        parse_labels(text)


def test_labels_are_read_with_and_without_a_name():
    assert parse_labels("{}") == ()
    assert parse_labels('{b="2", a="q\\"\\\\"}') == (("a", 'q"\\'), ("b", "2"))
    assert parse_labels('up{b="2"}') == parse_labels('{__name__="up",b="2"}')


def test_a_series_without_a_sample_is_seen_for_five_minutes(differences):
    one = '{__name__="x", a="1"} 3'
    assert not differences("3 _x9", query("x", "5m", one))
    assert not differences("3 _x9", query("x", "301s"))
    assert not differences("3 stale _x9", query("x", "59s", one))
    assert not differences("3 stale _x9", query("x", "1m"))
    assert not differences("3 stale 3", query("x", "2m", one))


def test_a_range_sees_only_samples(differences):
    one = '{a="1"} 2'
    assert not differences("1 _ 3 _x9", query("avg_over_time(x[10m])", "8m", one))
    assert not differences("1 stale 3 _x9", query("avg_over_time(x[10m])", "8m", one))


def test_no_sample_behind_the_last_evaluation_is_loaded(differences):
    assert not differences("0+1x9", query("x", "90s", '{__name__="x", a="1"} 1'))


def test_recorded_series_and_alerts_can_be_asked_for(differences):
    assert not differences("2x9", query("r", "3m", "r 2"))
    high = 'alertname="High", a="1", owner="{{ $labels.team }}"'
    assert not differences("2x9", query("ALERTS_FOR_STATE", "1m", f"ALERTS_FOR_STATE{{{high}}} 0"))
    for at, state in (("1m", "pending"), ("2m", "firing")):
        expected = f'ALERTS{{{high}, alertstate="{state}"}} 1'
        assert not differences("2x9", query("ALERTS", at, expected))


def test_a_difference_tells_the_line_what_was_expected_and_what_was_found(differences):
    check = "    alert_rule_test:\n      - {eval_time: 3m, alertname: High, exp_alerts: []}\n"
    (sent,) = differences("2x9", check)
    assert sent == (
        "6: alert High at 3m\n"
        "    expected: nothing\n"
        '    found:    {a="1", alertname="High"} {summary="2"}'
    )
    (sent,) = differences("2x9", query("x < 9", "90s", '{a="1"} 2'))
    assert sent == (
        "5: x < 9 at 90s\n"
        '    expected: {a="1"} 2.0\n'
        '    found:    x{a="1"} 2.0'
    )  # fmt: skip


def test_a_check_between_two_evaluations_takes_the_earlier(differences):
    check = "    alert_rule_test: [{eval_time: 119s, alertname: High, exp_alerts: []}]\n"
    assert not differences("2x9", check)


def test_a_rule_that_fails_is_a_difference(written):
    path = written(
        "  - name: broken\n"
        "    interval: 1m\n"
        "    input_series:\n"
        "      - {series: 'x{a=\"1\"}', values: 0x9}\n"
        "      - {series: 'y{a=\"1\"}', values: 0x9}\n"
        '      - {series: \'y{a="1",b="2"}\', values: _x4 0x9}\n'
        "    alert_rule_test: [{eval_time: 9m, alertname: High}]\n"
    )
    (difference,) = run(load_tests(path))
    assert difference.what == "broken: rules at 4m"
    assert difference.found[0].startswith("Twice cannot be evaluated: found duplicate series")


@pytest.mark.parametrize(
    ("tests", "line", "reason"),
    [
        ("tpyo: 3", 4, "unknown key 'tpyo'"),
        ("external_labels: {a: b}", 4, "external_labels is not supported"),
        ("external_url: x", 4, "external_url is not supported"),
        ("input_series:\n      - {series: x, values: 1y}", 5, "'1y' is no value"),
        (
            "input_series:\n      - {series: x, values: 1}\n      - {series: 'x{}', values: 1}",
            *(6, "a second series"),
        ),
        ("alert_rule_test:\n      - eval_time: 1m", 5, "alertname is missing"),
        ("alert_rule_test: 3", 4, "alert_rule_test: expected a list"),
        ("promql_expr_test:\n      - expr: absent(x @ 1)", 5, "the @ modifier is outside"),
        ("promql_expr_test: [{expr: x, exp_samples: [{value: many}]}]", 4, "expected a number"),
        ("promql_expr_test: [{expr: x, eval_time: soon}]", 4, "expected a duration such as 5m"),
        ("name: [", 5, "not YAML"),
    ],
)
def test_a_mistake_is_reported_with_its_line(written, tests, line, reason):
    with pytest.raises(RuleFileError) as sent:
        load_tests(written(f"  - interval: 1m\n    {tests}\n"))
    assert f"t.yml:{line}: " in str(sent.value)
    assert reason in str(sent.value)
    assert "\n" not in str(sent.value)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("rule_files: [none.yml]", "t.yml:1: no rule file none.yml"),
        ("group_eval_order: [g]", "t.yml:1: group_eval_order is not supported"),
        ("evaluation_interval: 0s", "t.yml:1: expected an interval longer than 0"),
    ],
)
def test_a_mistake_in_the_head_too(written, head, reason):
    with pytest.raises(RuleFileError, match=reason):
        load_tests(written("", head))


def test_an_interval_is_needed(written):
    with pytest.raises(RuleFileError, match=r"t\.yml:3: interval is missing"):
        load_tests(written("  - name: promtool would take all samples for those of time 0"))


def test_a_rule_outside_the_subset_is_reported_with_its_own_line(written, tmp_path):
    (tmp_path / "r.yml").write_text(RULES.replace("sum(x)", "absent(x @ 1)"))
    with pytest.raises(RuleFileError, match=r"r\.yml:5: r: the @ modifier is outside"):
        load_tests(written(""))


def test_storage_bridges_gaps_and_keeps_them_out_of_ranges():
    over = compile_expression("last_over_time(x[2m])")
    storage = Storage([over])
    labels = (("a", "1"),)
    storage.append(0.0, {"x": [(labels, 1.0)]})
    storage.append(180.0, {})
    assert list(storage.samples("x", 180_000)) == [(labels, 1.0)]
    assert list(storage.samples("x", 300_001)) == []
    assert over.evaluate(180.0, storage) == {}
    storage.end("x", labels, 180_000)
    assert list(storage.samples("x", 180_000)) == []


def test_offsets_bridge_gaps_until_a_series_ends():
    then = compile_expression("x offset 1m")
    storage = Storage([then])
    labels = (("a", "1"),)
    storage.append(0.0, {"x": [(labels, 1.0)]})
    storage.append(60.0, {})
    assert then.evaluate(120.0, storage) == {(("__name__", "x"), *labels): 1.0}
    storage.end("x", labels, 120_000)
    storage.append(120.0, {})
    assert then.evaluate(120.0, storage) == {(("__name__", "x"), *labels): 1.0}
    assert then.evaluate(180.0, storage) == {}
