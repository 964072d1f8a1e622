"""What of the rule files is refused when a process starts."""

from __future__ import annotations

import json

import pytest

from mlguard_common.config import ConfigError, Interval
from mlguard_rules.notify import NotifyConfig, RulesConfig
from mlguard_rules.service.settings import Settings


def settings(tmp_path, rules: list[dict], interval: str = "15s") -> Settings:
    path = tmp_path / "own.yml"
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}, indent=1))
    config = RulesConfig(bundled=False, files=[str(path)], interval=Interval(interval))
    return Settings.configured(config, NotifyConfig(), [])


def alert(expr: str) -> dict:
    return {"alert": "A", "expr": expr}


@pytest.mark.parametrize(("interval", "offset"), [("15s", "24h"), ("10s", "1h"), ("1m", "24h")])
def test_a_range_of_a_day_is_taken(tmp_path, interval, offset):
    assert settings(tmp_path, [alert(f"rate(c[24h] offset {offset}) > 0")], interval).groups


@pytest.mark.parametrize(
    ("expr", "interval", "count"),
    [
        ("rate(c[24h]) > 0", "1s", "86,401"),
        ("c offset 24h > 0", "5s", "17,341"),
        ("rate(c[24h] offset 24h) > 0", "10s", "17,281"),
        ("rate(c[1h]) > 0", "250ms", "14,401"),
    ],
)
def test_more_samples_of_a_series_than_are_kept_are_refused(tmp_path, expr, interval, count):
    with pytest.raises(ConfigError) as refused:
        settings(tmp_path, [alert("c > 0"), alert(expr)], interval)
    text = str(refused.value)
    assert text.startswith("rules.files: own.yml:10: A: with rules.interval ")
    assert f"needs {count} samples of each series, expected at most 12,000" in text


def test_more_samples_of_all_rules_than_are_kept_are_refused(tmp_path):
    rules = [{"record": f"r{i}", "expr": f"rate(c{i}[24h]) + rate(c{i}[1h])"} for i in range(200)]
    assert settings(tmp_path, rules[:173]).groups
    with pytest.raises(ConfigError, match=r"own\.yml:\d+: r173: up to here .* need 1,002,\d+ sam"):
        settings(tmp_path, rules)
