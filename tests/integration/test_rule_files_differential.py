"""Rule files are read as by promtool, and those of others are taken."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from support.matcher_strings import patterns
from support.rule_files import CASES, DIFFERENT

from mlguard_rules.rulefile import RuleFileError, load_rules
from mlguard_rules.ruletest import load_tests, run

if TYPE_CHECKING:
    from collections.abc import Iterable

SHAPES = Path(__file__).parent.parent / "data" / "published_shapes.rules.yml"


def rules_of(path: Path) -> int | None:
    """The number of rules of a file, None if it is refused."""
    try:
        return sum(len(group.rules) for group in load_rules(path))
    except RuleFileError:
        return None


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


def counted(texts: Iterable[str], folder: Path) -> list[tuple[int | None, int | None]]:
    """The number of rules of each text, here and for promtool; None if it is refused."""
    paths = []
    for i, text in enumerate(texts):
        paths.append(folder / f"{i}.yml")
        paths[-1].write_text(text, encoding="utf-8")
    answer = promtool("check", "rules", "--lint=none", *map(str, paths))
    theirs: dict[str, int | None] = {}
    for part in re.split(r"^Checking ", answer.stdout, flags=re.MULTILINE)[1:]:
        found = re.search(r"SUCCESS: (\d+) rules? found", part)
        theirs[Path(part.split("\n")[0].strip()).name] = int(found[1]) if found else None
    assert set(theirs) == {path.name for path in paths}
    return [(rules_of(path), theirs[path.name]) for path in paths]


@pytest.mark.needs("promtool")
def test_what_promtool_refuses_is_refused_and_nothing_else(tmp_path):
    counts = dict(zip(CASES, counted(CASES.values(), tmp_path), strict=True))
    wrong = {name: count for name, count in counts.items() if count[0] != count[1]}
    assert set(wrong) == set(DIFFERENT), wrong
    assert 30 < sum(theirs is None for _, theirs in counts.values()) < len(CASES) - 30


@pytest.mark.needs("promtool")
def test_patterns_of_selectors_are_refused_alike(tmp_path):
    texts = patterns(5, 2000)
    files = (
        json.dumps(
            {"groups": [{"name": "g", "rules": [{"alert": "A", "expr": f"a{{x=~{quoted}}}"}]}]},
            ensure_ascii=False,
        )
        for quoted in (json.dumps(text, ensure_ascii=False) for text in texts)
    )
    counts = counted(files, tmp_path)
    assert [p for p, (ours, theirs) in zip(texts, counts, strict=True) if ours != theirs] == []
    assert 500 < sum(theirs is None for _, theirs in counts) < 1500


TESTS = """\
rule_files: [r.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series: [{series: 'x{a="b"}', values: 1+0x10}]
    alert_rule_test:
      - {eval_time: 0m, alertname: Nulls, exp_alerts: [{exp_labels: {a: b}}]}
      - {eval_time: 4m, alertname: Merged}
      - {eval_time: 5m, alertname: Merged, exp_alerts: [{exp_labels: {a: b, c: '1', d: '0x10'}}]}
      - {eval_time: 0m, alertname: Empty, exp_alerts: [{exp_labels: {a: b}}]}
    promql_expr_test:
      - {expr: 'r:x', eval_time: 0m, exp_samples: [{labels: 'r:x{a="b"}', value: 1}]}
"""
RULES = """\
groups:
  - name: g
    limit: 1
    interval:
    rules:
      - {alert: Nulls, expr: x, labels: {team: null, other: ~, third: }, for: }
      - &base {alert: Base, expr: x, for: 1h, labels: &labels {c: 1, d: 0x10}}
      - {<<: *base, alert: Merged, for: 5m}
      - {alert: Empty, expr: x, labels: , annotations: , keep_firing_for: }
      - {record: 'r:x', expr: x, labels: {team: null}, for: , annotations: }
"""


@pytest.mark.needs("promtool")
def test_null_and_merged_values_mean_the_same(tmp_path):
    (tmp_path / "r.yml").write_text(RULES)
    (tmp_path / "t.yml").write_text(TESTS)
    assert promtool("test", "rules", str(tmp_path / "t.yml")).returncode == 0
    assert run(load_tests(tmp_path / "t.yml")) == []


@pytest.mark.needs("promtool")
def test_rules_in_the_shapes_of_published_ones_are_taken():
    answer = promtool("check", "rules", "--lint=none", str(SHAPES))
    assert answer.returncode == 0, answer.stdout
    written = yaml.safe_load(SHAPES.read_text())["groups"]
    assert rules_of(SHAPES) == sum(len(group["rules"]) for group in written)
