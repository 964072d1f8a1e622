"""`make bench`: what the data path costs, as ratios to its cheapest conceivable form."""

from __future__ import annotations

import gzip
import http.client
import json
import random
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections import deque
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
from prometheus_client import Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from support.sidecar import Sidecar, cpu_seconds, eventually, resident_mebibytes, total

from mlguard import Guard
from mlguard_common.exposition import text_format

FEATURES = ("age", "balance", "tenure", "products", "salary", "score", "country", "segment")


class Event(msgspec.Struct):
    """The seed's event, typed: what decoding alone must at least do."""

    project_id: str
    model_id: str
    endpoint: str
    timestamp: str
    latency_ms: float
    y_pred: int
    y_proba: float
    features: dict[str, float | str]


class Columns(msgspec.Struct):
    timestamp: list[float]
    latency_ms: list[float]
    y_pred: list[int]
    y_proba: list[float]
    features: dict[str, list[float | str]]


class BatchLine(msgspec.Struct):
    project_id: str
    model_id: str
    endpoint: str
    seq: int
    columns: Columns


def features(rng: random.Random) -> dict[str, float | str]:
    return {
        "age": rng.randint(18, 90),
        "balance": round(rng.lognormvariate(7, 1), 2),
        "tenure": rng.randint(0, 10),
        "products": rng.choice(["one", "two", "three", "four"]),
        "salary": round(rng.uniform(10_000, 200_000), 2),
        "score": round(rng.gauss(650, 90), 1),
        "country": rng.choice(["CA", "US", "DE", "FR"]),
        "segment": rng.choice("abcdefgh"),
    }


def ndjson(count: int) -> bytes:
    rng = random.Random(1)
    now = time.time()
    lines = []
    for i in range(count):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - (count - i) / 50_000))
        lines.append(
            json.dumps(
                {
                    "project_id": "proj_123",
                    "model_id": "churn_v1",
                    "endpoint": "predict",
                    "timestamp": stamp,
                    "latency_ms": round(rng.expovariate(1 / 40), 2),
                    "y_pred": rng.randint(0, 1),
                    "y_proba": round(rng.random(), 4),
                    "features": features(rng),
                }
            )
        )
    return "\n".join(lines).encode() + b"\n"


def batches(count: int, rows: int = 1000) -> list[bytes]:
    rng = random.Random(2)
    made = []
    for seq in range(1, count + 1):
        sampled = [features(rng) for _ in range(rows)]
        line = {
            "project_id": "proj_123",
            "model_id": "churn_v1",
            "endpoint": "predict",
            "seq": seq,
            "columns": {
                "timestamp": [time.time()] * rows,
                "latency_ms": [round(rng.expovariate(1 / 40), 2) for _ in range(rows)],
                "y_pred": [rng.randint(0, 1) for _ in range(rows)],
                "y_proba": [round(rng.random(), 4) for _ in range(rows)],
                "features": {name: [s[name] for s in sampled] for name in FEATURES},
            },
        }
        made.append(json.dumps(line, separators=(",", ":")).encode() + b"\n")
    return made


def decode_alone(decode, count: int, repeat: int = 3) -> float:
    """Events per CPU second, the best of some runs."""
    best = 0.0
    for _ in range(repeat):
        begin = time.process_time()
        decode()
        best = max(best, count / (time.process_time() - begin))
    return best


def bench_ndjson(folder: Path, count: int = 300_000) -> list[tuple[str, str, str]]:
    data = ndjson(count)
    decoder = msgspec.json.Decoder(Event)
    chunks = [data[i : i + 262_144] for i in range(0, len(data), 262_144)]
    blocks, rest = [], b""
    for chunk in chunks:
        whole, _, rest_of = (rest + chunk).rpartition(b"\n")
        blocks.append(whole)
        rest = rest_of
    alone = decode_alone(lambda: deque(map(decoder.decode_lines, blocks), maxlen=0), count)
    with Sidecar(folder) as sidecar, sidecar.connection() as client:
        begin, started = cpu_seconds(sidecar.process.pid), time.perf_counter()
        client.socket.sendall(data)
        # each look is a scrape, which costs the sidecar too
        eventually(lambda: committed(sidecar) == count, 60, every=0.25)
        wall = time.perf_counter() - started
        rate = count / (cpu_seconds(sidecar.process.pid) - begin)
    return [
        ("NDJSON, decoding alone", f"{alone:,.0f} events/CPU s", ""),
        (
            "NDJSON, sidecar, committed",
            f"{rate:,.0f} events/CPU s",
            f"{rate / alone:.2f} (goal 0.5)",
        ),
        ("NDJSON, sidecar, wall clock", f"{count / wall:,.0f} events/s", ""),
    ]


def bench_batches(folder: Path, count: int = 600) -> list[tuple[str, str, str]]:
    lines = batches(count)
    decoder = msgspec.json.Decoder(BatchLine)
    rows = count * 1000
    alone = decode_alone(lambda: deque(map(decoder.decode, lines), maxlen=0), rows)
    with Sidecar(folder) as sidecar, sidecar.connection() as client:
        client.hello("bench")
        begin, started = cpu_seconds(sidecar.process.pid), time.perf_counter()
        threading.Thread(target=lambda: [client.socket.sendall(line) for line in lines]).start()
        client.wait_for_ack(count)
        wall = time.perf_counter() - started
        rate = rows / (cpu_seconds(sidecar.process.pid) - begin)
        assert committed(sidecar) == rows
    return [
        ("batches, decoding alone", f"{alone:,.0f} events/CPU s", ""),
        (
            "batches, sidecar, acknowledged",
            f"{rate:,.0f} events/CPU s",
            f"{rate / alone:.2f} (goal 0.35)",
        ),
        ("batches, sidecar, wall clock", f"{rows / wall:,.0f} events/s", ""),
    ]


def bench_http(folder: Path, count: int = 100_000) -> list[tuple[str, str, str]]:
    """The same events over HTTP in parts, and singly, beside those over the socket."""
    data = ndjson(count)
    lines = data.splitlines(keepends=True)
    parts = [b"".join(lines[i : i + 5000]) for i in range(0, count, 5000)]
    with Sidecar(folder / "socket") as sidecar, sidecar.connection() as client:
        begin = cpu_seconds(sidecar.process.pid)
        client.socket.sendall(data)
        eventually(lambda: committed(sidecar) == count, 60, every=0.25)
        socket_rate = count / (cpu_seconds(sidecar.process.pid) - begin)
    rates = {}
    columns = [line.rstrip(b"\n") for line in batches(count // 1000)]
    bodies = {
        "NDJSON, 5,000 a request": ("application/x-ndjson", {}, parts),
        "arrays, 5,000 a request": (
            "application/json",
            {},
            [b"[" + part.rstrip().replace(b"\n", b",") + b"]" for part in parts],
        ),
        "NDJSON, gzip, by a key": (
            "application/x-ndjson",
            {"Content-Encoding": "gzip", "Idempotency-Key": "part"},
            [gzip.compress(part, 5) for part in parts],
        ),
        "batches of 1,000": ("application/json", {}, columns),
    }
    with Sidecar(folder / "http") as sidecar:
        for name, (kind, headers, given) in bodies.items():
            begin = cpu_seconds(sidecar.process.pid)
            connection = http.client.HTTPConnection(sidecar.config["listen"])
            for i, body in enumerate(given):
                more = {k: f"{v} {i}" if k == "Idempotency-Key" else v for k, v in headers.items()}
                post(connection, body, {"Content-Type": kind, **more})
            connection.close()
            rates[name] = count / (cpu_seconds(sidecar.process.pid) - begin)
        assert committed(sidecar) == len(bodies) * count
        singles, times = lines[:2000], []
        begin = cpu_seconds(sidecar.process.pid)
        connection = http.client.HTTPConnection(sidecar.config["listen"])
        for line in singles:
            started = time.perf_counter()
            post(connection, line, {"Content-Type": "application/json"})
            times.append(time.perf_counter() - started)
        connection.close()
        single = len(singles) / (cpu_seconds(sidecar.process.pid) - begin)
    return [
        ("HTTP, the same lines on the socket", f"{socket_rate:,.0f} events/CPU s", ""),
        *(
            (f"HTTP, {name}", f"{rate:,.0f} events/CPU s", f"{rate / socket_rate:.2f}")
            for name, rate in rates.items()
        ),
        ("HTTP, one a request", f"{single:,.0f} events/CPU s", ""),
        (
            "HTTP, one after the other, p50 / p99",
            f"{quantile(times, 0.5):.1f} / {quantile(times, 0.99):.1f} ms",
            "each stored when it is answered",
        ),
    ]


def post(connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> None:
    connection.request("POST", "/api/v1/events", body, headers)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 200, text


def committed(sidecar: Sidecar) -> float:
    return sidecar.value("mlguard_sidecar_events_committed_total")


def bench_log(folder: Path, count: int = 100_000) -> list[tuple[str, str, str]]:
    histogram = Histogram("bench_seconds", "For comparison.", registry=None)
    sampled = features(random.Random(3))
    observe_us, log_us = [], []
    with Sidecar(folder) as sidecar:
        guard = Guard(project="p", model="m", socket=str(sidecar.socket_path), queue_size=200_000)
        for _ in range(3):
            begin = time.thread_time()
            for _ in range(count):
                histogram.observe(0.042)
            observe_us.append((time.thread_time() - begin) / count * 1e6)
            begin = time.thread_time()
            for _ in range(count):
                guard.log(features=sampled, y_pred=1, y_proba=0.81, latency_ms=42.0)
            log_us.append((time.thread_time() - begin) / count * 1e6)
            guard.flush(30)
        begin = time.process_time()
        for _ in range(count):
            guard.log(features=sampled, y_pred=1, y_proba=0.81, latency_ms=42.0)
        guard.flush(30)
        everything = (time.process_time() - begin) / count * 1e6
        stats = guard.stats()
        guard.close(5)
    observe, log = statistics.median(observe_us), statistics.median(log_us)
    return [
        ("prometheus_client observe", f"{observe:.2f} us", ""),
        ("guard.log, its caller", f"{log:.2f} us", f"{log / observe:.2f} (goal 2)"),
        ("guard.log, all threads", f"{everything:.2f} us", "(goal 6 us)"),
        ("guard.log, dropped", f"{stats.dropped} of {4 * count}", ""),
    ]


def bench_memory(folder: Path, seconds: float = 15.0) -> list[tuple[str, str, str]]:
    """50 features, the default windows, and as much as the sidecar takes."""
    rng = random.Random(4)
    rows = 500
    config = {"windows": {"traffic": ["5m", "1h", "24h"], "features": ["5m", "1h", "24h"]}}
    with Sidecar(folder, config) as sidecar, sidecar.connection() as client:
        idle = resident_mebibytes(sidecar.process.pid)
        client.hello("bench")
        columns = {
            "latency_ms": [rng.expovariate(1 / 40) for _ in range(rows)],
            "y_pred": [rng.randint(0, 1) for _ in range(rows)],
            "y_proba": [rng.random() for _ in range(rows)],
            "features": {f"f{i}": [rng.gauss(i, 1) for _ in range(rows)] for i in range(50)},
        }
        line = {"project_id": "p", "model_id": "m", "columns": columns, "seq": 0}
        body = json.dumps(line).encode().replace(b'"seq": 0', b'"seq": %d')
        times: list[float] = []
        done = threading.Event()

        def scrape() -> None:
            while not done.is_set():
                begin = time.perf_counter()
                sidecar.get("/metrics")
                times.append(time.perf_counter() - begin)
                done.wait(0.2)

        scraper = threading.Thread(target=scrape)
        scraper.start()
        begin, cpu, seq, peak = time.perf_counter(), cpu_seconds(sidecar.process.pid), 0, 0.0
        while time.perf_counter() - begin < seconds:
            for _ in range(20):
                seq += 1
                client.send(body % seq)
            client.wait_for_ack(seq)
            peak = max(peak, resident_mebibytes(sidecar.process.pid)["Rss"])
        wall = time.perf_counter() - begin
        cpu = cpu_seconds(sidecar.process.pid) - cpu
        done.set()
        scraper.join()
        after = resident_mebibytes(sidecar.process.pid)
        begin_idle = cpu_seconds(sidecar.process.pid)
        time.sleep(15)  # in which the rules are evaluated once
        idle_cpu = (cpu_seconds(sidecar.process.pid) - begin_idle) / 15
    return [
        ("memory, idle", f"{idle['Rss']:.0f} MiB resident, {idle['Anonymous']:.0f} anonymous", ""),
        (
            "memory, 50 features, full load",
            f"{peak:.0f} MiB resident, {after['Anonymous']:.0f} anonymous",
            "(goal 80 MiB)",
        ),
        (
            "throughput, 50 features, with scrapes",
            f"{seq * rows / wall:,.0f} events/s",
            f"{cpu / wall:.0%} of a core",
        ),
        (
            "/metrics under that load",
            f"p50 {quantile(times, 0.5):.0f} ms, p99 {quantile(times, 0.99):.0f} ms",
            f"{len(times)} scrapes",
        ),
        ("idle CPU afterwards", f"{idle_cpu:.1%} of a core", "(goal 0.5 %)"),
    ]


def quantile(seconds: list[float], level: float) -> float:
    return sorted(seconds)[min(int(level * len(seconds)), len(seconds) - 1)] * 1000


def bench_scrape(folder: Path) -> list[tuple[str, str, str]]:
    """/metrics with about 5,000 series, under full ingestion of a small model and without."""
    rng = random.Random(5)
    data = ndjson(40_000)
    with Sidecar(folder) as sidecar, sidecar.connection() as client:
        client.hello("bench")
        rows, seq = 1000, 0
        for model in range(3):
            columns = {
                "features": {f"f{i}": [rng.gauss(i, 1) for _ in range(rows)] for i in range(35)}
            }
            for _ in range(2):
                seq += 1
                client.send(
                    {"project_id": "p", "model_id": f"m{model}", "columns": columns, "seq": seq}
                )
        client.wait_for_ack(seq)
        series = len(sidecar.metrics())
        rules = evaluation_milliseconds(sidecar)
        quiet = scrape_times(sidecar, 40)
        done = threading.Event()
        sent = [0]

        def load() -> None:
            while not done.is_set():
                client.socket.sendall(data)
                sent[0] += 40_000

        loader = threading.Thread(target=load)
        loader.start()
        begin, before = time.perf_counter(), committed(sidecar)
        busy = scrape_times(sidecar, 60)
        rate = (committed(sidecar) - before) / (time.perf_counter() - begin)
        done.set()
        loader.join()
        eventually(lambda: committed(sidecar) == sent[0] + seq * rows, 60)
    return [
        (
            f"/metrics, {series:,} series, quiet",
            f"p50 {quantile(quiet, 0.5):.0f} ms, p99 {quantile(quiet, 0.99):.0f} ms",
            "(goal 50 ms)",
        ),
        (
            f"/metrics, {series:,} series, full load",
            f"p50 {quantile(busy, 0.5):.0f} ms, p99 {quantile(busy, 0.99):.0f} ms",
            "(goal 50 ms)",
        ),
        ("ingestion meanwhile", f"{rate:,.0f} events/s", ""),
        (
            f"the bundled rules, {series:,} series",
            f"{rules:.0f} ms each time",
            f"{rules / 15_000:.2%} of a core",
        ),
    ]


def evaluation_milliseconds(sidecar: Sidecar) -> float:
    """What one evaluation of all rules takes, the collecting of the figures included."""
    count, seconds = "mlguard_rule_evaluations_total", "mlguard_rule_evaluation_seconds_total"
    before = sidecar.metrics()
    begun = total(before, count)
    after = eventually(lambda: (m := sidecar.metrics()) and total(m, count) > begun and m, 40)
    evaluations = total(after, count) - begun
    return 1000 * (total(after, seconds) - total(before, seconds)) / evaluations


def scrape_times(sidecar: Sidecar, count: int) -> list[float]:
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        with urllib.request.urlopen(sidecar.url + "/metrics") as answer:
            answer.read()
        times.append(time.perf_counter() - begin)
        time.sleep(0.05)
    return times


def bench_rates(folder: Path, seconds: float = 30.0) -> list[tuple[str, str, str]]:
    """What a sidecar costs at the rates that most pods have, fed by the SDK."""
    found = []
    rng = random.Random(8)
    rows = [features(rng) for _ in range(1000)]
    for rate, goal in ((1, 0.3), (10, 0.8), (100, 1.0), (1000, 2.5)):
        with Sidecar(folder / str(rate)) as sidecar:
            guard = Guard(project="p", model="m", socket=str(sidecar.socket_path))
            for row in rows:  # so that the baseline is there
                guard.log(features=row, y_pred=1, y_proba=0.8, latency_ms=40.0)
            guard.flush(10)
            time.sleep(2)
            begin, cpu = time.perf_counter(), cpu_seconds(sidecar.process.pid)
            for i in range(int(seconds * rate)):
                guard.log(features=rows[i % 1000], y_pred=i % 2, y_proba=0.8, latency_ms=40.0)
                time.sleep(max(0.0, begin + (i + 1) / rate - time.perf_counter()))
            used = cpu_seconds(sidecar.process.pid) - cpu
            wall = time.perf_counter() - begin
            guard.close(5)
        found.append(
            (f"CPU at {rate:,} events/s", f"{used / wall:.2%} of a core", f"(goal {goal} %)")
        )
    return found


def history(client, models: int, rows_a_minute: int = 2) -> int:
    """Send a day of 50 features for each of some models; the last batch's number."""
    rng = random.Random(9)
    now = time.time()
    client.hello("history")
    seq = 0
    for model in range(models):
        for hours in range(24, 0, -4):
            rows = 240 * rows_a_minute
            stamps = [now - 3600 * hours + 14_400 * i / rows for i in range(rows)]
            columns = {
                "timestamp": stamps,
                "latency_ms": [rng.expovariate(1 / 40) for _ in range(rows)],
                "y_pred": [rng.randint(0, 1) for _ in range(rows)],
                "y_proba": [rng.random() for _ in range(rows)],
                "features": {f"f{i}": [rng.gauss(i, 1) for _ in range(rows)] for i in range(50)},
            }
            seq += 1
            client.send(
                {"project_id": "p", "model_id": f"m{model}", "columns": columns, "seq": seq}
            )
    return seq


def bench_history(folder: Path, seconds: float = 61.0) -> list[tuple[str, str, str]]:
    """Ten models of 50 features with a day of panes: idle, scraped, and started again."""
    with Sidecar(folder) as sidecar:
        with sidecar.connection() as client:
            client.wait_for_ack(history(client, 10))
        time.sleep(65)  # in which the windows have moved once
        begin = cpu_seconds(sidecar.process.pid)
        time.sleep(seconds)
        idle = (cpu_seconds(sidecar.process.pid) - begin) / seconds
        before = resident_mebibytes(sidecar.process.pid)["Rss"]
        series = len(sidecar.metrics())
        scrapes = scrape_times(sidecar, 20)
        waits = acknowledgements_while_scraped(sidecar)
    begin = time.perf_counter()
    sidecar.start()
    ready = time.perf_counter() - begin
    after = resident_mebibytes(sidecar.process.pid)["Rss"]
    sidecar.stop()
    return [
        ("idle, 10 models of 50 features, a day", f"{idle:.2%} of a core", "(goal 0.5 %)"),
        ("memory with that history", f"{before:.0f} MiB, {after:.0f} restarted", "(goal 90 MiB)"),
        ("restart until ready", f"{ready:.2f} s", "(goal 1.5 s)"),
        (
            f"/metrics, {series:,} series, quiet",
            f"p50 {quantile(scrapes, 0.5):.0f} ms, p99 {quantile(scrapes, 0.99):.0f} ms",
            "(goal 150 ms)",
        ),
        (
            "acknowledgement, at once full, while scraped",
            f"p50 {quantile(waits, 0.5):.0f} ms, longest {quantile(waits, 1):.0f} ms",
            "(goal 50 ms more than not scraped)",
        ),
    ]


def acknowledgements_while_scraped(sidecar: Sidecar) -> list[float]:
    """How long batches that are committed at once wait, with scrapes and without: differences."""
    found: dict[bool, list[float]] = {False: [], True: []}
    with sidecar.connection() as client:
        seq = client.hello("acknowledged")
        for scraped in (False, True):
            done = threading.Event()

            def scrape(done=done) -> None:
                while not done.is_set():
                    sidecar.get("/metrics")

            scraper = threading.Thread(target=scrape)
            if scraped:
                scraper.start()
            for _ in range(30):
                seq += 1
                columns = {"latency_ms": [1.0] * 300}
                line = {"project_id": "p", "model_id": "m0", "columns": columns, "seq": seq}
                time.sleep(0.3)  # longer than what is held back under load
                begin = time.perf_counter()
                client.send(line)
                client.wait_for_ack(seq)
                found[scraped].append(time.perf_counter() - begin)
            done.set()
            if scraped:
                scraper.join()
    usual = statistics.median(found[False])
    return [max(wait - usual, 0.0) for wait in found[True]]


def bench_spread(folder: Path, rows: int = 14_400) -> list[tuple[str, str, str]]:
    """CPU of events that are spread over a day, against the same within one minute."""
    rng = random.Random(10)
    values = {f"f{i}": [rng.gauss(i, 1) for _ in range(rows)] for i in range(50)}
    used = {}
    for name, width in (("a minute", 50.0), ("a day", 86_000.0)):
        with Sidecar(folder / name) as sidecar, sidecar.connection() as client:
            client.hello("spread")
            begin, now, seq = cpu_seconds(sidecar.process.pid), time.time(), 0
            for first in range(0, rows, 600):
                part = slice(first, first + 600)
                columns = {
                    "timestamp": [now - width * (1 - i / rows) for i in range(rows)][part],
                    "latency_ms": [40.0] * 600,
                    "features": {name: column[part] for name, column in values.items()},
                }
                seq += 1
                client.send({"project_id": "p", "model_id": "m", "columns": columns, "seq": seq})
            client.wait_for_ack(seq)
            used[name] = cpu_seconds(sidecar.process.pid) - begin
    minute, day = used["a minute"], used["a day"]
    return [
        (
            f"{rows:,} events of 50 features over a day",
            f"{day:.2f} s, in a minute {minute:.2f} s",
            f"{day / minute:.1f} times (goal 3)",
        )
    ]


def bench_text(_: Path) -> list[tuple[str, str, str]]:
    """The text format as written here, against prometheus_client's writer."""
    family = Metric("mlguard_feature_mean", "Mean.", "gauge")
    for model in range(10):
        for feature in range(50):
            for window in ("1h", "24h"):
                labels = {
                    "project": "p",
                    "model": f"m{model}",
                    "model_endpoint": "predict",
                    "feature": f"f{feature}",
                    "window": window,
                }
                family.add_sample("mlguard_feature_mean", labels, feature / 3)
    registry = SimpleNamespace(collect=lambda: [family])
    took = {"ours": [], "library": []}
    for _ in range(20):
        begin = time.process_time()
        ours = text_format(family).encode()
        middle = time.process_time()
        library = generate_latest(registry)
        took["ours"].append(middle - begin)
        took["library"].append(time.process_time() - middle)
        assert ours == library
    ours, library = (statistics.median(took[name]) * 1000 for name in ("ours", "library"))
    return [
        (
            "text of 1,000 series, again",
            f"{ours:.1f} ms, prometheus_client {library:.1f} ms",
            f"{library / ours:.1f} times",
        )
    ]


def bench_ready(folder: Path) -> list[tuple[str, str, str]]:
    begin = time.perf_counter()
    with Sidecar(folder):
        ready = time.perf_counter() - begin
    return [("start until ready", f"{ready:.2f} s", "(goal 1 s)")]


def bench_soak(folder: Path, seconds: float = 600.0) -> list[tuple[str, str, str]]:
    """Memory over ten minutes of load with panes of a second; only where it is named."""
    rng = random.Random(6)
    rows = 500
    config = {"pane": "1s", "windows": {"traffic": ["5s", "1m"], "features": ["1m", "5m"]}}
    columns = {
        "latency_ms": [rng.expovariate(1 / 40) for _ in range(rows)],
        "y_pred": [rng.randint(0, 1) for _ in range(rows)],
        "features": {f"f{i}": [rng.gauss(i, 1) for _ in range(rows)] for i in range(50)},
    }
    line = {"project_id": "p", "model_id": "m", "columns": columns, "seq": 0}
    body = json.dumps(line).encode().replace(b'"seq": 0', b'"seq": %d')
    found = []
    with Sidecar(folder, config) as sidecar, sidecar.connection() as client:
        client.hello("soak")
        begin, seq = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            seq += 1
            client.send(body % seq)
            client.wait_for_ack(seq)
            minute = int((time.perf_counter() - begin) // 60)
            if minute == len(found):
                sidecar.get("/metrics")
                found.append(resident_mebibytes(sidecar.process.pid)["Rss"])
        assert committed(sidecar) == seq * rows
    told = " ".join(f"{mebibytes:.0f}" for mebibytes in found)
    return [("memory, minute by minute", f"{told} MiB", "")]


def main() -> None:
    chosen = sys.argv[1:]
    benches = [
        bench_ndjson,
        bench_batches,
        bench_http,
        bench_log,
        bench_memory,
        bench_scrape,
        bench_text,
        bench_ready,
        bench_rates,
        bench_history,
        bench_spread,
    ]
    if "soak" in chosen:
        benches.append(bench_soak)
    table = []
    with tempfile.TemporaryDirectory(prefix="mlguard-bench-") as folder:
        for bench in benches:
            if not chosen or any(word in bench.__name__ for word in chosen):
                table += bench(Path(folder) / bench.__name__)
    width = max(len(row[0]) for row in table)
    middle = max(len(row[1]) for row in table)
    for name, figure, ratio in table:
        print(f"{name:<{width}}  {figure:>{middle}}  {ratio}")


if __name__ == "__main__":
    main()
