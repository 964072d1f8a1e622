"""The bundled rules: promtool's checks and tests, and that they fit the metrics and the runbook."""

from __future__ import annotations

import re
import subprocess
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import yaml
from support.offline import NOW, Offline

from mlguard_common.config import Duration
from mlguard_exporter.exposition import METRICS as SPEND_METRICS
from mlguard_rules.alert import State
from mlguard_rules.alerting import RuleManager
from mlguard_rules.rulefile import load_rules
from mlguard_rules.service import SampleConverter
from mlguard_sidecar.config import Config, WindowsConfig
from mlguard_sidecar.daemon import METRICS
from mlguard_sidecar.drift import psi, psi_critical, smoothed_ratios
from mlguard_sidecar.wire import Line

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "rules/mlguard_rules/bundled"
RULES = sorted(BUNDLED.glob("*.rules.yml"))
TESTS = sorted((ROOT / "rules/tests").glob("*.test.yml"))
EMBEDDED = ("model", "sidecar", "cost")

ELSEWHERE = {
    "mlguard_notifications_total": {"receiver", "outcome"},
    "mlguard_rule_evaluation_failures_total": set(),
    "mlguard_injector_admissions_total": {"outcome", "reason"},
    "mlguard_injector_certificate_expires_timestamp_seconds": set(),
}
"""Labels of the metrics of the embedded engine and of the injector."""

SHOWN = (*METRICS, *SPEND_METRICS)
KNOWN = {m.name: set(m.labels) for m in SHOWN} | ELSEWHERE
TARGET = {"job", "instance", "pod", "namespace"}


def rules(path: Path) -> list[dict]:
    groups = yaml.safe_load(path.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def cases(path: Path) -> list[dict]:
    return [
        case
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("alert_rule_test", ())
    ]


ALERTS = [(path, rule) for path in RULES for rule in rules(path) if "alert" in rule]
NAMES = ["-".join((rule["alert"], *rule["labels"].values())) for _, rule in ALERTS]


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_promtool_has_nothing_to_say(path):
    promtool("check", "rules", "--lint=all", "--lint-fatal", path)


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_rules_pass_their_tests(path):
    promtool("test", "rules", path)


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_engine_takes_them(name):
    assert load_rules(BUNDLED / f"{name}.rules.yml")


@pytest.mark.parametrize(("path", "rule"), ALERTS, ids=NAMES)
def test_every_alert_is_seen_firing_and_silent(path, rule):
    mine = [
        case
        for case in cases(ROOT / "rules/tests" / path.name.replace(".rules.", ".test."))
        if case["alertname"] == rule["alert"]
    ]
    own = rule["labels"].items()
    fires = [any(own <= a["exp_labels"].items() for a in c["exp_alerts"]) for c in mine]
    assert any(fires)
    assert not all(fires)
    for case in mine:
        for alert in case["exp_alerts"]:
            assert set(alert["exp_annotations"]) == {"summary", "description", "runbook_url"}
            assert "error expanding" not in str(alert["exp_annotations"])


@pytest.mark.parametrize("rule", [rule for _, rule in ALERTS], ids=NAMES)
def test_every_alert_says_what_and_where_and_what_to_do(rule):
    assert re.fullmatch(r"MLGuard([A-Z][a-z]+)+", rule["alert"])
    assert set(rule["labels"]) - {"scope"} == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert "$value" in rule["annotations"]["description"]
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
    assert anchor == rule["alert"].lower()


def test_the_runbook_has_no_alert_that_is_gone():
    headings = re.findall(r"^### (.*)$", (ROOT / "rules/README.md").read_text(), re.MULTILINE)
    assert set(headings) == {rule["alert"] for _, rule in ALERTS}


def test_a_warning_s_critical_twin_comes_after_it_and_differs_in_severity():
    for name, scope in {(rule["alert"], rule["labels"].get("scope")) for _, rule in ALERTS}:
        twins = [r["labels"] for _, r in ALERTS if r["alert"] == name]
        severities = [each["severity"] for each in twins if each.get("scope") == scope]
        assert severities in (["warning", "critical"], *([s] for s in severities))


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_metrics_and_labels_that_are_named_exist(path):
    recorded = {rule["record"] for rule in rules(path) if "record" in rule}
    for rule in rules(path):
        text = re.sub(r"#.*", "", rule["expr"]) + "\n" + str(rule.get("annotations", ""))
        used = set(re.findall(r"\bmlguard_\w+", text))
        used -= {name for name in used if name.startswith("mlguard_rules")}
        series = {re.sub(r"_bucket$", "", name): name for name in used}
        assert set(series) <= set(KNOWN), rule
        assert set(re.findall(r"\bmlguard:[\w:]+", text)) <= recorded, rule
        for name, block in re.findall(r"\b(mlguard_\w+)\{([^}]*)\}", text):
            assert set(re.findall(r"(\w+)(?:=~|!=|!~|=)", block)) <= KNOWN[name], rule
        joined = re.findall(
            r"\b(?:on|ignoring|by|without|group_left|group_right) \(([^)]*)\)", rule["expr"]
        )
        labels = {label for part in joined for label in part.replace(",", " ").split()}
        possible = TARGET | {"le", "window"} | set().union(*(KNOWN[name] for name in series))
        if recorded:
            possible |= set().union(*KNOWN.values())
        assert labels <= possible, rule


@pytest.mark.parametrize("name", EMBEDDED)
def test_rules_of_the_embedded_engine_name_no_window(name):
    assert "window=" not in (BUNDLED / f"{name}.rules.yml").read_text()


POOLED = [
    ("feature", [9, 8, 7, 9, 8, 7, 9, 8, 7, 9], [101, 99, 100, 103, 97, 98, 102, 100, 104, 96]),
    ("feature", [60, 0, 1, 0, 2, 0, 0], [95_000, 900, 14, 3, 1, 0, 0]),
    ("prediction", [30, 3], [900, 100]),
    ("prediction", [3, 1, 200, 5], [0, 5, 970, 25]),
]
"""Role, values a minute and counts of the baseline of each column."""


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("columns", [POOLED[:1], POOLED], ids=["one", "several"])
def test_the_fleet_s_index_and_critical_value_are_those_of_the_pooled_data(tmp_path, columns):
    random = np.random.default_rng(7)
    model = 'project="p",model="m",model_endpoint="predict"'
    series, expected = [], []
    for number, (kind, means, baseline_counts) in enumerate(columns):
        baseline = np.array(baseline_counts)
        a_minute = random.poisson(np.array(means), (3, len(means)))
        pooled = a_minute.sum(axis=0) * 60
        column = f'feature="x{number}",kind="{kind}",baseline="abc"'
        ratios = smoothed_ratios(baseline, 0.5)
        for pod, counts in enumerate(a_minute):
            own = f'{model},instance="pod{pod}"'
            for i, (n, ratio) in enumerate(zip(counts, ratios, strict=True)):
                labels = f'{{{own},{column},bin="{i}"}}'
                series.append((f"mlguard_feature_bin_total{labels}", f"{1000 * pod}+{n}x200"))
                series.append((f"mlguard_baseline_bin_ratio{labels}", f"{float(ratio)!r}x200"))
            samples = f"mlguard_drift_baseline_samples{{{own},{column}}}"
            series.append((samples, f"{baseline.sum()}x200"))
        n = int(pooled.sum())
        found = {
            "mlguard:feature_samples:increase": float(n),
            "mlguard:drift_psi:pooled": psi(baseline, pooled),
            "mlguard:drift_psi_critical:pooled": psi_critical(0.01 / len(columns), baseline, n),
        }
        expected += [(f"{name}{{{column},window='1h'}}", column, v) for name, v in found.items()]
    free = f'{{{model},feature="free",kind="feature",bin="b",baseline="abc"}}'
    series += [
        (f"mlguard_feature_bin_total{free}", "0+100x200"),
        (f"mlguard_baseline_bin_ratio{free}", "1x200"),
    ]
    test = {
        "rule_files": [str(BUNDLED / "fleet.rules.yml")],
        "evaluation_interval": "5m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": s, "values": v} for s, v in series],
                "promql_expr_test": [
                    {  # what the sidecar does not judge, the fleet does not judge either
                        "expr": 'mlguard:drift_psi:pooled{feature="free"}',
                        "eval_time": "2h",
                        "exp_samples": [],
                    },
                    *(
                        {
                            "expr": f"abs({name} / {value!r} - 1) < bool 1e-9",
                            "eval_time": "2h",
                            "exp_samples": [
                                {"labels": f'{{{model},{column},window="1h"}}', "value": 1}
                            ],
                        }
                        for name, column, value in expected
                    ),
                ],
            }
        ],
    }
    path = tmp_path / "pooled.test.yml"
    path.write_text(yaml.safe_dump(test))
    promtool("test", "rules", path)


def test_over_a_sidecar_s_own_figures_only_what_breaks_fires_and_within_the_hour(tmp_path):
    random = np.random.default_rng(7)
    config = Config(
        windows=WindowsConfig(
            traffic=[Duration("5m"), Duration("1h"), Duration("3h")],
            features=[Duration("1h"), Duration("3h")],
        )
    )
    offline = Offline(tmp_path, config)
    groups = [*load_rules(BUNDLED / "model.rules.yml"), *load_rules(BUNDLED / "sidecar.rules.yml")]
    engine = RuleManager(groups, 60.0)
    began, breaks, fired = NOW - NOW % 60, 190, {}
    for minute in range(250):
        offline.now = began + 60 * minute + 50
        n = int(random.poisson(60))
        offline.send(
            latency_ms=random.lognormal(3, 0.5, n).tolist(),
            y_pred=random.integers(0, 2, n).tolist(),
            features={
                "stuck": [39.0] * n if minute >= breaks else random.normal(40, 10, n).tolist(),
                "gone": [None] * n if minute >= breaks else random.normal(40, 10, n).tolist(),
                "well": random.choice(["a", "b", "c"], n).tolist(),
            },
        )
        if minute % 60 == 0:  # a model that is hardly asked, with odd events
            odd = Line(project_id="p", model_id="rare", latency_ms=9e6, features={"x": None})
            offline.send_events(odd)
        offline.commit()
        offline.refresh()
        families = chain(offline.models.collect(), offline.telemetry.collect())
        engine.evaluate(offline.now, SampleConverter().convert(families, engine.metric_names))
        for alert in engine.alerts:
            if alert.state is State.FIRING:
                labels = dict(alert.labels)
                name = (labels["alertname"], labels["severity"], labels["feature"])
                fired.setdefault(name, minute - breaks)
    offline.close()
    assert engine.failures == 0
    assert fired.keys() == {
        ("MLGuardFeatureDrift", "warning", "stuck"),
        ("MLGuardFeatureMissing", "warning", "gone"),
        ("MLGuardFeatureMissing", "critical", "gone"),
    }
    assert all(0 < minutes <= 60 for minutes in fired.values())
