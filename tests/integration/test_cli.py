"""The command `mlguard`, as people type it."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support.sidecar import eventually

from mlguard_sidecar.baseline import load


def mlguard(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("mlguard")), *arguments],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def training(tmp_path):
    rng = random.Random(1)
    path = tmp_path / "train.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "age", "country", "code", "score", "label"])
        for i in range(500):
            age = "" if i % 50 == 0 else rng.randint(18, 90)
            row = [i, age, rng.choice(["CA", "US"]), rng.randint(1, 3), rng.random(), i % 2]
            out.writerow(row)
    return path


def test_a_baseline_is_built_from_training_data_shown_and_used(training, tmp_path, make_sidecar):
    file = tmp_path / "baseline.json"
    done = mlguard(
        "baseline", "build", str(training), "-o", str(file), "--drop", "id",
        "--categorical", "code", "--y-pred", "label", "--y-proba", "score",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = load(file.read_bytes())
    assert done.stdout == f"{file}: baseline {made.id}, 5 columns, 500 rows\n"
    assert [(c.column.name, str(c.column.kind)) for c in made.columns] == [
        ("age", "numeric"),
        ("code", "categorical"),
        ("country", "categorical"),
        ("y_pred", "categorical"),
        ("y_proba", "numeric"),
    ]
    shown = mlguard("baseline", "show", str(file)).stdout
    assert shown.startswith(f"baseline {made.id} from train.csv, 500 rows, ")
    assert "age" in shown
    assert " 10  <=" in shown  # 10 missing ages

    with make_sidecar(baseline={"file": str(file)}) as sidecar:
        with sidecar.connection() as client:
            client.send({"project_id": "p", "model_id": "m", "features": {"age": 30, "code": 2}})
            eventually(lambda: sidecar.value("mlguard_inferences_total") == 1)
        assert sidecar.value("mlguard_baseline_info", baseline=made.id) == 1
        assert sidecar.value("mlguard_feature_bin_total", feature="code", bin="2") == 1
        status = mlguard("status", "--url", sidecar.url)
    lines = status.stdout.splitlines()
    assert lines[0].split()[:2] == ["MODEL", "INFERENCES"]
    assert lines[1].startswith("p/m/predict  1 ")
    assert "in use" in lines[1]
    assert lines[-2] == "alerts 0 firing, 0 pending"
    assert lines[-1] == "rejected 0, dropped by clients 0, store errors 0"


def test_events_as_lines_make_the_same_baseline_as_a_table(tmp_path):
    rows = [{"x": i % 7, "c": "ab"[i % 2]} for i in range(100)]
    flat, events, table = (tmp_path / name for name in ("flat.ndjson", "events.jsonl", "t.csv"))
    flat.write_text("".join(json.dumps(row) + "\n" for row in rows))
    events.write_text(
        "".join(json.dumps({"project_id": "p", "features": row}) + "\n" for row in rows)
    )
    table.write_text("x,c\n" + "".join(f"{row['x']},{row['c']}\n" for row in rows))
    built = [
        json.loads(mlguard("baseline", "build", str(path)).stdout) for path in (flat, events, table)
    ]
    assert built[0]["features"] == built[1]["features"] == built[2]["features"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", "x", "expected a name that ends in .csv, .jsonl, .ndjson, .parquet"),
        ("a.csv", "", "no rows"),
        ("a.csv", "x,y\n1,2\n3\n", "a.csv:3: found 1 values, expected 2"),
        ("a.ndjson", '{"x": 1}\nnonsense\n', "a.ndjson:2: Expecting value"),
        ("a.ndjson", "[1]\n", "a.ndjson:1: expected a JSON object"),
        ("a.parquet", "x", "not a Parquet file"),
    ],
)
def test_what_is_wrong_with_a_data_file_is_one_line(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_text(content)
    done = mlguard("baseline", "build", str(path))
    assert done.returncode == 2
    assert done.stderr.startswith(f"mlguard: {path}")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_training_data_in_parquet(training, tmp_path):
    path = tmp_path / "t.parquet"
    pd.read_csv(training).to_parquet(path)
    built = [json.loads(mlguard("baseline", "build", str(p)).stdout) for p in (training, path)]
    assert built[0]["features"]["age"] == built[1]["features"]["age"]

    (tmp_path / "pyarrow.py").write_text("raise ImportError")
    done = mlguard("baseline", "build", str(path), PYTHONPATH=str(tmp_path))
    told = f"mlguard: {path}: reading Parquet needs pyarrow: pip install pyarrow\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_an_unknown_column_and_a_missing_file_are_told(training, tmp_path):
    done = mlguard("baseline", "build", str(training), "--drop", "ids")
    assert (done.returncode, done.stderr) == (
        2,
        f"mlguard: {training}: no column ids; it has id, age, country, code, score, label\n",
    )
    for command in ("build", "show"):
        done = mlguard("baseline", command, str(tmp_path / "no.csv"))
        assert done.stderr == f"mlguard: {tmp_path / 'no.csv'}: No such file or directory\n"


def test_nobody_at_the_address_is_told():
    done = mlguard("status", "--url", "http://127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr.startswith("mlguard: no sidecar answers at http://127.0.0.1:1")


def test_the_runbook_of_an_alert_is_a_command_away():
    done = mlguard("rules", "explain", "mlguardfeaturedrift")
    assert done.returncode == 0
    assert done.stdout.startswith("MLGuardFeatureDrift\n\n")
    assert "Do: find the source of the feature." in done.stdout
    assert "###" not in done.stdout
    done = mlguard("rules", "explain", "FeatureDrift")
    assert done.returncode == 2
    assert "did you mean MLGuardFeatureDrift" in done.stderr


def test_rules_check_lists_every_refusal(tmp_path):
    good, wrong, broken = (tmp_path / f"{name}.yml" for name in ("good", "wrong", "broken"))
    rule = "{alert: A, expr: x > 1, annotations: {a: b}}"
    good.write_text(f"groups: [{{name: g, rules: [{rule}]}}]")
    wrong.write_text(
        f"groups:\n- name: g\n  rules:\n  - {rule}\n  - {rule.replace('x > 1', 'x @ 1')}\n"
        f"  - {rule.replace('b}', 'b, c: {{ nothing }}}').replace('c: ', 'c: !!str ')}\n"
        "  - {record: 'r:x', expr: x, for: 5m}\n"
    )
    broken.write_text("groups: [")
    done = mlguard("rules", "check", str(good), str(wrong), str(broken))
    assert done.returncode == 1
    assert done.stdout == (
        f"{good}: 1 alerts, 0 recording rules, all usable\n"
        f"{wrong}: 1 alerts, 0 recording rules, 3 refusals\n"
    )
    lines = [line.removeprefix(f"mlguard: {tmp_path}/") for line in done.stderr.splitlines()]
    assert [line[:24] for line in lines] == [
        "wrong.yml:5: A: the @ mo",
        "wrong.yml:6: expected a ",
        "wrong.yml:7: r:x: only a",
        "broken.yml:2: not YAML: ",
    ]


def test_a_command_without_its_extra_says_which_to_install(tmp_path):
    """The bare SDK has the commands' scripts, but none of their libraries."""
    for package in (
        "mlguard",
        "mlguard_common",
        "mlguard_rules",
        "mlguard_sidecar",
        "mlguard_exporter",
    ):
        source = Path(__import__(package).__file__).parent
        (tmp_path / package).symlink_to(source)
    for module, extra in (
        ("mlguard_sidecar.main", "sidecar"),
        ("mlguard_sidecar.cli", "sidecar"),
        ("mlguard_exporter.main", "exporter"),
    ):
        code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {module} as m"
        code += "; sys.exit(m.main())"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done
        assert f"pip install 'mlguard[{extra}]'" in done.stderr
        assert done.stderr.count("\n") == 1


def test_history_rejects_and_relearning_on_a_running_sidecar(make_sidecar):
    with make_sidecar(baseline={"events": 100}) as sidecar:
        with sidecar.connection() as client:
            rows = [{"x": i % 10, "c": "ab"[i % 2]} for i in range(150)]
            events = [
                {"project_id": "my shop", "model_id": "m/1", "latency_ms": 5, "features": row}
                for row in rows
            ]
            client.send(*events)
            client.send({"project_id": "my shop", "model_id": "m/1", "y_proba": 7})
            client.send(b"no JSON")
            eventually(lambda: sidecar.value("mlguard_inferences_total") == 151)
        name = "my shop/m%2F1"
        shown = mlguard("history", name, "--url", sidecar.url)
        assert shown.returncode == 0, shown.stderr
        heading, line = shown.stdout.splitlines()
        assert heading.split()[:2] == ["DAY", "INFERENCES"]
        assert line.split()[1] == "151"
        one = json.loads(sidecar.get("/api/v1/models/my%20shop/m%2F1/predict"))
        assert one["inferences"] == 151
        rejects = json.loads(sidecar.get("/api/v1/rejects"))["rejects"]
        assert [(r["reason"], r["events"], r["values"]) for r in rejects] == [
            ("bad_json", 1, 0),
            ("bad_proba", 0, 1),
        ]
        exported = load(sidecar.get("/api/v1/models/my%20shop/m%2F1/predict/baseline").encode())
        assert exported.id == one["baseline"]
        done = mlguard("baseline", "relearn", name, "--url", sidecar.url)
        assert done.returncode == 0, done.stderr
        assert "learnt again from the next 100 events" in done.stdout
        (model,) = json.loads(sidecar.get("/api/v1/models"))["models"]
        before = model["baseline"]
        with sidecar.connection() as client:
            client.send(*events[:100])
            eventually(lambda: sidecar.value("mlguard_inferences_total") == 251)
        (model,) = json.loads(sidecar.get("/api/v1/models"))["models"]
        assert model["baseline"] not in {before, None}
        explained = mlguard("explain", name, "--url", sidecar.url)
        assert explained.stdout == "No column has drifted beyond chance.\n"
        erased = mlguard("forget", name, "--yes", "--url", sidecar.url)
        assert erased.stdout == f"{name}: erased\n"
        assert json.loads(sidecar.get("/api/v1/models"))["models"] == []
        with sidecar.connection() as client:
            client.send(events[0])
            eventually(lambda: sidecar.value("mlguard_inferences_total") == 1)
        for arguments, complaint in (
            (["forget", "nothing/here", "--yes"], "found no model"),
            (["explain", "nothing/here"], "found no model"),
            (["history", "nothing/here"], "found no model nothing/here/predict"),
            (["history", "x"], "expected PROJECT/MODEL"),
            (["baseline", "relearn", "nothing/here"], "found no model"),
        ):
            done = mlguard(*arguments, "--url", sidecar.url)
            assert (done.returncode, complaint in done.stderr) == (2, True)
            assert done.stderr.count("\n") == 1
