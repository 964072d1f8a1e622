"""The demonstration's rules are the bundled ones, but for their waiting times."""

from __future__ import annotations

import pytest
import yaml

from mlguard_demo.rules import speedup, write_rules
from mlguard_rules.rulefile import AlertRule, load_rules
from mlguard_rules.service.settings import bundled_file

WAITS = ("for", "keep_firing_for")


@pytest.mark.parametrize("name", ["model", "sidecar", "cost"])
def test_only_waiting_times_differ_from_the_bundled_rules(name, tmp_path):
    paths = bundled_file(name), write_rules(tmp_path, name, speedup=900)

    bundled, written = (yaml.safe_load(path.read_text()) for path in paths)
    for document in (bundled, written):
        for group in document["groups"]:
            group["rules"] = [
                {key: value for key, value in rule.items() if key not in WAITS}
                for rule in group["rules"]
            ]
    assert written == bundled

    bundled, written = (
        [rule for group in load_rules(path) for rule in group.rules if isinstance(rule, AlertRule)]
        for path in paths
    )
    assert [rule.for_seconds for rule in written] == pytest.approx(
        [rule.for_seconds / 900 for rule in bundled], abs=0.001
    )
    assert {rule.keep_firing_seconds for rule in written} == {0}


def test_waiting_times_follow_the_length_of_the_year_and_never_grow():
    assert 1800 / speedup(73) == pytest.approx(2)
    assert 1800 / speedup(7.3) == pytest.approx(0.2)
    assert speedup(1e9) == 1
