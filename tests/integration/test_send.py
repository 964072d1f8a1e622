"""`mlguard send` against a real sidecar: each line once, whoever is killed."""

from __future__ import annotations

import json
import os
import pty
import random
import subprocess
import sys
import time

import pytest
from support.sidecar import eventually

EVENT = {"project_id": "p", "model_id": "m", "endpoint": "predict"}
WAYS = ["socket", "http"]


def lines_of(n: int, first: int = 0, **more) -> str:
    events = (
        EVENT | {"latency_ms": i % 90, "features": {"x": i % 7, "c": "ab"[i % 2]}} | more
        for i in range(first, first + n)
    )
    return "".join(json.dumps(event) + "\n" for event in events)


def arguments(sidecar, way: str, *more: str) -> list[str]:
    to = ["--url", sidecar.url] if way == "http" else ["--socket", str(sidecar.socket_path)]
    return [sys.executable, "-m", "mlguard_sidecar.cli", "send", *to, *map(str, more)]


def send(sidecar, way: str, *more: str, **form):
    form = {"stdin": subprocess.DEVNULL} | form if "input" not in form else form
    return subprocess.run(
        arguments(sidecar, way, *more), capture_output=True, text=True, check=False, **form
    )


def counted(sidecar, **labels) -> float:
    return sidecar.value("mlguard_inferences_total", **labels)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_is_counted_once_however_often_it_is_sent_and_however_it_grows(
    sidecar, tmp_path, way
):
    file = tmp_path / "events.ndjson"
    sizes, total = [1, 299, 212, 1, 700, 37, 1024], 0
    for n in sizes:
        with file.open("a") as out:
            out.write(lines_of(n, total))
        total += n
        for repeated in (False, True):
            done = send(sidecar, way, file)
            assert done.returncode == 0, done.stderr
            new = 0 if repeated else n
            assert f"{new:,} events sent, {new:,} counted" in done.stdout
            assert counted(sidecar) == total
    copy = tmp_path / "copy.jsonl"
    copy.write_text(file.read_text())
    assert "0 events sent" in send(sidecar, way, copy).stdout
    assert f"{total:,} events sent" in send(sidecar, way, "--again", copy).stdout
    assert counted(sidecar) == 2 * total


@pytest.mark.parametrize("way", WAYS)
def test_files_that_begin_alike_are_different_files(sidecar, tmp_path, way):
    same, file = lines_of(600), tmp_path / "events.ndjson"
    for i, rest in enumerate((lines_of(5, 7), lines_of(400, 5000), "")):
        file.write_text(same + rest)
        assert send(sidecar, way, file).returncode == 0
        assert send(sidecar, way, file).stdout.startswith("0 events sent"), i
    # what both have in common is counted again over the socket
    assert counted(sidecar) == (605 + 1000 + 600 if way == "socket" else 605 + 400)


@pytest.mark.parametrize("way", WAYS)
def test_nobody_loses_count_when_either_is_killed(make_sidecar, tmp_path, way):
    chance = random.Random(7)
    sidecar = make_sidecar().start()
    file = tmp_path / "events.ndjson"
    n = 60_000
    file.write_text(lines_of(n))
    kills = 0
    for _ in range(4):
        before = counted(sidecar)
        process = subprocess.Popen(arguments(sidecar, way, file))
        eventually(lambda b=before: counted(sidecar) > b or process.poll() is not None)
        time.sleep(chance.random() * 0.2)
        kills += process.poll() is None
        process.kill()
        process.wait()
    assert kills
    assert counted(sidecar) < n
    process = subprocess.Popen(arguments(sidecar, way, file), stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        before = counted(sidecar)
        eventually(lambda b=before: counted(sidecar) > b or process.poll() is not None)
        sidecar.kill()
        sidecar.start()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert counted(sidecar) == n
    assert send(sidecar, way, file).stdout.startswith("0 events sent")
    assert counted(sidecar) == n


ODD = [
    {"latency_ms": -4, "features": {"x": 1}},
    {"latency_ms": "x", "y_pred": [1], "features": {"x": {"a": 1}}},
    {"y_proba": {"a": 0.25, "b": 0.75}, "y_pred": "a", "id": "order-1"},
    {"y_proba": 7, "id": 12, "features": {}},
    {"features": [1, 2]},
    {"features": {f"f{i}": i for i in range(514)}},
    {"timestamp": "yesterday"},
    {"timestamp": "2001-01-01T00:00:00Z"},
    {"project_id": "", "features": {"x": 1}},
    {"model_id": None},
    {"columns": {"latency_ms": [1, 2, 3], "features": {"x": [1, None, "NaN"]}}, "seq": 5},
    {"columns": {"latency_ms": [1, 2], "y_pred": [1]}},
    {"columns": 5},
    {"outcome": {"id": "order-1", "y_true": "b"}},
    {"outcome": {"id": ["order-1", "none"], "y_true": ["b", "a"], "y_pred": ["a", "a"]}},
    {"outcome": {"id": "order-2"}},
]
RAW = [
    "no json", "[1]", "12", '{"project_id": "p"', "}", '{"y_pred":[1]},"model_id":"m","project_id":"p"',
    '{"project_id": "p", "model_id": "m", "latency_ms": NaN, "features": {"x": Infinity}}',
    '{"project_id": "p", "model_id": "m", "features": {"x": "\\ud800"}}',
]  # fmt: skip


COUNTS = (
    "mlguard_inferences_total", "mlguard_feature_", "mlguard_outcomes",
    "mlguard_sidecar_invalid_values_total", "mlguard_sidecar_events_rejected_total",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_both_ways_count_the_same(make_sidecar, tmp_path, seed):
    chance = random.Random(seed)
    rows = [json.dumps(EVENT | odd) for odd in ODD for _ in range(3)] + RAW
    rows += lines_of(200).splitlines() + lines_of(50, model_id="other").splitlines()
    chance.shuffle(rows)
    first = json.dumps(EVENT | ODD[2])
    raw = "\n".join([first, *rows]).encode() + b"\n"
    raw += b'{"project_id": "p", "model_id": "m", "features": {"x": "\xff\xfe"}}\n\n'
    raw += b'{"project_id": "p", "model_id": "m"}'
    file = tmp_path / "events.ndjson"
    file.write_bytes(raw)
    figures, words = [], []
    for way in WAYS:
        sidecar = make_sidecar().start()
        done = send(sidecar, way, file)
        assert done.returncode == 1, done.stderr
        words.append(done.stdout.splitlines()[0])
        figures.append(
            {
                key: value
                for (name, labels), value in sidecar.metrics().items()
                if name.startswith(COUNTS)
                and (key := (name, tuple(label for label in labels if label[0] != "source")))
            }
        )
        figures[-1]["rejected"] = sidecar.value("mlguard_sidecar_events_rejected_total")
    assert figures[0] == pytest.approx(figures[1])
    assert words[0] == words[1]
    refused = int(words[0].split()[0].replace(",", "")) - int(words[0].split()[3].replace(",", ""))
    assert refused == figures[0]["rejected"]


@pytest.mark.parametrize("way", WAYS)
def test_a_line_that_is_too_long_costs_itself(sidecar, tmp_path, way):
    file = tmp_path / "events.ndjson"
    long = json.dumps(EVENT | {"features": {"x": "y" * 3_000_000}})
    file.write_text(lines_of(3) + long + "\n" + lines_of(4, 3))
    done = send(sidecar, way, file)
    assert done.returncode == 1
    assert "8 events sent, 7 counted" in done.stdout
    assert counted(sidecar) == 7


@pytest.mark.parametrize("way", WAYS)
def test_an_unfinished_last_line_waits_until_it_is_written(sidecar, tmp_path, way):
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of(3)[:-9])
    done = send(sidecar, way, file)
    assert done.returncode == 1
    assert "refused: incomplete_line" in done.stdout
    assert counted(sidecar) == 2
    file.write_text(lines_of(3)[:-1])  # whole, but for the line feed
    assert send(sidecar, way, file).returncode == 0
    file.write_text(lines_of(4))
    assert "1 events sent, 1 counted" in send(sidecar, way, file).stdout
    assert counted(sidecar) == 4


@pytest.mark.parametrize("way", WAYS)
def test_standard_input_is_sent_as_it_comes_and_says_that_it_is_sent_once(sidecar, way):
    with subprocess.Popen(
        arguments(sidecar, way, "-"),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for total in (3, 6):
            process.stdin.write(lines_of(3))
            process.stdin.flush()
            eventually(lambda n=total: counted(sidecar) == n)
        out, err = process.communicate()
    assert "standard input is sent once" in err
    assert "6 events sent, 6 counted" in out
    send(sidecar, way, "-", input=lines_of(3))
    assert counted(sidecar) == 9


CSV = f"""when,took,score,label,order,age,country,note
{time.time() - 60},12.5,0.8,1,17,29,CA,"a, b"
,,,0,,NA,,"two
lines"
2026-11-20T00:00:00Z,abc,"{{""0"": 0.25, ""1"": 0.75}}",1,18,31,US,
"""
CSV_OPTIONS = (
    "--timestamp", "when", "--latency-ms", "took", "--y-proba", "score", "--y-pred", "label",
    "--id", "order", "--drop", "note", "--project", "p", "--model", "m",
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_rows_of_csv(make_sidecar, tmp_path, way):
    sidecar = make_sidecar().start()
    file = tmp_path / "events.csv"
    file.write_text(CSV)
    done = send(sidecar, way, *CSV_OPTIONS, file)
    assert "3 events sent" in done.stdout, done.stderr
    assert "values left out: bad_latency" in done.stdout
    model = json.loads(sidecar.get("/api/v1/models"))["models"][0]
    assert model["inferences"] == 3
    names = {column["name"] for column in model["columns"]}
    assert names == {"age", "country", "y_pred", "y_proba"}
    assert model["outcomes"]["predictions"] == 2
    again = send(sidecar, way, "--format", "csv", *CSV_OPTIONS, "-", input=CSV)
    assert "standard input is sent once" in again.stderr
    assert again.stdout.splitlines()[0] == done.stdout.splitlines()[0]


def test_columns_name_the_model_too(sidecar, tmp_path):
    file = tmp_path / "events.tsv"
    file.write_text("project_id\tmodel_id\tx\np\ta\t1\np\tb\t2\np\tb\t3\n")
    assert send(sidecar, "socket", file).returncode == 0
    assert (counted(sidecar, model="a"), counted(sidecar, model="b")) == (1, 2)


def test_a_table_that_is_mended_goes_on_where_it_broke(sidecar, tmp_path):
    file = tmp_path / "events.csv"
    rows = [f"p,m,{i}" for i in range(25_000)]
    rows[24_000] += ",1"
    header = "project_id,model_id,x"
    file.write_text("\n".join([header, *rows]) + "\n")
    done = send(sidecar, "http", file)
    assert done.returncode == 2
    assert f"{file}:24002: found 4 values" in done.stderr
    rows[24_000] = "p,m,1"
    file.write_text("\n".join([header, *rows]) + "\n")
    done = send(sidecar, "http", file)
    assert "5,000 events sent, 5,000 counted" in done.stdout
    assert counted(sidecar) == 25_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--socket", "/nonexistent/s.sock"], "no such event socket"),
        (["--url", "ftp://x"], "expected such as http://"),
        (["--url", "http://127.0.0.1:1", "--wait", "0.2"], "did not answer for 0.2 s"),
        (["--socket", "x", "--url", "y"], "give one"),
        (["--url", "http://127.0.0.1:1", "--project", "p"], "name their own"),
        (["--format", "sagemaker"], "needs --project and --model"),
    ],
)
def test_what_cannot_be_sent_is_said_at_once(tmp_path, options, said):
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of(1))
    command = [sys.executable, "-m", "mlguard_sidecar.cli", "send", *options, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]


def test_a_sidecar_that_stays_away_is_waited_for_as_long_as_it_says(make_sidecar, tmp_path):
    sidecar = make_sidecar().start()
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of(5))
    sidecar.kill()
    done = send(sidecar, "socket", "--wait", "0.5", file)
    assert done.returncode == 2
    assert "waiting up to 0.5 s" in done.stderr
    assert "run the command again to go on" in done.stderr
    process = subprocess.Popen(arguments(sidecar, "socket", file))
    sidecar.start()
    assert process.wait(timeout=30) == 0
    assert counted(sidecar) == 5


def test_a_key_is_needed_where_the_sidecar_asks_for_one(make_sidecar, tmp_path):
    sidecar = make_sidecar(http={"api_keys": [{"key": "k" * 20, "projects": ["q"]}]}).start()
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of(2))
    done = send(sidecar, "http", file, env=os.environ | {"MLGUARD_API_KEY": "k" * 20})
    assert done.returncode in (0, 1)
    wrong = send(sidecar, "http", file, env=os.environ | {"MLGUARD_API_KEY": "wrong"})
    assert wrong.returncode in (0, 1, 2)


def test_progress_is_shown_on_a_terminal(sidecar, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of(2000))
    here, there = pty.openpty()
    with subprocess.Popen(
        arguments(sidecar, "http", file), stderr=there, stdout=subprocess.PIPE, text=True
    ) as process:
        os.close(there)
        seen = b""
        while b"100%" not in seen:
            seen += os.read(here, 1000)
        out, _ = process.communicate()
    os.close(here)
    assert b"sending" in seen
    assert "2,000 events sent, 2,000 counted" in out
