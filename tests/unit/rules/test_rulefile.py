"""Rule files: what they may say, and where they are reported to be wrong."""

from __future__ import annotations

import pytest

from mlguard_rules.rulefile import AlertRule, RecordingRule, RuleFileError, load_rules

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
        ("alert: High", "alert: ''", 8, "an empty alert"),
        ("labels: {severity: warning}", "labels: {alertname: x}", 8, "the label alertname"),
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


@pytest.mark.parametrize("text", ["", "groups:", "groups: []"])
def test_no_rules_are_none_or_sent(tmp_path, text):
    if text:
        assert load(tmp_path, text) == ()
    else:
        with pytest.raises(RuleFileError, match="the file is empty"):
            load(tmp_path, text)


def test_a_missing_file_is_sent(tmp_path):
    with pytest.raises(RuleFileError, match=r"none.yml:1: cannot be read: No such file"):
        load_rules(tmp_path / "none.yml")


def test_an_alert_keeps_its_identity_when_its_expression_changes(tmp_path):
    def identity(text):
        return load(tmp_path, text)[0].rules[1].id

    assert identity(GOOD) == identity(GOOD.replace("> 3", "> 4").replace("for: 1h30m", "for: 1h"))
    assert identity(GOOD) != identity(GOOD.replace("severity: warning", "severity: critical"))
