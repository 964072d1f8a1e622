"""`mlguard send` against a real sidecar: each line once, whoever is killed."""

from __future__ import annotations

import gzip
import json
import os
import pty
import random
import re
import subprocess
import sys
import time
from collections import Counter

import boto3
import pytest
from moto.server import ThreadedMotoServer
from support.sidecar import eventually, free_port

EVENT = {"project_id": "p", "model_id": "m", "endpoint": "predict"}
GZIP = gzip.compress(b"{}\n", mtime=0)
WAYS = ["socket", "http"]


def lines_of(n: int, first: int = 0, **more) -> str:
    events = (
        EVENT | {"latency_ms": i, "features": {"x": i % 7, "c": "ab"[i % 2]}} | more
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
    sizes, total = [1, 299, 213, 737, 1061], 0
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
    known = send(sidecar, way, copy).stdout
    assert "0 events sent" in known
    assert f"{total:,} lines were sent before, and not again; if this is another" in known
    assert "use --again" in known
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
    n, bad = 120_000, 400
    rows = lines_of(n).splitlines()
    for _ in range(bad):
        rows.insert(chance.randrange(1, n), "no json")
    file.write_text("\n".join(rows) + "\n")
    kills = 0
    for _ in range(4):
        before = counted(sidecar)
        process = subprocess.Popen(arguments(sidecar, way, file), stdout=subprocess.DEVNULL)
        eventually(lambda b=before, p=process: counted(sidecar) > b or p.poll() is not None)
        time.sleep(chance.random() * 0.1)
        kills += process.poll() is None
        process.kill()
        process.wait()
        if counted(sidecar) > n / 2:
            break  # the rest is for the sidecar's own deaths
    assert kills
    process = subprocess.Popen(arguments(sidecar, way, file), stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        before = counted(sidecar)
        eventually(lambda b=before: counted(sidecar) > b or process.poll() is not None)
        sidecar.kill()
        sidecar.start()
    out, _ = process.communicate(timeout=60)
    assert counted(sidecar) == n
    sent, accepted, before = (
        int(text.replace(",", "")) for text in re.findall(r"[\d,]*\d", out)[:3]
    )
    assert sent + before == n + bad
    assert 0 < sent - accepted <= bad
    if way == "http":
        assert f"{sent - accepted} refused: bad_json" in out
        assert sidecar.value("mlguard_sidecar_events_rejected_total") == bad
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
    "no json", "[1]", "12", '{"project_id": "p"', "}",
    '{"y_pred":[1]},"model_id":"m","project_id":"p"',
    '{"project_id": "p", "model_id": "m", "latency_ms": NaN, "features": {"x": Infinity}}',
    '{"project_id": "p", "model_id": "m", "latency_ms": 1, "features": {"x": "\\ud800"}}',
]  # fmt: skip


REJECTED = "mlguard_sidecar_events_rejected_total"
NO_JSON = (REJECTED, (("reason", "bad_json"),))
COUNTS = (
    "mlguard_inferences_total", "mlguard_feature_", "mlguard_outcomes",
    "mlguard_sidecar_invalid_values_total", REJECTED,
)  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_both_ways_count_the_same(make_sidecar, tmp_path, seed):
    chance = random.Random(seed)
    event = EVENT | {"timestamp": time.time() - 120}  # all in one minute
    rows = [json.dumps(event | odd) for odd in ODD for _ in range(3)]
    rows += lines_of(200, **event).splitlines()
    rows += lines_of(50, **event | {"model_id": "other"}).splitlines()
    rows += [
        text.replace('"latency_ms"', f'"timestamp": {event["timestamp"]}, "y_pred"') for text in RAW
    ]
    chance.shuffle(rows)
    raw = "\n".join([json.dumps(event | ODD[2]), *rows]).encode() + b"\n"
    own = json.dumps(event).encode()
    raw += own[:-1] + b', "features": {"x": "\xff\xfe"}}\n\n' + own
    file = tmp_path / "events.ndjson"
    file.write_bytes(raw)
    figures, words = [], []
    for way in WAYS:
        sidecar = make_sidecar().start()
        done = send(sidecar, way, file)
        assert done.returncode == 1, done.stderr
        words.append(done.stdout.splitlines()[0])
        sums = Counter()
        for (name, labels), value in sidecar.metrics().items():
            # how many rows lack a new feature depends on the commits before it
            is_new = dict(labels).get("feature", "").startswith("f") and name.endswith("_ratio")
            if name.startswith(COUNTS) and not is_new:
                sums[name, tuple(label for label in labels if label[0] != "source")] += value
        # the socket finds the number of a line in what is no object
        sums[NO_JSON] += sums.pop((REJECTED, (("reason", "not_an_object"),)))
        figures.append(sums)
    assert figures[0] == pytest.approx(figures[1])
    assert words[0] == words[1]
    refused = int(words[0].split()[0].replace(",", "")) - int(words[0].split()[3].replace(",", ""))
    assert refused == sum(n for (name, _), n in figures[0].items() if name == REJECTED)


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
@pytest.mark.parametrize("part", ["p,m,4", "p,m", 'p,m,"4\n', 'p,m,"4\n5'])
def test_an_unfinished_last_row_waits_until_it_is_written(sidecar, tmp_path, way, part):
    file = tmp_path / "events.csv"
    rows = "project_id,model_id,x\np,m,1\np,m,2\n"
    file.write_text(rows + part)
    done = send(sidecar, way, file)
    if part.endswith("\n"):
        assert f"{file}:4: a quote is not closed" in done.stderr
    else:
        assert f"refused: incomplete_line: {file}:4: the last row has no line feed" in done.stdout
        assert done.returncode == 1
        assert counted(sidecar) == 2
    file.write_text(rows + 'p,m,"4\n5"\np,m,3\n')
    done = send(sidecar, way, file)
    assert done.returncode == 0
    assert counted(sidecar) == 4


def test_the_last_row_of_the_standard_input_is_complete(sidecar):
    text = "project_id,model_id,x\np,m,1\np,m,2"
    done = send(sidecar, "socket", "--format", "csv", "-", input=text)
    assert "2 events sent, 2 counted" in done.stdout


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
    assert names == {"age", "country"}
    assert model["windows"][2]["prediction_ratios"] == {"0": 0.5, "1": 0.5}
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
        (["--socket", "/dev/null"], "not a socket"),
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


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b'\n [{"project_id": "p"}]', "a JSON array, expected one event a line"),
        ("a.ndjson.gz", GZIP, "compressed with gzip; gunzip it first"),
        ("a.csv.gz", GZIP, "compressed with gzip; gunzip it first"),
        ("a.csv", GZIP, "compressed with gzip; gunzip it first"),
    ],
)
def test_files_of_other_forms_are_named(tmp_path, name, content, said):
    file = tmp_path / name
    file.write_bytes(content)
    command = [sys.executable, "-m", "mlguard_sidecar.cli", "send", "--socket", "x", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert f"{file}: {said}" in done.stderr.splitlines()[-1]


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


def test_a_key_limits_what_is_counted(make_sidecar, tmp_path):
    keys = [{"key": "k" * 20, "projects": ["q"]}]
    sidecar = make_sidecar(listen=f"127.0.0.2:{free_port()}", http={"api_keys": keys}).start()
    file = tmp_path / "events.ndjson"
    file.write_text(lines_of(2) + lines_of(3, project_id="q"))
    done = send(sidecar, "http", file, env=os.environ | {"MLGUARD_API_KEY": "k" * 20})
    assert done.returncode == 1
    assert "5 events sent, 3 counted" in done.stdout
    assert "2 refused: forbidden_project" in done.stdout
    wrong = send(sidecar, "http", file, env=os.environ | {"MLGUARD_API_KEY": "wrong"})
    assert wrong.returncode == 2
    assert "set MLGUARD_API_KEY" in wrong.stderr


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


def captured(i: int) -> str:
    def part(data: str) -> dict[str, str]:
        return {"observedContentType": "text/csv", "data": data, "encoding": "CSV"}

    return json.dumps(
        {
            "captureData": {
                "endpointInput": part(f"{i},CA"),
                "endpointOutput": part(f"0.{i + 1}"),
            },
            "eventMetadata": {"eventId": f"e{i}", "inferenceTime": "2026-11-20T00:00:00Z"},
            "eventVersion": "0",
        }
    )


CAPTURE_OPTIONS = (
    "--format", "sagemaker", "--project", "p", "--model", "m", "--feature-names", "age,country",
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_folder_of_data_capture_that_grows(sidecar, tmp_path, way):
    for name in ("AllTraffic/2026/11/20/00/a.jsonl", "AllTraffic/2026/11/20/01/b.jsonl"):
        file = tmp_path / "capture" / name
        file.parent.mkdir(parents=True)
        file.write_text("".join(captured(i) + "\n" for i in range(5)) + name + "\n")
    done = send(sidecar, way, *CAPTURE_OPTIONS, tmp_path / "capture")
    assert done.returncode == 1
    assert "sent as y_proba" in done.stderr
    assert "2 refused: bad_capture" in done.stdout
    # what both files have in common is one file that was sent twice
    assert counted(sidecar) == 5
    (tmp_path / "capture/AllTraffic/2026/11/20/00/c.jsonl").write_text(captured(7) + "\n")
    assert "1 events sent" not in done.stdout
    send(sidecar, way, *CAPTURE_OPTIONS, tmp_path / "capture")
    assert counted(sidecar) == 6
    model = json.loads(sidecar.get("/api/v1/models"))["models"][0]
    assert model["outcomes"]["predictions"] == 6


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    """A bucket of a fake S3 that boto3 finds from a child."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="capture")
    yield lambda key, text: client.put_object(Bucket="capture", Key=key, Body=text.encode())
    server.stop()


def test_data_capture_at_s3(sidecar, bucket):
    bucket("churn/AllTraffic/2026/11/20/00/a.jsonl", captured(0) + "\n" + captured(1) + "\n")
    bucket("churn/AllTraffic/2026/11/20/01/b.jsonl", captured(2) + "\n")
    bucket("churn-2/a.jsonl", captured(3) + "\n")
    bucket("churn/readme.txt", "no")
    for sent in (3, 0):
        done = send(sidecar, "http", *CAPTURE_OPTIONS, "s3://capture/churn")
        assert done.returncode == 0, done.stderr
        assert f"{sent} events sent, {sent} counted" in done.stdout
    assert counted(sidecar) == 3
    done = send(sidecar, "http", *CAPTURE_OPTIONS, "s3://absent/churn")
    assert done.returncode == 2
    assert "s3://absent/churn: An error occurred (NoSuchBucket)" in done.stderr
    assert "no files with a name" in send(
        sidecar, "http", *CAPTURE_OPTIONS, "s3://capture/none"
    ).stderr  # fmt: skip
