"""The sidecar as a process: restart, reload, flags, logs."""

from __future__ import annotations

import json
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request

import numpy as np
import pytest
import yaml
from support.sidecar import eventually, limit_file_size

from mlguard import Guard
from mlguard_sidecar.baseline import Binning, ColumnSample, build, dump

EVENT = {"project_id": "p", "model_id": "m", "latency_ms": 5, "features": {"x": 1.5}}


def reload(sidecar) -> str:
    request = urllib.request.Request(sidecar.url + "/-/reload", method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def comparable(found: dict) -> dict:
    """Figures that do not depend on when they are asked for, or on this process."""
    changing = ("mlguard_inferences_per_second", "mlguard_sidecar_", "mlguard_rule_")
    return {k: v for k, v in found.items() if not k[0].startswith(changing)}


def test_a_restart_changes_no_figure(make_sidecar):
    sidecar = make_sidecar(baseline={"events": 300}).start()
    with Guard(project="p", model="m", socket=str(sidecar.socket_path)) as guard:
        rng = np.random.default_rng(1)
        for x in rng.normal(size=1000).tolist():
            guard.log(
                features={"x": x, "c": "ab"[int(x > 0)]}, y_pred=int(x > 0), latency_ms=abs(x)
            )
        assert guard.flush(10)
        before = sidecar.metrics()
        assert sidecar.stop() == 0
        sidecar.start()
        after = sidecar.metrics()
        assert comparable(after).keys() == comparable(before).keys()
        assert comparable(after) == pytest.approx(comparable(before))
        own = ("mlguard_sidecar_events_committed_total", (("source", "socket"),))
        assert after[own] == before[own] == 1000
        # the client goes on with the same numbers
        guard.log(features={"x": 1.0}, latency_ms=1)
        assert guard.flush(10)
    assert sidecar.value("mlguard_inferences_total") == 1001


def test_reload_changes_thresholds_windows_and_baselines_and_keeps_the_old_on_a_mistake(
    make_sidecar, tmp_path
):
    sidecar = make_sidecar().start()
    with sidecar.connection() as client:
        client.send(EVENT)
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 1)
    assert sidecar.value("mlguard_drift_psi_threshold") == 0.2

    sidecar.config |= {
        "thresholds": {"drift_psi": 0.5, "latency_p95_seconds": 0.3},
        "windows": {"traffic": ["10m"], "features": ["2h"]},
        "retention": {"days": "300d"},
    }
    sidecar.write_config()
    assert reload(sidecar) == "reloaded\n"
    assert sidecar.value("mlguard_drift_psi_threshold") == 0.5
    assert sidecar.value("mlguard_latency_p95_threshold_seconds") == 0.3
    with sidecar.connection() as client:
        client.send(EVENT)
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 2)
    eventually(lambda: sidecar.value("mlguard_feature_mean", window="2h") == 1.5)

    x = np.random.default_rng(1).normal(size=200).tolist()
    sample = ColumnSample.of(x)
    made = build({"x": sample}, {}, samples=200, source="train.csv", created=1, default=Binning())
    file = tmp_path / "baseline.json"
    file.write_bytes(dump(made))
    sidecar.config["models"] = [{"project": "p", "model": "m", "baseline": {"file": str(file)}}]
    sidecar.write_config()
    assert sidecar.process is not None
    sidecar.process.send_signal(signal.SIGHUP)
    eventually(lambda: sidecar.value("mlguard_baseline_info", baseline=made.id) == 1)
    eventually(lambda: sidecar.value("mlguard_drift_samples", feature="x", window="2h") == 2)

    sidecar.config_path.write_text("limits: {models: many}")
    with pytest.raises(urllib.error.HTTPError) as caught:
        reload(sidecar)
    with caught.value as error:
        assert error.code == 400
        assert "limits.models: found" in error.read().decode()
    assert sidecar.value("mlguard_drift_psi_threshold") == 0.5
    assert sidecar.value("mlguard_sidecar_config_reloads_total", outcome="failure") == 1
    assert sidecar.value("mlguard_sidecar_config_reloads_total", outcome="success") == 2
    assert "changed only after a restart: retention" in sidecar.log()


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlguard_sidecar", *arguments],
        capture_output=True, text=True, timeout=30, check=False, **options,
    )  # fmt: skip


def test_mistakes_at_the_start_are_one_line_and_status_2(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("windows: {traffic: [5]}")
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump({"baseline": {"file": str(tmp_path / "no.json")}}))
    own = ["--data-dir", str(tmp_path / "data"), "--socket", str(tmp_path / "s.sock")]
    for arguments, told in (
        (["--config", str(bad)], f"{bad}: windows.traffic[0]: found 5, expected a duration"),
        (["--config", str(tmp_path / "none")], f"{tmp_path / 'none'}: cannot be read"),
        (["--config", str(file), *own], f"baseline file {tmp_path / 'no.json'} cannot be read"),
        (["--listen", "nowhere", *own], "listen: found 'nowhere', expected HOST:PORT"),
        (["--listen", "127.0.0.1:0", "--data-dir", "/proc/x"], "/proc/x/mlguard.db cannot be used"),
        (["--listen", "127.0.0.1:0", *own[:2], "--socket", "/tmp/" + "x" * 200], "/tmp/xxx"),
    ):
        done = run(*arguments)
        assert done.returncode == 2, done
        assert done.stderr.startswith(f"mlguard-sidecar: {told}"), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("style", ["logfmt", "json"])
def test_logs_are_one_line_an_event(make_sidecar, style):
    sidecar = make_sidecar(log={"level": "info", "format": style}).start()
    assert sidecar.stop() == 0
    lines = sidecar.log().splitlines()
    assert len(lines) == 3
    if style == "json":
        assert json.loads(lines[0])["msg"].startswith(f"events on {sidecar.socket_path}")
    else:
        assert lines[0].startswith("ts=")
        assert f'msg="events on {sidecar.socket_path}' in lines[0]


def test_figures_are_also_on_the_socket_beside(make_sidecar):
    import http.client
    import socket

    with make_sidecar() as sidecar:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(sidecar.socket_path.with_name("http.sock")))
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert b"mlguard_build_info" in answer.read()
        connection.close()


def log_some(guard: Guard, count: int) -> None:
    for _ in range(count):
        guard.log(latency_ms=1.0)
    guard.flush(20)


def test_forked_workers_are_counted_each_once(sidecar):
    guard = Guard(project="p", model="m", socket=str(sidecar.socket_path))
    log_some(guard, 10)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=log_some, args=(guard, 100)) for _ in range(4)]
    for worker in workers:
        worker.start()
    log_some(guard, 10)
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    guard.close()
    eventually(lambda: sidecar.value("mlguard_inferences_total") == 420)


def test_a_full_disk_loses_nothing_and_is_told(make_sidecar):
    """The database refuses commits for a while; what came in meanwhile counts afterwards."""
    sidecar = make_sidecar().start()
    with sidecar.connection() as client:
        client.hello("full")
        batch = {"project_id": "p", "model_id": "m", "columns": {"y_pred": [1] * 10}}
        client.send(batch | {"seq": 1})
        client.wait_for_ack(1)
        assert sidecar.process is not None
        limit_file_size(
            sidecar.process.pid, (sidecar.folder / "data/mlguard.db-wal").stat().st_size
        )
        client.send(batch | {"seq": 2})
        eventually(lambda: sidecar.value("mlguard_sidecar_store_errors_total") > 0)
        client.send(batch | {"seq": 3})
        eventually(lambda: sidecar.value("mlguard_sidecar_events_pending") == 20)
        found = sidecar.metrics()
        assert sidecar.value("mlguard_sidecar_events_received_total") == 30
        assert sidecar.value("mlguard_inferences_total") == 10, found
        with pytest.raises(urllib.error.HTTPError, match="503") as caught:
            sidecar.get("/readyz")
        caught.value.close()
        limit_file_size(sidecar.process.pid, None)
        client.wait_for_ack(3)
        assert sidecar.value("mlguard_inferences_total") == 30
        assert sidecar.value("mlguard_sidecar_events_pending") == 0
        assert sidecar.get("/readyz") == "ready\n"
    assert sidecar.stop() == 0


def test_the_database_can_be_opened_by_others_once_it_is_stopped(make_sidecar):
    sidecar = make_sidecar().start()
    with sidecar.connection() as client:
        client.send(EVENT)
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 1)
    assert sidecar.stop() == 0
    (file,) = (sidecar.folder / "data").iterdir()
    db = sqlite3.connect(file)
    assert db.execute("SELECT project, model, endpoint FROM model").fetchall() == [
        ("p", "m", "predict")
    ]
    db.close()
