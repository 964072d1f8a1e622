"""Real model servers: every inference that was answered is counted, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from support.model_servers import ModelServer, examples, python_of
from support.sidecar import eventually, free_port

EXAMPLES = examples()
REQUESTS = [
    [{"age": 20 + (7 * n + i) % 50, "seconds": 0.005} for i in range(1 + n % 4)] for n in range(200)
]
SLOW = [[{"age": 30 + 10 * n, "seconds": 0.8}] for n in range(2)]


def instances(rows):
    return {"instances": rows}


def predictions(answer):
    return answer["predictions"]


def tensors(rows):
    """Rows as the columns of the Open Inference Protocol."""
    return {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {
                "name": name,
                "shape": [len(rows)],
                "datatype": kind,
                "data": [row[name] for row in rows],
            }
            for name, kind in (("age", "INT64"), ("seconds", "FP64"))
        ],
    }


def output(answer):
    return answer["outputs"][0]["data"]


def check(sidecar, answered, *, sleeps):
    """Compare what was sent and answered with what the sidecar shows."""
    rows = [row for each in answered for row in each.rows]
    for each in answered:
        assert each.labels == [int(row["age"] >= 40) for row in each.rows]
    value = sidecar.value
    with suppress(AssertionError):
        eventually(lambda: value("mlguard_inferences_total") >= len(rows))
    assert value("mlguard_inferences_total") == len(rows)
    found = sidecar.metrics()
    counts = Counter(str(label) for each in answered for label in each.labels)
    for label in "01":
        assert value("mlguard_predictions_total", prediction=label) == counts[label]
    ages = [row["age"] for row in rows]
    assert value("mlguard_feature_mean", feature="age", window="1h") == pytest.approx(
        sum(ages) / len(ages)
    )
    assert value("mlguard_feature_min", feature="age", window="1h") == min(ages)
    assert value("mlguard_feature_max", feature="age", window="1h") == max(ages)
    assert value("mlguard_feature_missing_ratio", feature="age", window="1h") == 0
    assert value("mlguard_inference_latency_seconds_count") == len(rows)
    shortest = sum(max(row["seconds"] for row in each.rows) * len(each.rows) for each in answered)
    longest = sum(each.seconds * len(each.rows) for each in answered)
    assert shortest * sleeps <= value("mlguard_inference_latency_seconds_sum") <= longest
    assert {dict(labels).get("model") for _, labels in found} - {None} == {"churn_v1"}


def run(
    tmp_path, make_sidecar, file, command, *, python=None, stop=signal.SIGTERM, slow=SLOW, **options
):
    sleeps = options.pop("sleeps", True)
    options = {"url": "/predict", "encode": instances, "decode": predictions, **options}
    env = options.pop("env", {})
    with make_sidecar(baseline={"events": 50}) as sidecar:
        env |= {"MLGUARD_SOCKET": str(sidecar.socket_path)}
        folder = tmp_path / "server"
        with ModelServer(
            folder,
            EXAMPLES[file],
            command,
            python=python or Path(sys.executable),
            env=env,
            **options,
        ) as server:
            answered = server.wait()
            answered += server.predict_many(REQUESTS)
            answered += server.stop_while(slow, stop)
        check(sidecar, answered, sleeps=sleeps)
    return server


def own_environment(name):
    python = python_of(name)
    if not python.exists():
        missing = f"make .venv-servers/{name}/.ready makes the environment that this needs"
        if os.environ.get("MLGUARD_REQUIRE_TOOLS") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return python


def commands(file):
    """The example's commands; the first is run by make test."""
    first, *others = EXAMPLES[file].commands
    return [first, *(pytest.param(each, marks=pytest.mark.long) for each in others)]


def command_of(file):
    (command,) = EXAMPLES[file].commands
    return command


@pytest.mark.parametrize("command", commands("fastapi_app.py"))
def test_fastapi(tmp_path, make_sidecar, command):
    pytest.importorskip("fastapi")
    bind = " --bind 127.0.0.1:PORT" if command.startswith("gunicorn") else " --port PORT"
    run(tmp_path, make_sidecar, "fastapi_app.py", command + bind)


@pytest.mark.parametrize("command", commands("flask_app.py"))
def test_flask(tmp_path, make_sidecar, command):
    pytest.importorskip("gunicorn")
    run(tmp_path, make_sidecar, "flask_app.py", f"{command} --bind 127.0.0.1:PORT")


@pytest.mark.long
@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("fastapi_app.py", EXAMPLES["fastapi_app.py"].commands[1]),
        ("flask_app.py", EXAMPLES["flask_app.py"].commands[0]),
    ],
)
def test_workers_that_are_replaced_lose_nothing(tmp_path, make_sidecar, file, command):
    pytest.importorskip("gunicorn")
    recycling = f"{command} --bind 127.0.0.1:PORT --max-requests 20"
    server = run(tmp_path, make_sidecar, file, recycling)
    assert server.log().count("Booting worker") >= 5


def mlserver_ports():
    ports = {f"MLSERVER_{name}_PORT": str(free_port()) for name in ("GRPC", "METRICS")}
    return {"MLSERVER_HTTP_PORT": "PORT", "MLSERVER_PARALLEL_WORKERS": "2", **ports}


@pytest.mark.long
def test_mlserver(tmp_path, make_sidecar):
    run(
        tmp_path,
        make_sidecar,
        "mlserver_runtime.py",
        command_of("mlserver_runtime.py"),
        python=own_environment("mlserver"),
        env=mlserver_ports(),
        url="/v2/models/churn/infer",
        encode=tensors,
        decode=output,
    )


FIT = """
import joblib, pandas
from sklearn.tree import DecisionTreeClassifier
rows = pandas.DataFrame({"age": range(100), "seconds": 0.0})
joblib.dump(DecisionTreeClassifier().fit(rows, rows["age"] >= 40), "model.joblib")
"""


@pytest.mark.long
def test_a_runtime_that_mlserver_brings(tmp_path, make_sidecar):
    python = own_environment("mlserver")
    (tmp_path / "server").mkdir()
    subprocess.run([python, "-c", FIT], cwd=tmp_path / "server", check=True)
    run(
        tmp_path,
        make_sidecar,
        "mlserver_sklearn_runtime.py",
        command_of("mlserver_sklearn_runtime.py"),
        python=python,
        sleeps=False,
        env=mlserver_ports(),
        url="/v2/models/churn/infer",
        encode=tensors,
        decode=output,
    )


@pytest.mark.long
def test_kserve(tmp_path, make_sidecar):
    run(
        tmp_path,
        make_sidecar,
        "kserve_model.py",
        command_of("kserve_model.py") + f" --http_port PORT --grpc_port {free_port()}",
        python=own_environment("kserve"),
        url="/v1/models/churn:predict",
    )


@pytest.mark.long
def test_bentoml(tmp_path, make_sidecar):
    run(
        tmp_path,
        make_sidecar,
        "bentoml_service.py",
        command_of("bentoml_service.py") + " --port PORT",
        python=own_environment("bentoml"),
        decode=list,
    )


@pytest.mark.long
def test_ray_serve(tmp_path, make_sidecar):
    run(
        tmp_path,
        make_sidecar,
        "ray_deployment.py",
        command_of("ray_deployment.py"),
        python=own_environment("ray"),
        url="/",
        port=8000,
        stop=signal.SIGINT,  # at which it calls __del__, and answers nothing any more
        slow=[],
        env={"RAY_USAGE_STATS_ENABLED": "0"},
    )
