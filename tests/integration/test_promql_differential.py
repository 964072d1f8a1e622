"""Random expressions over random data have the results that a real Prometheus gives."""

from __future__ import annotations

import http.client
import json
import math
import random
import subprocess
import threading
import urllib.parse
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.promql import exposition, steps
from support.promql_expressions import GRAMMAR, Generator
from support.sidecar import eventually, free_port

from mlguard_rules.promql import EvaluationError, History, ResultCache, compile_expression

SEED, STEPS, EXPRESSIONS, TIMES = 42, 22, 4000, 3


@pytest.fixture
def exporter():
    """Serves the next snapshot on every scrape, and fails when there is none left."""
    left = [exposition(snapshot) for snapshot in reversed(steps(SEED, STEPS))]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = left.pop() if left else b""
            self.send_response(200 if body else 503)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Prometheus:
    """One that scrapes an address every second, and drops the labels of the target."""

    def __init__(self, folder, target: str) -> None:
        self.port = free_port()
        self.threads = threading.local()
        self.connections: list[http.client.HTTPConnection] = []
        config = folder / "prometheus.yml"
        scrape = {
            "job_name": "random",
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "honor_labels": True,
            "static_configs": [{"targets": [target]}],
            "metric_relabel_configs": [{"action": "labeldrop", "regex": "job|instance"}],
        }
        config.write_text(json.dumps({"scrape_configs": [scrape]}))
        with (folder / "prometheus.log").open("w") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log,
                stderr=log,
            )

    def query(self, text: str, at: float | None = None):
        """The data of the answer, None where the query fails."""
        fields = {"query": text} if at is None else {"query": text, "time": f"{at:.3f}"}
        connection = getattr(self.threads, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            self.threads.connection = connection
            self.connections.append(connection)
        connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode(fields))
        answer = json.load(connection.getresponse())
        if answer["status"] == "success":
            return answer["data"]
        assert answer["errorType"] == "execution", (text, answer)
        return None

    def result(self, text: str, at: float):
        """What our evaluator should give, None where the query fails."""
        data = self.query(text, at)
        if data is None:
            return None
        if data["resultType"] == "scalar":
            return float(data["result"][1])
        return {
            tuple(sorted(series["metric"].items())): float(series["value"][1])
            for series in data["result"]
        }

    def scrapes(self) -> list[tuple[float, int | None]]:
        """When it scraped, and the number of the snapshot that it got, None if it failed."""
        try:
            up, step = self.query("up[1h]")["result"], self.query("step[1h]")["result"]
        except OSError:
            self.threads.connection.close()  # which makes it fit for another request
            return []
        if not up or not step:
            return []
        taken = {at: int(value) for at, value in step[0]["values"]}
        return [(at, taken.get(at)) for at, _ in up[0]["values"]]


@pytest.fixture
def prometheus(tmp_path, exporter):
    running = Prometheus(tmp_path, exporter)
    yield running
    for connection in running.connections:
        connection.close()
    running.process.terminate()
    running.process.wait(timeout=20)


def same(ours, theirs) -> bool:
    """Whether two results are equal, but for the last digits."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, dict) or isinstance(theirs, dict) or ours is None or theirs is None:
        return ours is theirs
    if math.isnan(ours) or math.isnan(theirs):
        return math.isnan(ours) and math.isnan(theirs)
    return math.isclose(ours, theirs, rel_tol=1e-9)


@pytest.mark.needs("prometheus")
def test_random_expressions_have_the_results_of_prometheus(prometheus):
    generator, rng = Generator(SEED), random.Random(SEED)
    uses: dict[str, set[str]] = {}
    while len(uses) < EXPRESSIONS:
        made = generator.expression()
        uses.setdefault(made.text, made.uses)
    expressions = {text: compile_expression(text) for text in uses}
    eventually(
        lambda: any(step is None for _, step in prometheus.scrapes()[STEPS // 2 :]),
        seconds=90,
        what="the end of the snapshots",
        every=0.2,
    )

    scrapes = prometheus.scrapes()
    while scrapes[-1][1] is None and scrapes[-2][1] is None:
        scrapes.pop()
    assert len({step for _, step in scrapes}) >= STEPS - 2
    plan: list[list[tuple[str, float]]] = [[] for _ in scrapes]
    for text in expressions:
        for _ in range(TIMES):
            i = rng.randrange(4, len(scrapes)) if rng.random() < 0.95 else rng.randrange(4)
            begin, end = scrapes[i][0], scrapes[min(i + 1, len(scrapes) - 1)][0]
            between = rng.randrange(1, max(2, round((end - begin) * 1000)))
            plan[i].append((text, round(begin + rng.choice((0, 0, between)) / 1000, 3)))

    history, snapshots = History(expressions.values()), steps(SEED, STEPS)
    results = ResultCache(history)
    ours: dict[tuple[str, float], object] = {}
    for (at, step), queries in zip(scrapes, plan, strict=True):
        history.append(at, {} if step is None else snapshots[step])
        for text, when in queries:
            try:
                ours[text, when] = results.evaluate(expressions[text], when)
            except EvaluationError:
                ours[text, when] = None
    with ThreadPoolExecutor(4) as pool:
        theirs = dict(zip(ours, pool.map(lambda key: prometheus.result(*key), ours), strict=True))

    wrong = [key for key in ours if not same(ours[key], theirs[key])]
    filled = [key for key in ours if theirs[key] is not None and theirs[key] != {}]
    errors = sum(found is None for found in theirs.values())
    print(
        f"{len(expressions)} expressions, {len(ours)} comparisons, {len(filled)} not empty, "
        f"{errors} errors in Prometheus, {sum(v is None for v in ours.values())} here, "
        f"{len(wrong)} different"
    )
    report = [f"{text} at {at}: {ours[text, at]} != {theirs[text, at]}" for text, at in wrong]
    assert not wrong, "\n".join(sorted(report, key=len)[:15])
    assert len(filled) >= 0.6 * len(ours)
    counts = Counter(use for text, _ in filled for use in uses[text])
    assert not {use: counts[use] for use in GRAMMAR if counts[use] < 20}
