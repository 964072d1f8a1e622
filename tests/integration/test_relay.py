"""The relay: Alertmanager's webhook and the alerts of many sidecars, sent once."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.sidecar import eventually, free_port, limit_file_size

from mlguard_rules.alert import Alert
from mlguard_rules.notify.config import RelayConfig
from mlguard_rules.service import bundled_file
from mlguard_rules.service.forwarder import AlertForwarder

TOKEN = "s3cret-t0ken"
QUICK = {"group_wait": "1s", "group_interval": "1s"}
ZERO = "0001-01-01T00:00:00Z"
ALERT = Alert((("alertname", "Drift"),), (), 1_800_000_000.0)


def started(make_exporter, hook, **times: str):
    return make_exporter(
        relay={"token": TOKEN, "password": "p4ss"},
        rules={"enabled": False},
        notify={
            "receivers": [{"name": "hook", "url": hook.url}],
            "routes": [{"receivers": ["hook"]} | QUICK | times],
        },
    ).start()


@pytest.fixture
def exporter(make_exporter, hook):
    return started(make_exporter, hook)


def post(exporter, path: str, body: object, authorization: str = f"Bearer {TOKEN}") -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(exporter.url + path, data)
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def webhook(status="firing", starts="2026-01-01T00:00:00Z", **labels: str):
    labels = {"alertname": "Drift", "severity": "warning", "model": "m"} | labels
    ended = {"endsAt": "2026-01-01T01:00:00Z" if status == "resolved" else ZERO}
    alert = {
        "status": status,
        "labels": labels,
        "annotations": {"summary": "age has drifted"},
        "startsAt": starts,
        "generatorURL": "http://prometheus.example.org/graph",
        "fingerprint": "c0ffee",
    }
    return {
        "version": "4",
        "groupKey": '{}:{alertname="Drift"}',
        "truncatedAlerts": 3,
        "status": status,
        "receiver": "mlguard",
        "groupLabels": {"alertname": "Drift"},
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.org",
        "alerts": [alert | ended],
    }


def test_a_webhook_is_sent_once_however_often_it_comes(exporter, hook):
    for _ in range(3):
        assert post(exporter, "/api/v1/alertmanager", webhook()) == 200
    eventually(lambda: hook.got)
    exporter.stop()
    exporter.start()
    assert post(exporter, "/api/v1/alertmanager", webhook()) == 200
    assert post(exporter, "/api/v1/alertmanager", webhook("resolved")) == 200
    eventually(lambda: len(hook.got) == 2)
    assert hook.titles == ["[WARNING] Drift: m", "[RESOLVED] Drift: m"]
    assert "and 3 more" in hook.got[0][1]["message"]
    assert "http://prometheus.example.org/graph" in hook.got[0][1]["message"]


def test_what_cannot_be_stored_is_not_taken(exporter, hook):
    """A full disk: Alertmanager is asked to retry, and its next attempt is sent once."""
    wal = exporter.folder / "data/exporter.db-wal"
    limit_file_size(exporter.process.pid, wal.stat().st_size)
    posted = [{"labels": {"alertname": "Posted"}}]
    for _ in range(3):
        assert post(exporter, "/api/v1/alertmanager", webhook()) == 503
        assert post(exporter, "/api/v2/alerts", posted) == 503
    assert exporter.value("mlguard_alerting_store_errors_total") >= 6
    assert hook.got == []
    limit_file_size(exporter.process.pid, None)
    for _ in range(2):
        assert post(exporter, "/api/v1/alertmanager", webhook()) == 200
        assert post(exporter, "/api/v2/alerts", posted) == 200
    eventually(lambda: len(hook.got) == 2)
    eventually(lambda: exporter.value("mlguard_notifications_total", outcome="sent") == 2)
    assert exporter.stop() == 0
    exporter.start()
    for _ in range(3):
        assert post(exporter, "/api/v1/alertmanager", webhook()) == 200
    eventually(lambda: exporter.value("mlguard_notifications_pending") == 0)
    assert sorted(hook.titles) == ["[INFO] Posted", "[WARNING] Drift: m"]


def test_who_may_post(exporter, make_exporter):
    basic = "Basic " + base64.b64encode(b"mlguard:p4ss").decode()
    wrong = "Basic " + base64.b64encode(b"mlguard:p4sS").decode()
    for path in ("/api/v1/alertmanager", "/api/v2/alerts"):
        body = webhook() if path.endswith("manager") else []
        assert post(exporter, path, body, basic) == 200
        for refused in (wrong, "Bearer x", "", "Bearer", f"bearer {TOKEN}", "Bearer \xe9"):
            assert post(exporter, path, body, refused) == 401
    assert TOKEN not in exporter.log()
    open_one = make_exporter(rules={"enabled": False}).start()
    assert post(open_one, "/api/v2/alerts", [], "") == 200, "from this machine, without credentials"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/alertmanager", b"{"),
        ("/api/v1/alertmanager", webhook() | {"version": "3"}),
        ("/api/v1/alertmanager", webhook() | {"alerts": [{"labels": {}}]}),
        ("/api/v1/alertmanager", webhook() | {"alerts": 7}),
        ("/api/v2/alerts", b"\xff"),
        ("/api/v2/alerts", [{"labels": {"a": 3}}]),
        ("/api/v2/alerts", [{"labels": {"a": "b"}, "startsAt": "soon"}]),
    ],
)
def test_what_is_no_alert_is_refused_and_reported_to_the_sender(exporter, path, body):
    assert post(exporter, path, body) == 400


def test_the_same_alert_of_500_pods_is_one_message(make_exporter, hook):
    exporter = started(make_exporter, hook, group_wait="10s")  # all of them come within that

    def one(i: int, **more: str):
        labels = {
            "alertname": "Drift",
            "severity": "warning",
            "model": "m",
            "instance": f"pod-{i:03}",
        }
        return {"labels": labels, "annotations": {"summary": "age has drifted"}} | more

    with ThreadPoolExecutor(8) as pool:
        taken = pool.map(lambda i: post(exporter, "/api/v2/alerts", [one(i)]), range(500))
        assert set(taken) == {200}
    eventually(lambda: hook.got)
    assert hook.titles == ["[WARNING] Drift: m (500 firing)"]
    message = hook.got[0][1]["message"]
    assert (
        "500 times, instance: pod-000, pod-001, pod-002, pod-003, pod-004 and 495 more" in message
    )
    assert message.count("age has drifted") == 1
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert post(exporter, "/api/v2/alerts", [one(i, endsAt=now) for i in range(500)]) == 200
    eventually(lambda: len(hook.got) == 2)
    assert hook.titles[-1] == "[RESOLVED] Drift: m (500)"


def sum_of(hook) -> int:
    title = hook.titles[-1]
    return int(title.rpartition("(")[2].split()[0]) if "(" in title else 1


def test_sidecars_forward_their_alerts(exporter, hook, make_sidecar, tmp_path):
    rules = tmp_path / "rules.yml"
    rules.write_text(
        "groups:\n  - name: g\n    rules:\n      - alert: Busy\n"
        "        expr: mlguard_inferences_total > 3\n        labels: {severity: warning}\n"
    )
    sidecars = [
        make_sidecar(
            rules={"bundled": False, "files": [str(rules)], "interval": "1s"},
            notify={
                "relay": {"url": exporter.url, "token": TOKEN},
                "labels": {"instance": f"pod-{i}"},
            },
        ).start()
        for i in range(2)
    ]
    exporter.kill()
    for sidecar in sidecars:
        with sidecar.connection() as client:
            client.send(*[{"project_id": "p", "model_id": "m"}] * 5)
            eventually(lambda s=sidecar: s.value("mlguard_inferences_total") == 5)
        eventually(lambda s=sidecar: s.value("mlguard_notifications_total", outcome="failed"))
    exporter.start()
    eventually(lambda: hook.got and sum_of(hook) == 2)
    assert "2 times, instance: pod-0, pod-1" in hook.got[-1][1]["message"]
    for sidecar in sidecars:
        assert TOKEN not in sidecar.log()
        rules.write_text(rules.read_text().replace("> 3", "> 300"))
        request = urllib.request.Request(f"{sidecar.url}/-/reload", method="POST")
        urllib.request.urlopen(request, timeout=10).close()
    eventually(lambda: hook.titles[-1].startswith("[RESOLVED] Busy: p/m/predict"))


def forward(config: RelayConfig, alerts: list[Alert]) -> bool | None:
    return asyncio.run(AlertForwarder(config).forward(alerts, time.time()))


def test_a_great_many_alerts_are_forwarded(exporter, tmp_path):
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    alerts = [
        Alert(
            (("alertname", "Drift"), ("instance", f"pod-{i}")),
            (("summary", "age has drifted " * 40),),
            time.time(),
        )
        for i in range(16_000)
    ]
    assert forward(RelayConfig(url=exporter.url, token_file=str(token)), alerts)
    found = json.loads(exporter.get("/api/v1/alerts"))["data"]["alerts"]
    assert len(found) == 16_000


def test_a_redirect_takes_no_alert(exporter):
    """A POST that is redirected comes as a GET, which says 200 and takes nothing."""
    asked = []

    class Redirect(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(301)
            self.send_header("Location", f"{exporter.url}/healthz")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Redirect)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = RelayConfig(url=f"http://127.0.0.1:{server.server_address[1]}")
    assert forward(config, [ALERT]) is False
    assert asked == ["/api/v2/alerts"]
    server.shutdown()
    server.server_close()


def test_a_failed_forwarder_is_logged_once_by_its_kind(tmp_path, caplog):
    token = tmp_path / TOKEN
    token.write_text(TOKEN)
    port = free_port()
    forwarder = AlertForwarder(RelayConfig(url=f"http://localhost:{port}", token_file=str(token)))

    async def story() -> None:
        for content in (b"a\nb", b"\xff", None):
            token.unlink()
            if content is not None:
                token.write_bytes(content)
            assert await forwarder.forward([ALERT], time.time()) is False

    with caplog.at_level("INFO"):
        asyncio.run(story())
        assert forward(RelayConfig(url=f"http://localhost:{port}/{TOKEN}"), [ALERT]) is False
        assert forward(RelayConfig(url="http://no.such.host.invalid"), [ALERT]) is False
    assert [record.getMessage() for record in caplog.records] == [
        f"the relay does not accept alerts, retrying: {why}"
        for why in (
            "notify.relay.token_file: expected a single line",
            "no connection could be made",
            "its name is not known",
        )
    ]


@pytest.mark.needs("prometheus", "prometheus-alertmanager")
def test_a_drift_episode_through_prometheus_and_alertmanager_is_two_messages(
    exporter, hook, make_sidecar, tmp_path
):
    """Prometheus judges a sidecar by the bundled rules, Alertmanager groups, the relay tells."""
    sidecar = make_sidecar(
        pane="1s",
        windows={"traffic": ["4s", "60s"], "features": ["4s", "8s"]},
        thresholds={"drift_psi": 0.25},
        drift={"bins": 5},
    ).start()
    rules = bundled_file("model").read_text()
    (tmp_path / "model.rules.yml").write_text(re.sub(r"for: \d+[mh]", "for: 1s", rules))
    prometheus, alertmanager = free_port(), free_port()
    alertmanager_config = {
        "route": {
            "receiver": "mlguard",
            "group_by": ["alertname", "project", "model", "model_endpoint"],
            "group_wait": "1s",
            "group_interval": "2s",
        },
        "receivers": [
            {
                "name": "mlguard",
                "webhook_configs": [
                    {
                        "url": f"{exporter.url}/api/v1/alertmanager",
                        "http_config": {"authorization": {"credentials": TOKEN}},
                    }
                ],
            }
        ],
    }
    prometheus_config = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(tmp_path / "model.rules.yml")],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]
        },
        "scrape_configs": [
            {"job_name": "m", "static_configs": [{"targets": [sidecar.config["listen"]]}]}
        ],
    }
    servers = (
        ("prometheus", prometheus_config, prometheus, [f"--storage.tsdb.path={tmp_path}/tsdb"]),
        (
            "prometheus-alertmanager",
            alertmanager_config,
            alertmanager,
            [f"--storage.path={tmp_path}/am", "--cluster.listen-address="],
        ),
    )
    processes = []
    rng = random.Random(3)

    def titles() -> list[str]:
        return [title for title in hook.titles if "MLGuardFeatureDrift" in title]

    try:
        for name, config, port, more in servers:
            path = tmp_path / f"{name}.yml"
            path.write_text(json.dumps(config))
            listen = f"--web.listen-address=127.0.0.1:{port}"
            with (tmp_path / f"{name}.log").open("w") as log:
                command = [name, f"--config.file={path}", listen, *more]
                processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        for port in (prometheus, alertmanager):
            eventually(lambda p=port: is_ready(p), 60)
        with sidecar.connection() as client:

            def send(exponent: float, until) -> bool:
                xs = [rng.random() ** exponent for _ in range(200)]
                client.send(
                    {"project_id": "p", "model_id": "m", "columns": {"features": {"x": xs}}}
                )
                return until()

            for _ in range(30):
                send(1, bool)
            eventually(lambda: send(2.2, titles), 60, every=0.2)
            eventually(lambda: send(1, lambda: len(titles()) == 2), 60, every=0.2)
            end = time.monotonic() + 5
            eventually(lambda: send(1, lambda: time.monotonic() > end), every=0.2)
    finally:
        for process in processes:
            process.terminate()
            process.wait(timeout=20)
    assert titles() == [
        "[WARNING] MLGuardFeatureDrift: p/m/predict",
        "[RESOLVED] MLGuardFeatureDrift: p/m/predict",
    ]
    first = next(b["message"] for _, b in hook.got if "MLGuardFeatureDrift" in b["title"])
    assert "**x of p/m/predict has drifted**" in first
    assert "over the limit of 0.25" in first


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
