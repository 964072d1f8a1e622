"""The whole of /metrics, held against a file; rerun with MLGUARD_WRITE_GOLDEN=1 to write it."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.offline import KEY, NOW, Offline
from support.outcomes import baseline_with_truths, outcome

from mlguard_common.config import Duration
from mlguard_sidecar import telemetry
from mlguard_sidecar.config import (
    BaselineConfig,
    Config,
    FeatureConfig,
    ModelConfig,
    Thresholds,
    WindowsConfig,
)
from mlguard_sidecar.exposition import METRICS as MODEL_METRICS
from mlguard_sidecar.exposition import THRESHOLDS
from mlguard_sidecar.settings import Settings
from mlguard_sidecar.telemetry import Telemetry
from mlguard_sidecar.wire import Line, ModelKey, Reason, RejectedError

METRICS = (*MODEL_METRICS, *telemetry.METRICS)
GOLDEN = Path(__file__).with_name("metrics.golden")


def baselines_with_truths(folder: Path) -> dict[str, Path]:
    classes = [{"y_pred": n % 2, "y_true": n % 2 if n % 10 else 0} for n in range(200)]
    values = [{"y_pred": n / 4, "y_true": n / 4 + n % 3} for n in range(200)]
    return {
        "classes": baseline_with_truths(folder, "classes", classes),
        "values": baseline_with_truths(folder, "values", values),
    }


@pytest.fixture
def page(tmp_path):
    config = Config(
        baseline=BaselineConfig(events=60),
        windows=WindowsConfig(
            traffic=[Duration("5m")], features=[Duration("1h")], outcomes=[Duration("24h")]
        ),
        models=[
            ModelConfig(
                project="p",
                model="m",
                thresholds=Thresholds(latency_p95_seconds=0.3, traffic_drop_ratio=0.1),
            ),
            ModelConfig(project="q", model="latency only", reference="last_7_days"),
            *(
                ModelConfig(project="q", model=name, baseline=BaselineConfig(file=str(path)))
                for name, path in baselines_with_truths(tmp_path).items()
            ),
        ],
    )
    offline = Offline(tmp_path, config)
    for i in range(0, 400, 50):  # half of it yesterday
        rows = range(i % 200, i % 200 + 50)
        offline.send(
            timestamp=[NOW - (86_460 if i < 200 else 60) + n / 10 for n in rows],
            latency_ms=[1.0 + n % 40 for n in rows],
            y_pred=["late" if n % 4 == 0 else "in time" for n in rows],
            y_proba=[n / 200 for n in rows],
            features={
                "age": [None if n % 25 == 0 else 20 + n % 50 for n in rows],
                'odd "name"\\': [["CA", "a\nb", "__other__", 7][n % 4] for n in rows],
                "constant": [5] * 50,
            },
        )
    offline.send_events(Line(project_id="q", model_id="latency only", latency_ms=3))
    for name in ("classes", "values"):
        predicted = [n % 2 if name == "classes" else n / 4 for n in range(120)]
        events = [
            Line(project_id="q", model_id=name, y_pred=value, y_proba=0.3 + n % 2 / 2, id=n)
            for n, value in enumerate(predicted[:100])
        ]
        offline.send_events(*events)
        truths = [n % 3 > 0 if name == "classes" else n / 4 + 1 for n in range(80)]
        line = outcome("q", name, id=list(range(80)), y_true=truths)
        offline.pipeline.submit_outcomes(line, "socket")
        given = predicted[100:]
        line = outcome("q", name, id=list(range(100, 120)), y_true=given, y_pred=given)
        offline.pipeline.submit_outcomes(line, "socket")
    offline.pipeline.reject(RejectedError(Reason.BAD_JSON, "why", range(2)), "socket")
    offline.pipeline.report_dropped(3, "socket")
    offline.commit()
    offline.record()
    offline.now = NOW + 20
    own = Telemetry(offline.registry.counters)
    own.pending = lambda: Counter(socket=4)
    own.connections = 2
    own.store_bytes = 8192
    own.observe_commit(0.004)
    own.count(telemetry.STORE_ERRORS)
    yield offline.page(own)
    offline.close()


def test_the_page_is_the_golden_one(page):
    if os.environ.get("MLGUARD_WRITE_GOLDEN") == "1":
        GOLDEN.write_text(page)
    names, values = split(page)
    golden_names, golden_values = split(GOLDEN.read_text())
    assert names == golden_names
    assert values == pytest.approx(golden_values, rel=1e-9)


def split(page: str) -> tuple[list[str], list[float]]:
    """The lines without their values, and the values.

    A baseline's hash is left out: it is over means, whose last digit is the processor's.
    """
    lines = re.sub(r'baseline="[0-9a-f]{12}"', 'baseline="_"', page).splitlines()
    samples = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    comments = [line for line in lines if line.startswith("#")]
    return comments + [name for name, _, _ in samples], [float(value) for _, _, value in samples]


def test_every_metric_is_in_it_once_and_in_order(page):
    told = [line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")]
    assert told == [metric.name for metric in METRICS if metric.name in told]
    assert {metric.name for metric in METRICS} == set(told)


def test_a_fleet_shows_only_what_can_be_summed(tmp_path):
    config = Config(baseline=BaselineConfig(events=60), exposition="fleet")
    offline = Offline(tmp_path, config)
    offline.send(features={"x": [float(n) for n in range(100)]}, y_pred=[1] * 100)
    offline.commit()
    names = {name for name, *_ in offline.figures()}
    offline.close()
    assert not any(
        "window" in m.labels for m in METRICS if m.name.removeprefix("mlguard_") in names
    )
    assert {"inferences_total", "predictions_total", "feature_bin_total"} <= names


def test_a_model_s_threshold_wins_and_0_switches_it_off():
    config = msgspec.convert(
        {
            "thresholds": {"missing_ratio": 0.2, "invalid_ratio": 0, "latency_p95_seconds": 3},
            "models": [
                {
                    "project": "p",
                    "model": "m",
                    "thresholds": {"drift_psi": 0, "missing_ratio": 0.4},
                }
            ],
        },
        Config,
    )
    configured = Settings(config)
    others = {"latency_jump_ratio": 2, "out_of_range_ratio": 0.05, "unseen_ratio": 0.05}
    others |= {"accuracy_drop": 0.05, "error_rise_ratio": 0.2}
    assert configured.of(KEY).thresholds == others | {
        "latency_p95_seconds": 3,
        "missing_ratio": 0.4,
    }
    assert configured.of(ModelKey("p", "n", "predict")).thresholds == others | {
        "latency_p95_seconds": 3,
        "drift_psi": 0.2,
        "missing_ratio": 0.2,
    }


def test_every_threshold_has_its_metric():
    assert {*THRESHOLDS, "drift_psi"} == set(Thresholds.__struct_fields__)


def test_the_judged_window_is_the_shortest_with_enough_events_else_the_longest(tmp_path):
    config = Config(
        baseline=BaselineConfig(events=0),
        windows=WindowsConfig(
            traffic=[Duration("24h"), Duration("5m"), Duration("1h")],
            features=[Duration("1h"), Duration("24h")],
        ),
    )
    offline = Offline(tmp_path, config)
    for age, n in ((72_000, 1000), (1800, 400), (30, 100)):
        offline.send(
            timestamp=[NOW - age] * n,
            latency_ms=[1.0] * n,
            features={"x": [1.0] * n, "y": [None] * n},
        )
    offline.commit()
    offline.refresh()
    judged = {k[1:]: v for k, v in offline.figures().items() if k[0] == "judged_window_events"}
    offline.close()
    assert judged == {
        ("1h", "latency"): 500,
        ("1h", "traffic"): 1500 / 24,
        ("24h", "features"): 1500,
        ("24h", "usual"): 1500,
    }


def test_a_baseline_tells_its_rows_its_missing_values_and_what_it_has_no_category_for(tmp_path):
    offline = Offline(tmp_path, Config(baseline=BaselineConfig(events=200)))
    names = [f"c{n}" for n in range(125)]
    offline.send(
        features={"x": [None, None, 1.0, 2.0] * 50, "y": ["a"] * 200, "z": names + names[:75]}
    )
    offline.commit()
    figures = offline.figures()
    offline.close()
    missing = {k[1]: v for k, v in figures.items() if k[0] == "baseline_missing_ratio"}
    unseen = {k[1]: v for k, v in figures.items() if k[0] == "baseline_unseen_ratio"}
    assert missing == {"x": 0.5, "y": 0, "z": 0}
    assert unseen == {"y": 0, "z": 25 / 200}
    assert [v for k, v in figures.items() if k[0] == "baseline_samples"] == [200]


def test_what_drifts_by_nature_is_not_told(tmp_path):
    model = ModelConfig(project="p", model="m", features={"hour": FeatureConfig(drift=False)})
    offline = Offline(tmp_path, Config(baseline=BaselineConfig(events=60), models=[model]))
    xs = [float(n % 24) for n in range(400)]
    offline.send(features={"hour": xs, "age": xs})
    offline.commit()
    told = {name for name in offline.figures() if name[0].startswith("drift_") and "1h" in name}
    offline.close()
    assert any("age" in name for name in told if name[0] == "drift_psi")
    assert not any("hour" in name for name in told if name[0] != "drift_samples")
    assert any("hour" in name for name in told if name[0] == "drift_samples")


def test_labels_come_back_as_they_were(page):
    families = text_string_to_metric_families(page)
    bins = {
        s.labels["bin"]
        for f in families
        for s in f.samples
        if s.name == "mlguard_feature_bin_total" and s.labels["feature"] == 'odd "name"\\'
    }
    assert bins == {"CA", "a\nb", "7", "__other__"}


def test_received_is_committed_and_rejected_and_pending(page):
    sums: Counter[str] = Counter()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            sums[sample.name.removeprefix("mlguard_sidecar_events_")] += sample.value
    assert (
        sums["received_total"] == sums["committed_total"] + sums["rejected_total"] + sums["pending"]
    )
    assert sums["received_total"] == 601 + 2 + 4


@pytest.mark.needs("promtool")
def test_promtool_has_nothing_to_say(page):
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_label_is_one_that_scraping_takes():
    taken = {"endpoint", "service", "job", "instance", "pod", "namespace", "container"}
    assert not taken & {label for metric in METRICS for label in metric.labels}
