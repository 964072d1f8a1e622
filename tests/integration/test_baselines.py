"""Baselines of a running sidecar: put, promoted, compared, and files that come and go."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.sidecar import eventually, limit_file_size

from mlguard_sidecar.baseline import Binning, ColumnSample, build, dump, load
from mlguard_sidecar.histogram import decode

PATH = "/api/v1/models/p/m/predict/baseline"


def mlguard(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlguard_sidecar.cli", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def baseline(seed: int, mean: float = 0.0, n: int = 1000, kinds: str = "ab"):
    rng = np.random.default_rng(seed)
    features = {
        "x": ColumnSample.of(rng.normal(mean, 1, n)),
        "c": ColumnSample.of([kinds[i] for i in rng.integers(0, len(kinds), n)]),
    }
    predictions = {"y_proba": ColumnSample.of(rng.uniform(0, 1, n))}
    return build(
        features, predictions, samples=n, source=f"{seed}.csv", created=0.0, default=Binning()
    )


def events(seed: int, n: int, mean: float = 0.0, kinds: str = "ab", model: str = "m"):
    rng = np.random.default_rng(seed)
    return [
        {
            "project_id": "p",
            "model_id": model,
            "y_proba": float(rng.uniform(0, 1)),
            "features": {"x": float(rng.normal(mean, 1)), "c": kinds[rng.integers(len(kinds))]},
        }
        for _ in range(n)
    ]


def ask(sidecar, method: str, path: str, body: bytes | dict | None = None, **headers: str):
    """Status and JSON of an answer."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    request = urllib.request.Request(sidecar.url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        return error.code, json.loads(text) if text.startswith("{") else text


def send(sidecar, rows, expected: int) -> None:
    with sidecar.connection() as client:
        client.send(*rows)
        eventually(lambda: sidecar.value("mlguard_inferences_total") == expected)


def model(sidecar, name: str = "m"):
    found = json.loads(sidecar.get("/api/v1/models"))["models"]
    return next((each for each in found if each["model"] == name), None)


def test_a_baseline_is_put_before_the_first_event_promoted_and_kept_over_restarts(make_sidecar):
    first, second = baseline(1), baseline(2)
    with make_sidecar(baseline={"events": 100}) as sidecar:
        status, answer = ask(sidecar, "PUT", PATH, dump(first))
        assert (status, answer["baseline"]["id"], answer["replaced"]) == (200, first.id, None)
        shown = model(sidecar)
        assert (shown["baseline"], shown["baseline_origin"]) == (first.id, "put")
        assert (shown["inferences"], shown["learning_ratio"]) == (0, None)
        again = ask(sidecar, "PUT", PATH, dump(first))[1]
        assert again["replaced"]["id"] == first.id
        assert all(column["psi"] == 0 for column in again["columns"])
        rows = events(3, 600, mean=0.4, kinds="abbb")
        rows += [row | {"features": row["features"] | {"c": "new"}} for row in events(4, 20)]
        send(sidecar, rows, 620)
        assert model(sidecar)["baseline"] == first.id, "nothing was learnt"
        drifted = {c["name"]: c for c in model(sidecar)["columns"] if c["window"] == "24h"}
        assert drifted["x"]["psi"] > drifted["x"]["psi_critical"]

        asked = {"window": "24h", "dry_run": True}
        status, seen = ask(sidecar, "POST", f"{PATH}/promote", asked)
        assert (status, seen["refused"], seen["replaced"]["id"]) == (200, None, first.id)
        columns_of_window = seen["columns"]
        columns = {column["name"]: column for column in columns_of_window}
        assert columns["x"]["psi"] == pytest.approx(drifted["x"]["psi"])
        assert columns["c"]["outside_ratio"] == pytest.approx(20 / 620)
        assert columns["x"]["sentences"]
        assert model(sidecar)["baseline"] == first.id
        day = json.loads(sidecar.get(PATH.replace("baseline", "history")))["days"][-1]["day"]
        status, of_day = ask(sidecar, "POST", f"{PATH}/promote", {"day": day, "dry_run": True})
        assert (status, of_day["refused"]) == (200, None)
        assert of_day["columns"] == columns_of_window
        declined = mlguard("baseline", "promote", "p/m", "--url", sidecar.url, stdin="n\n")
        assert declined.returncode == 1
        assert "beyond chance" in declined.stdout
        assert model(sidecar)["baseline"] == first.id
        done = mlguard("baseline", "promote", "p/m", "--yes", "--url", sidecar.url)
        assert done.returncode == 0, done.stderr
        promoted = model(sidecar)["baseline"]
        assert f"baseline {promoted} is in use" in done.stdout
        assert sidecar.value("mlguard_baseline_info", source="promoted") == 1
        twice = mlguard("baseline", "promote", "p/m", "--yes", "--url", sidecar.url)
        assert twice.returncode == 2
        assert "the window 24h has 0 values" in twice.stderr
        send(sidecar, rows, 1240)
        for column in model(sidecar)["columns"]:
            assert column["psi"] is None or column["psi"] == pytest.approx(0, abs=1e-12)
        sidecar.stop()
        sidecar.start()
        assert (model(sidecar)["baseline"], model(sidecar)["inferences"]) == (promoted, 1240)
        assert model(sidecar)["baseline_origin"] == "promoted"
        status, answer = ask(sidecar, "POST", f"{PATH}/relearn")
        assert (status, answer) == (200, {"events": 100})
        status, answer = ask(sidecar, "PUT", PATH, dump(second))
        assert (status, answer["replaced"]["id"]) == (200, promoted)
        assert model(sidecar)["learning_ratio"] is None, "and learns no more"
        assert sidecar.value("mlguard_inferences_total") == 1240


def test_no_event_is_lost_or_counted_twice_while_baselines_are_replaced(make_sidecar):
    found = [baseline(seed) for seed in (1, 2, 3)]
    rows = events(7, 4000)
    with make_sidecar(baseline={"events": 0}) as sidecar:
        assert ask(sidecar, "PUT", PATH, dump(found[0]))[0] == 200
        with ThreadPoolExecutor() as pool, sidecar.connection() as client:

            def replace(i: int):
                return ask(sidecar, "PUT", PATH, dump(found[i % 3]))

            sending = pool.submit(lambda: [client.send(row) for row in rows])
            answers = list(pool.map(replace, range(30)))
            sending.result()
        assert {status for status, _ in answers} == {200}
        eventually(lambda: sidecar.value("mlguard_inferences_total") == len(rows))
        last = ask(sidecar, "PUT", PATH, dump(found[1]))[1]
        assert last["baseline"]["id"] == found[1].id
        sidecar.kill()
        sidecar.start()
        shown = model(sidecar)
        assert (shown["baseline"], shown["inferences"]) == (found[1].id, len(rows))
        sidecar.stop()
        with contextlib.closing(sqlite3.connect(sidecar.folder / "data" / "mlguard.db")) as db:
            bodies = dict(db.execute("SELECT binning, body FROM pane WHERE resolution = 3"))
    counted = 0
    for one in found:
        (slots,) = (one.layout.slots(i) for i, p in enumerate(one.columns) if p.column.name == "x")
        if one.id in bodies:
            counted += int(decode(bodies[one.id]).counts[slots].sum())
    assert counted == len(rows)


def test_a_baseline_that_the_database_refuses_is_in_use_and_stored_later(make_sidecar):
    found = baseline(1)
    with make_sidecar(baseline={"events": 50}) as sidecar:
        send(sidecar, events(1, 10), 10)
        limit_file_size(sidecar.process.pid, 4096)
        status, answer = ask(sidecar, "PUT", PATH, dump(found))
        assert status == 503
        assert "not stored yet" in answer["error"]
        limit_file_size(sidecar.process.pid, None)
        eventually(lambda: model(sidecar)["baseline"] == found.id)
        sidecar.kill()
        sidecar.start()
        assert (model(sidecar)["baseline"], model(sidecar)["inferences"]) == (found.id, 10)


def test_requests_at_the_same_time_leave_one_of_their_states(make_sidecar):
    found = baseline(1)
    with make_sidecar(baseline={"events": 50}) as sidecar:
        send(sidecar, events(1, 60), 60)

        def request(i: int):
            if i % 2:
                return ask(sidecar, "POST", f"{PATH}/relearn")
            return ask(sidecar, "PUT", PATH, dump(found))

        with ThreadPoolExecutor() as pool:
            assert {status for status, _ in pool.map(request, range(40))} == {200}
        shown = model(sidecar)
        assert shown["baseline"] == found.id
        assert shown["learning_ratio"] in {None, 0}
        sidecar.kill()
        sidecar.start()
        assert model(sidecar)["baseline"] == found.id
        send(sidecar, events(2, 30), 90)
        assert ask(sidecar, "PUT", PATH, dump(found))[0] == 200
        assert model(sidecar)["learning_ratio"] is None


def test_what_cannot_be_put_or_promoted_is_answered_in_one_line(make_sidecar):
    found = baseline(1)
    with make_sidecar(baseline={"events": 100}) as sidecar:
        promote = f"{PATH}/promote"
        assert ask(sidecar, "POST", promote, {"window": "24h"})[0] == 404
        send(sidecar, events(1, 10), 10)
        assert ask(sidecar, "POST", promote, {"window": "24h"})[0] == 409
        send(sidecar, events(2, 140), 150)
        far = [row | {"features": row["features"] | {"x": 1e6}} for row in events(5, 90)]
        send(sidecar, far, 240)
        for method, path, body, status, text in (
            ("PUT", PATH, b"{", 422, "not a baseline file"),
            ("PUT", PATH, dump(found).replace(b'"a"', b"7"), 422, "features.c.categories["),
            ("PUT", PATH, b" " * (9 << 20), 413, ""),
            ("PUT", PATH.replace("/m/", "/%0A/"), dump(found), 422, "printable"),
            ("PUT", PATH.replace("p/m/predict", "__other__/__other__/__other__"), dump(found), 409,
             "__other__ pools models"),
            ("POST", promote, b"", 422, ""),
            ("POST", promote, {}, 422, "either"),
            ("POST", promote, {"window": "24h", "day": "2026-01-01"}, 422, "either"),
            ("POST", promote, {"window": "7d"}, 422, "window: found '7d', expected one of 1h, 24h"),
            ("POST", promote, {"day": "yesterday"}, 422, "expected YYYY-MM-DD"),
            ("POST", promote, {"day": "2020-01-01"}, 422, "no events"),
            ("POST", promote, {"window": "24h"}, 422, "of x (38%) lies outside"),
        ):  # fmt: skip
            found_status, answer = ask(sidecar, method, path, body)
            assert found_status == status, answer
            if isinstance(answer, dict):
                assert text in answer["error"]
                assert "\n" not in answer["error"]
        assert "mlguard baseline relearn" in answer["error"]
        refused = mlguard("baseline", "promote", "p/m", "--yes", "--url", sidecar.url)
        assert (refused.returncode, "x (38%)" in refused.stderr) == (2, True)
        foreign = {"Origin": "http://elsewhere.example"}
        assert ask(sidecar, "PUT", PATH, dump(found), **foreign)[0] == 403
        assert ask(sidecar, "POST", promote, {"window": "1h"}, **foreign)[0] == 403
        assert model(sidecar)["baseline_origin"] == "first_events"


@pytest.mark.long
def test_files_of_the_folder_are_taken_up_and_given_up_without_a_restart(make_sidecar, tmp_path):
    folder = tmp_path / "baselines"
    folder.mkdir()
    one, two, put = baseline(1), baseline(2), baseline(3)
    settings = {"folder": str(folder), "events": 50}
    with make_sidecar(baseline=settings) as sidecar:
        send(sidecar, events(1, 60), 60)
        learnt = model(sidecar)["baseline"]
        assert ask(sidecar, "PUT", PATH, dump(put))[0] == 200

        # as a ConfigMap is mounted: a link to a folder that is swapped
        (folder / "..1").mkdir()
        (folder / "..1" / "p__m.json").write_bytes(dump(one))
        (folder / "..data").symlink_to("..1")
        (folder / "p__m.json").symlink_to("..data/p__m.json")

        def uses(baseline_id: str, origin: str):
            def condition() -> bool:
                found = model(sidecar)
                return (found["baseline"], found["baseline_origin"]) == (baseline_id, origin)

            eventually(condition, seconds=60, every=0.2)

        uses(one.id, "folder")
        for method, path in (("PUT", PATH), ("POST", f"{PATH}/relearn"),
                             ("POST", f"{PATH}/promote")):  # fmt: skip
            body = dump(two) if method == "PUT" else b'{"window": "24h"}'
            status, answer = ask(sidecar, method, path, body)
            assert status == 409
            assert "comes from a configured file, baseline.folder" in answer["error"]
        (folder / "..2").mkdir()
        (folder / "..2" / "p__m.json").write_bytes(dump(two))
        (folder / "p__later.json").write_bytes(dump(one))
        (folder / "next").symlink_to("..2")
        (folder / "next").replace(folder / "..data")
        uses(two.id, "folder")
        errors = "mlguard_sidecar_baseline_file_errors_total"
        assert sidecar.value(errors) == 0
        (folder / "..2" / "p__m.json").write_bytes(dump(one)[:100])
        eventually(lambda: sidecar.value(errors) == 1, seconds=60, every=0.2)
        uses(two.id, "folder")
        assert len(re.findall("stays in use", sidecar.log())) == 1
        send(sidecar, events(2, 60, model="later"), 120)
        assert model(sidecar, "later")["baseline"] == one.id
        (folder / "p__m.json").unlink()
        uses(put.id, "put")
        assert learnt not in {one.id, two.id, put.id}
        assert sidecar.value("mlguard_inferences_total") == 120


def test_two_baselines_are_compared_as_files_and_from_a_running_sidecar(make_sidecar, tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_bytes(dump(baseline(1)))
    two.write_bytes(dump(baseline(2, mean=1.0, kinds="abc")))
    with make_sidecar() as sidecar:
        assert ask(sidecar, "PUT", PATH, one.read_bytes())[0] == 200
        done = mlguard("baseline", "diff", "p/m", str(two), "--url", sidecar.url)
        exported = tmp_path / "exported.json"
        made = mlguard("baseline", "show", "p/m", "-o", str(exported), "--url", sidecar.url)
        assert made.returncode == 0, made.stderr
        assert exported.read_bytes() == one.read_bytes()
        as_json = mlguard("baseline", "show", "p/m", "--json", "--url", sidecar.url)
        assert load(as_json.stdout.encode()).id == load(one.read_bytes()).id
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[2].split() == ["COLUMN", "KIND", "PSI", "CHANCE", "OUTSIDE", "VALUES"]
    assert [line.split()[0] for line in lines[3:6]][2] == "y_proba"
    assert "x: " in done.stdout
    assert "any other value has" in done.stdout
    machine = mlguard("baseline", "diff", str(one), str(two), "--json", "--exit-code")
    assert machine.returncode == 1
    changes = {c["name"]: c["change"] for c in json.loads(machine.stdout)["columns"]}
    assert changes == {"x": "moved", "c": "moved", "y_proba": "within_chance"}
    assert mlguard("baseline", "diff", str(one), str(one), "--exit-code").returncode == 0
    for arguments, text in (
        (
            ["diff", str(one), "no/where", "--url", "http://127.0.0.1:1"],
            "is no file: no answer",
        ),
        (["diff", str(one), str(tmp_path / "no.json")], "No such file"),
        (["show", str(tmp_path)], "Is a directory"),
    ):
        failed = mlguard("baseline", *arguments)
        assert (failed.returncode, failed.stderr.count("\n")) == (2, 1), failed.stderr
        assert text in failed.stderr
    schema = json.loads(mlguard("baseline", "schema").stdout)
    assert schema["properties"]["format"] == {"const": "mlguard-baseline/1"}
