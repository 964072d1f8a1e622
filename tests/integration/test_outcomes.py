"""Outcomes from the SDK and from files, joined by a real sidecar that is killed meanwhile."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from time import monotonic

import numpy as np
import pytest
from support.outcomes import binary, multiclass, sklearn_binary, sklearn_multiclass
from support.sidecar import Sidecar, eventually

from mlguard import Guard

ROWS = 4000


@pytest.fixture
def sidecar(tmp_path):
    with Sidecar(tmp_path / "sidecar", {"baseline": {"events": 0}}) as started:
        yield started


def guard_of(sidecar, **options) -> Guard:
    return Guard("p", "m", socket=sidecar.socket_path, queue_size=20_000, **options)


def cli(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlguard_sidecar.cli", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_quality(sidecar, expected: dict[str, float]) -> None:
    for name, value in expected.items():
        found = sidecar.value(f"mlguard_quality_{name}", window="24h")
        assert found == pytest.approx(value, rel=1e-10), name


def test_outcomes_are_counted_once_though_the_sidecar_is_killed(sidecar):
    rng = np.random.default_rng(3)
    truth, predicted, score = binary(rng, ROWS)
    guard = guard_of(sidecar)
    for i in range(ROWS):
        guard.log(y_pred=predicted[i], y_proba=score[i], id=f"order-{i}")
        if i in (1000, 2500):
            eventually(lambda: guard.stats().acknowledged > 0)
            sidecar.kill()
            sidecar.start()
    for n, i in enumerate(rng.permutation(ROWS).tolist()):
        assert guard.outcome(f"order-{i}", truth[i])
        if n in (500, 1500, 3000):
            acknowledged = guard.stats().acknowledged
            eventually(lambda before=acknowledged: guard.stats().acknowledged > before)
            sidecar.kill()
            sidecar.start()
    assert guard.flush(30)
    for i in range(0, ROWS, 10):  # a truth that comes again
        guard.outcome(f"order-{i}", 1 - truth[i])
    guard.outcome("never predicted", 1)
    assert guard.close(30)
    stats = guard.stats()
    assert (stats.dropped, stats.rejected) == (0, 0)
    assert stats.acknowledged == 2 * ROWS + ROWS // 10 + 1
    assert_quality(sidecar, sklearn_binary(truth, predicted, score))
    assert sidecar.value("mlguard_outcomes_total") == ROWS
    assert sidecar.value("mlguard_outcomes_uncounted_total", reason="repeated") == ROWS // 10
    assert sidecar.value("mlguard_outcomes_uncounted_total", reason="unknown_id") == 1
    assert sidecar.value("mlguard_outcome_coverage_ratio") == 1


def test_a_file_of_truths_is_sent_and_may_be_sent_again(sidecar, tmp_path):
    names = ["cat", "dog", "eel"]
    truth, predicted, probas = multiclass(np.random.default_rng(4), 300, names)
    with guard_of(sidecar) as guard:
        guard.log_batch(y_pred=predicted, y_proba=probas, id=list(range(300)))
    with (tmp_path / "truths.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["order", "label"])
        writer.writerows([*enumerate(truth), (999, "cat"), ("", "cat")])
    options = ["--id", "order", "--y-true", "label", "--socket", sidecar.socket_path]
    command = ["outcomes", tmp_path / "truths.csv", "p/m", *options, "--url", sidecar.url]
    first = cli(*command)
    assert first.returncode == 1, first.stderr  # as one row has no ID
    for line in ("302 rows", "300 counted", "1 unknown_id", "1 rejected: bad_outcome"):
        assert line in first.stdout
    assert "0 counted\n300 repeated" not in first.stdout
    again = cli(*command)
    assert "0 counted" in again.stdout
    assert "300 repeated" in again.stdout
    (tmp_path / "whole.csv").write_text("order,label\n1,cat\n998,cat\n")
    command[1] = tmp_path / "whole.csv"
    assert cli(*command).returncode == 0  # accepted, though it counts no more
    assert_quality(sidecar, sklearn_multiclass(truth, predicted, probas, names))
    answer = json.loads(sidecar.get("/api/v1/models/p/m/predict"))["outcomes"]
    assert answer["total"] == 300
    assert answer["quality"][0]["window"] == "24h"
    assert (
        f"p/m/predict: accuracy {answer['quality'][0]['accuracy']:.4g}"
        in cli("status", "--url", sidecar.url).stdout
    )


def test_a_pod_that_never_predicted_counts_what_it_is_given(sidecar, tmp_path):
    rows = [{"id": i, "y_true": 2.0 * i, "y_pred": 2.0 * i + 0.5} for i in range(50)]
    (tmp_path / "truths.ndjson").write_text("\n".join(map(json.dumps, rows)))
    command = ["outcomes", tmp_path / "truths.ndjson", "shop/prices"]
    done = cli(*command, "--socket", sidecar.socket_path, "--url", sidecar.url)
    assert "50 counted" in done.stdout, done.stderr
    assert sidecar.value("mlguard_quality_absolute_error_mean", window="24h") == 0.5
    assert sidecar.value("mlguard_quality_squared_error_mean", window="7d") == 0.25


def test_what_cannot_be_known_or_sent_is_said_at_once(sidecar, tmp_path):
    path = tmp_path / "truths.csv"
    path.write_text("id,y_true\n1,a\n")
    here = ["--socket", sidecar.socket_path]
    done = cli("outcomes", path, "p/none", *here, "--url", sidecar.url)
    assert done.returncode == 1
    assert "1 rejected: unknown_model" in done.stdout
    assert "0 counted" in done.stdout
    done = cli("outcomes", path, "p/none", *here, "--url", "http://127.0.0.1:9")
    assert "what was counted is not known: no answer from http://127.0.0.1:9" in done.stdout
    begin = monotonic()
    done = cli("outcomes", path, "p/m", "--socket", tmp_path / "none.sock", "--url", sidecar.url)
    assert done.returncode == 2
    assert "none.sock: No such file or directory; is the sidecar running?" in done.stderr
    assert monotonic() - begin < 10


def test_lines_of_plain_clients(sidecar):
    head = {"project_id": "p", "model_id": "m"}
    with sidecar.connection() as client:
        client.send(*[head | {"id": f"a{i}", "y_pred": i % 2} for i in range(10)])
        client.send(*[head | {"outcome": {"id": f"a{i}", "y_true": 1}} for i in range(10)])
        client.send(head | {"model_id": "other", "outcome": {"id": "x", "y_true": 1}})
        client.send(head | {"outcome": {"id": ["a", "b"], "y_true": [1]}})
        client.send(head | {"outcome": {"id": {}, "y_true": 1}}, head | {"outcome": 3})
    rejected = "mlguard_sidecar_events_rejected_total"
    eventually(lambda: sidecar.value(rejected, reason="bad_outcome") == 2)  # the last line
    assert sidecar.value(rejected, reason="unknown_model") == 1
    assert sidecar.value(rejected, reason="uneven_columns") == 2
    eventually(lambda: sidecar.value("mlguard_outcomes_total") == 10)
    assert sidecar.value("mlguard_quality_accuracy", window="24h") == 0.5


def test_a_fleet_sums_its_accuracy(tmp_path):
    config = {"exposition": "fleet", "baseline": {"events": 0}}
    with Sidecar(tmp_path / "fleet", config) as sidecar:
        with guard_of(sidecar) as guard:
            for i in range(100):
                guard.outcome(i, i % 4 > 0, y_pred=True)
        assert sidecar.value("mlguard_outcomes_total") == 100
        assert sidecar.value("mlguard_quality_correct_total") == 75
        assert "mlguard_quality_accuracy{" not in sidecar.get("/metrics")


def test_a_drop_against_the_baseline_s_quality_is_seen(tmp_path):
    rows = [f"{i % 7},{i % 2},{i % 2 if i % 20 else 1 - i % 2}" for i in range(1000)]
    (tmp_path / "train.csv").write_text("\n".join(["x,y_pred,churned", *rows]))
    file = tmp_path / "baseline.json"
    done = cli("baseline", "build", tmp_path / "train.csv", "--y-true", "churned", "-o", file)
    assert done.returncode == 0, done.stderr
    assert "churned" not in json.loads(file.read_text())["features"]
    config = {"baseline": {"file": str(file)}}
    with Sidecar(tmp_path / "sidecar", config) as sidecar:
        assert json.loads(sidecar.get("/api/v1/models"))["models"] == []
        with guard_of(sidecar) as guard:
            for i in range(400):
                guard.outcome(i, i % 2 if i % 4 else 1 - i % 2, y_pred=i % 2)
        usual = sidecar.value("mlguard_baseline_accuracy")
        assert (usual, sidecar.value("mlguard_baseline_outcomes")) == (0.95, 1000)
        drop = usual - sidecar.value("mlguard_quality_accuracy", window="24h")
        assert drop == pytest.approx(0.2)
        assert drop > sidecar.value("mlguard_quality_accuracy_drop_critical", window="24h") > 0

        def is_pending() -> bool:
            alerts = json.loads(sidecar.get("/api/v1/alerts"))["data"]["alerts"]
            return any(a["labels"]["alertname"] == "MLGuardAccuracyDropped" for a in alerts)

        eventually(is_pending, 40, "the alert")


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
def test_files_of_each_type_say_the_same(sidecar, tmp_path, suffix):
    columns = {
        "id": [1, 2, 3],
        "y_true": ["a", "b", "a"],
        "y_pred": ["a", "a", "a"],
        "y_proba": ['{"a": 0.9, "b": 0.1}', '{"a": 0.6, "b": 0.4}', '{"a": 0.7, "b": 0.3}'],
    }
    path = tmp_path / f"truths.{suffix}"
    if suffix == "csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])
    elif suffix == "ndjson":
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pa.table(columns), path)
    done = cli("outcomes", path, "p/m", "--socket", sidecar.socket_path, "--url", sidecar.url)
    assert "3 counted" in done.stdout, done.stderr
    assert sidecar.value("mlguard_quality_accuracy", window="24h") == pytest.approx(2 / 3)
    expected = -np.log([0.9, 0.4, 0.7]).mean()
    assert sidecar.value("mlguard_quality_log_loss", window="24h") == pytest.approx(expected)


def test_what_is_wrong_with_a_file_is_said_in_one_line(sidecar, tmp_path):
    (tmp_path / "truths.csv").write_text("id,truth\n1,2\n")
    for arguments, why in (
        (["truths.csv", "p/m"], "no column y_true"),
        (["none.csv", "p/m"], "No such file"),
        (["truths.csv", "p"], "expected PROJECT/MODEL"),
    ):
        arguments[0] = str(tmp_path / arguments[0])
        done = cli("outcomes", *arguments, "--socket", sidecar.socket_path)
        assert done.returncode == 2
        assert why in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_odd_ids_are_counted_once_each(sidecar):
    head = {"project_id": "p", "model_id": "m", "y_pred": 1}
    batch = {"y_pred": [1] * 4, "id": [True, [], "ok", "x" * 129]}
    with sidecar.connection() as client:
        client.send(*[head | {"id": odd} for odd in ({}, [1], True, "a\u0000", 0.5, "")])
        client.send({"project_id": "p", "model_id": "m", "columns": batch})
    eventually(lambda: sidecar.value("mlguard_inferences_total") == 10)
    invalid = "mlguard_sidecar_invalid_values_total"
    assert sidecar.value(invalid, reason="bad_prediction_id") == 9
    assert sidecar.value("mlguard_outcome_predictions_total") == 1
