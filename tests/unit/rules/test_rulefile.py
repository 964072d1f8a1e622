"""Rule files: what they may say, and where they are reported to be wrong."""

from __future__ import annotations

import pytest

from mlguard_rules.promql import EvaluationError, History
from mlguard_rules.rulefile import AlertRule, RecordingRule, RuleFileError, load_rules, read_rules

GOOD = """\
groups:
  - name: g
    interval: 1m
    rules:
      - record: a:b:sum
        expr: sum by (x) (b)
        labels: {team: ml}
      - alert: High
        expr: a:b:sum > 3
        for: 1h30m
        keep_firing_for: 90s
        labels: {severity: warning}
        annotations:
          summary: "{{ $labels.x }} is {{ $value | humanize }}"
"""


def load(tmp_path, text):
    path = tmp_path / "r.yml"
    path.write_text(text)
    return load_rules(path)


def test_a_file_is_read(tmp_path):
    (group,) = load(tmp_path, GOOD)
    recording, alert = group.rules
    assert isinstance(recording, RecordingRule)
    assert (recording.name, recording.labels) == ("a:b:sum", (("team", "ml"),))
    assert isinstance(alert, AlertRule)
    assert (alert.name, alert.for_seconds, alert.keep_firing_seconds) == ("High", 5400, 90)
    assert alert.location == "r.yml:8"


@pytest.mark.parametrize(
    ("old", "new", "line", "reported"),
    [
        ("expr: a:b:sum > 3", "expr: a:b:sum >", 9, "High: "),
        ("a:b:sum > 3", "acos(b)", 9, "High: acos() is outside"),
        ("a:b:sum > 3", "b offset 1w", 9, "High: offset"),
        ("a:b:sum > 3", "rate(b[2d])", 9, "High: range"),
        ("a:b:sum > 3", "ALERTS > 0", 9, "High: the engine's rules cannot read ALERTS"),
        ("for: 1h30m", "for: soon", 10, "found 'soon', expected a duration such as 5m"),
        ("for: 1h30m", "fro: 1h", 10, "unknown key 'fro'"),
        ("for: 1h30m", "limit: 3", 10, "unknown key 'limit'"),
        ("alert: High", "alert: ''", 8, "a rule with neither of alert and record"),
        ("labels: {severity: warning}", "labels: {alertname: x}", 12, "the label alertname"),
        ("{{ $labels.x }}", "{{ range $x }}", 14, "summary: "),
        ("{{ $labels.x }}", "{{ $labels.x", 14, "summary: "),
        ("name: g", "nam: g", 2, "unknown key 'nam'"),
        ("    interval: 1m", "    name: h", 3, "a second key 'name'"),
        ("record: a:b:sum", "record: a-b", 5, "'a-b' is not the name of a metric"),
        ("groups:", "groups: [", 15, "not YAML"),
        ("      - alert: High", "      - x: High", 8, "unknown key 'x'"),
    ],
)
def test_a_mistake_is_reported_with_its_line(tmp_path, old, new, line, reported):
    assert old in GOOD
    with pytest.raises(RuleFileError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}/r.yml:"), text
    assert reported in text
    assert "\n" not in text
    if reported != "not YAML":
        assert text.startswith(f"{tmp_path}/r.yml:{line}: "), text


def test_a_second_group_of_a_name_is_refused(tmp_path):
    with pytest.raises(RuleFileError, match="a second group 'g'"):
        load(tmp_path, GOOD + GOOD.removeprefix("groups:\n"))


@pytest.mark.parametrize("text", ["", "# nothing", "groups:", "groups: []", "groups: null"])
def test_a_file_may_have_no_rules(tmp_path, text):
    assert load(tmp_path, text) == ()


def test_every_refusal_of_a_file_is_listed(tmp_path):
    path = tmp_path / "r.yml"
    wrong = GOOD.replace("sum by (x) (b)", "b[5m:]").replace("a:b:sum > 3", "a @ 1")
    path.write_text(wrong.replace("for: 1h30m", "for: soon").replace("humanize }}", "nothing }}"))
    file = read_rules(path)
    assert [(error.line, error.reason.partition(":")[0]) for error in file.errors] == [
        (6, "a"),
        (9, "High"),
        (10, "found 'soon', expected a duration such as 5m or 1h30m (units y, w, d, h, m, s, ms)"),
        (14, "summary"),
    ]
    assert [len(group.rules) for group in file.groups] == [0]
    with pytest.raises(
        RuleFileError, match=r"r\.yml:6: .* \(and 3 more, see: mlguard rules check\)"
    ):
        load_rules(path)


OBJECT = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: own, namespace: monitoring}
spec:
"""


def test_objects_of_kubernetes_are_read(tmp_path):
    spec = "".join(f"  {line}\n" for line in GOOD.splitlines())
    groups = load(tmp_path, f"---\n{OBJECT}{spec}---\n{OBJECT}{spec}---\n")
    assert [len(group.rules) for group in groups] == [2, 2]
    ids = {rule.id for group in groups for rule in group.rules if isinstance(rule, AlertRule)}
    assert len(ids) == 2
    item = "".join(f"  {line}\n" for line in (OBJECT + spec).splitlines())
    objects = "apiVersion: v1\nkind: List\nitems:\n- " + item.lstrip()
    assert [len(group.rules) for group in load(tmp_path, objects)] == [2]
    with pytest.raises(
        RuleFileError, match=r"r\.yml:1: found a ConfigMap, expected a PrometheusRule"
    ):
        load(tmp_path, OBJECT.replace("PrometheusRule", "ConfigMap") + spec)


def test_null_is_an_empty_value_and_merged_keys_give_way(tmp_path):
    (group,) = load(
        tmp_path,
        "groups:\n- name: g\n  rules:\n"
        "  - &a {alert: A, expr: x, for: 5m, labels: &l {b: 1, c: 2}}\n"
        "  - {alert: B, <<: [*a, {for: 1h, keep_firing_for: 7m}], labels: {<<: *l, c: null}}\n",
    )
    other = group.rules[1]
    assert isinstance(other, AlertRule)
    assert (other.name, other.for_seconds, other.keep_firing_seconds) == ("B", 300, 420)
    assert [(name, template.source) for name, template in other.labels] == [("b", "1"), ("c", "")]
    with pytest.raises(RuleFileError, match="<< merges another mapping"):
        load(tmp_path, "groups:\n- &g {name: g, <<: *g}\n")


def test_a_limit_of_results_is_kept(tmp_path):
    text = GOOD.replace("interval: 1m", "limit: 1").replace("a:b:sum > 3", "b")
    (group,) = load(tmp_path, text)
    recording, alert = (rule.expression for rule in group.rules)
    history = History([recording, alert])
    one, two = [((("x", x),), 1.0) for x in "12"]
    history.append(0.0, {"b": [one]})
    assert len(alert.evaluate(0.0, history)) == 1
    history.append(15.0, {"b": [one, two]})
    for expression in (recording, alert):
        with pytest.raises(EvaluationError, match="exceeded limit of 1 with 2 results"):
            expression.evaluate(15.0, history)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("? [a, b]\n: c\ngroups: []\n", 1, "expected a text"),
        ("&a\napiVersion: v1\nkind: List\nitems:\n- *a\n", 1, "found a List in a list"),
        ("&a\nkind: *a\ngroups: []\n", 2, "unknown key 'kind'"),
        (
            "x: &a0 {groups: []}\n"
            + "".join(f"x{i}: &a{i} {{<<: *a{i - 1}}}\n" for i in range(1, 2000))
            + "<<: *a1999\n",
            1950,
            "too many mappings are merged into each other",
        ),
        (
            "groups: [{name: g, rules: [{alert: A, expr: x, labels: {\na: '{{ N }}'}}]}]".replace(
                "N", "9" * 5000
            ),
            2,
            "a: integer overflow: 999",
        ),
    ],
)
def test_a_file_of_a_strange_shape_is_refused_with_its_line(tmp_path, text, line, reason):
    with pytest.raises(RuleFileError, match=rf"r\.yml:{line}: {reason}"):
        load(tmp_path, text)


def test_mappings_that_merge_each_other_twice_take_no_time(tmp_path):
    rules = "".join(f"  - &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 40))
    text = f"groups:\n- name: g\n  rules:\n  - &a0 {{alert: A, expr: x}}\n{rules}"
    assert len(load(tmp_path, text)[0].rules) == 40


def limited(tmp_path, limit):
    text = f"groups:\n- name: g\n  limit: {limit}\n  rules: [{{alert: A, expr: x}}]\n"
    return load(tmp_path, text)[0].rules[0].expression.limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("5", 5),
        ("+5", 5),
        ("-1", -1),
        ("0x1F", 31),
        ("-0b11", -3),
        ("0o17", 15),
        ("017", 15),
        ("08", 8),
        ("1_000", 1000),
        ("1.9", 1),
        ("1e3", 1000),
        ("!!int '5'", 5),
        ("~", 0),
        ("9223372036854775807", (1 << 63) - 1),
    ],
)
def test_a_limit_is_an_integer_of_go(tmp_path, text, limit):
    assert limited(tmp_path, text) == limit


@pytest.mark.parametrize(
    "text",
    ["'5'", "!!str 5", "9223372036854775808", "9" * 23, "9" * 5000, "1e30", "yes", ".inf", "0xG"],
)
def test_a_limit_that_is_none_is_refused(tmp_path, text):
    with pytest.raises(RuleFileError, match=r"r\.yml:3: limit: found .* expected an integer"):
        limited(tmp_path, text)


def test_a_missing_file_is_sent(tmp_path):
    with pytest.raises(RuleFileError, match=r"none.yml:1: cannot be read: No such file"):
        load_rules(tmp_path / "none.yml")


def test_an_alert_keeps_its_identity_when_its_expression_changes(tmp_path):
    def identity(text):
        return load(tmp_path, text)[0].rules[1].id

    assert identity(GOOD) == identity(GOOD.replace("> 3", "> 4").replace("for: 1h30m", "for: 1h"))
    assert identity(GOOD) != identity(GOOD.replace("severity: warning", "severity: critical"))
