"""CloudEvents of payload loggers, against a real sidecar."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import itertools
import json
import os
import random
import socket
import statistics
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from support.payload_logger import PATH, headers, send, traffic
from support.sidecar import eventually

from mlguard_sidecar.telemetry import CLOUDEVENT_RESULTS

RESULTS = "mlguard_sidecar_cloudevents_total"
REQUEST, RESPONSE = {"instances": [[1, 2], [3, 4]]}, {"predictions": [0, 1]}


def port_of(sidecar) -> int:
    return int(sidecar.config["listen"].rpartition(":")[2])


def post(sidecar, body, head, source="127.0.0.1"):
    """Post an event, and check that it is answered as every event is."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port_of(sidecar), timeout=10, source_address=(source, 0)
    )
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", PATH, body=data, headers=head)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    connection.close()


def post_pair(sidecar, name, **more):
    post(sidecar, REQUEST, headers("request", name, **more))
    post(sidecar, RESPONSE, headers("response", name, **more))


def results(sidecar) -> dict[str, float]:
    metrics = sidecar.metrics()
    counts = {name: metrics[RESULTS, (("result", name),)] for name in CLOUDEVENT_RESULTS}
    return {name: n for name, n in counts.items() if n}


def committed(sidecar) -> float:
    return sidecar.value("mlguard_sidecar_events_committed_total", source="cloudevents")


def test_a_request_and_its_response_are_counted_by_the_names_of_their_attributes(sidecar):
    post_pair(sidecar, "1")
    eventually(lambda: committed(sidecar) == 2)
    assert results(sidecar) == {"joined": 2}
    model = requests.get(f"{sidecar.url}/api/v1/models/shop/churn/predict", timeout=10)
    assert model.status_code == 200


def test_structured_and_batched_mode_over_a_unix_socket(make_sidecar):
    sidecar = make_sidecar().start()
    own = {name[3:].lower(): v for name, v in headers("request", "1").items() if name[2] == "-"}
    request = own | {"data": REQUEST}
    response = own | {"type": "io.seldon.serving.inference.response", "data": RESPONSE}
    for kind, body in (
        ("application/cloudevents+json; charset=utf-8", request),
        ("application/cloudevents-batch+json", [response, response]),
    ):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(sidecar.socket_path.with_name("http.sock")))
            data = json.dumps(body).encode()
            head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
            client.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
    eventually(lambda: results(sidecar) == {"joined": 2, "duplicate": 1})


def test_without_a_key_where_one_is_needed_the_answer_is_200_and_nothing_counts(make_sidecar):
    keys = ["all", {"key": "shop", "projects": ["shop"]}, {"key": "else", "projects": ["else"]}]
    sidecar = make_sidecar(http={"api_keys": keys}).start()
    foreign = "127.0.0.6"  # no loopback, but a mesh's proxy
    post(sidecar, REQUEST, headers("request", "1"), foreign)
    post(sidecar, REQUEST, headers("request", "1", **{"X-API-Key": "wrong"}), foreign)
    post(sidecar, REQUEST, headers("request", "1", Host="evil.example"))
    post(sidecar, REQUEST, headers("request", "1", Origin="http://evil.example"))
    for name, key in (("2", "all"), ("3", "shop"), ("4", "else")):
        for half, body in (("request", REQUEST), ("response", RESPONSE)):
            post(sidecar, body, headers(half, name, **{"X-API-Key": key}), foreign)
    eventually(lambda: committed(sidecar) == 4)
    assert results(sidecar) == {"unauthorized": 4, "joined": 4, "forbidden_project": 2}
    rejects = requests.get(f"{sidecar.url}/api/v1/rejects", timeout=10).text
    assert "may not send events of shop" in rejects


def test_garbage_of_all_kinds_is_answered_200_and_counted_by_reason(sidecar):
    own = headers("request", "1")
    post(sidecar, b"", {})
    post(sidecar, b"", own)
    post(sidecar, b"\x00" * 100, own | {"Content-Type": "application/octet-stream"})
    post(sidecar, gzip.compress(json.dumps(REQUEST).encode()), own)
    post(sidecar, b"x", own | {"Content-Encoding": "gzip"})
    post(sidecar, b"x", own | {"Content-Encoding": "br"})
    post(sidecar, b"{", own | {"Content-Type": "application/cloudevents+json"})
    post(sidecar, b"[" * 100_000, own)
    post(sidecar, b'{"instances": [[1', own | {"Content-Type": "no type at all"})
    post(sidecar, {"x": 1}, own | {"Ce-Id": "\udcff".encode("utf-8", "surrogateescape")})
    post(sidecar, REQUEST, own | {"Ce-Inferenceservicename": "x" * 1000})
    post(sidecar, REQUEST, own | {"Ce-Type": "com.example.order.created"})
    expected = {"unparsable": 5, "unsupported": 6, "unnamed": 1}
    eventually(lambda: results(sidecar) == expected, what=str(results(sidecar)))
    with socket.create_connection(("127.0.0.1", port_of(sidecar))) as client:
        head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {1 << 30}\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
    with socket.create_connection(("127.0.0.1", port_of(sidecar))) as client:
        client.sendall(head.replace(str(1 << 30), "10").encode() + b"{")
    eventually(lambda: results(sidecar) == {**expected, "too_large": 1, "unparsable": 6})
    post_pair(sidecar, "2")
    eventually(lambda: committed(sidecar) == 2)


def test_orphans_are_counted_when_their_time_is_over(make_sidecar):
    sidecar = make_sidecar(cloudevents={"join_timeout": "1s", "max_waiting": 2}).start()
    for name in "abc":
        post(sidecar, REQUEST, headers("request", name))
    eventually(lambda: results(sidecar).get("no_response") == 1, what="the limit")
    post(sidecar, RESPONSE, headers("response", "a"))
    eventually(lambda: results(sidecar) == {"no_response": 3, "no_request": 1})
    assert sidecar.value("mlguard_sidecar_cloudevents_pending") == 0


def test_what_was_answered_is_counted_before_the_end(make_sidecar):
    sidecar = make_sidecar().start()
    for i in range(50):
        post_pair(sidecar, str(i))
    assert sidecar.stop() == 0
    assert committed(sidecar.start()) == 100


def test_what_is_answered_while_the_sidecar_stops_is_counted(make_sidecar):
    sidecar = make_sidecar().start()
    answered = []

    def post_until_the_end():
        for i in itertools.count():
            try:
                post_pair(sidecar, str(i))
            except (OSError, http.client.HTTPException):
                return
            answered.append(i)

    with ThreadPoolExecutor() as threads:
        posting = threads.submit(post_until_the_end)
        eventually(lambda: len(answered) > 20)
        assert sidecar.stop() == 0
        posting.result()
    # of a pair whose answer did not come, either may be the case
    assert 2 * len(answered) <= committed(sidecar.start()) <= 2 * len(answered) + 2


def test_the_description_has_no_answer_but_200(sidecar):
    found = requests.get(f"{sidecar.url}/api/v1/openapi.json", timeout=10).json()
    assert list(found["paths"][PATH]["post"]["responses"]) == ["200"]


def check_logger(sidecar, seconds: int) -> list[float]:
    """Send as a logger of five workers at 2,000 events a second; return its times by second."""
    events, sent = traffic(seconds * 2000, random.Random(seconds))
    asyncio.run(send(port_of(sidecar), events, 2000, sent))
    eventually(lambda: results(sidecar) == dict(sent.results), 30)
    eventually(lambda: committed(sidecar) == sent.rows)
    assert sidecar.value("mlguard_predictions_total", model="churn") == sent.rows
    latencies = sidecar.metrics()[
        "mlguard_inference_latency_seconds_count",
        (("model", "churn"), ("model_endpoint", "predict"), ("project", "shop")),
    ]
    assert latencies == sent.pairs
    parts = [sent.seconds[i : i + 2000] for i in range(0, len(sent.seconds), 2000)]
    return [sorted(part)[int(0.99 * len(part))] for part in parts]


def test_a_payload_logger_of_five_workers_is_counted_exactly(make_sidecar):
    sidecar = make_sidecar(cloudevents={"join_timeout": "3s"}).start()
    check_logger(sidecar, 8)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_payload_logger_is_answered_within_5_ms_over_a_minute(make_sidecar):
    sidecar = make_sidecar(cloudevents={"join_timeout": "5s"}).start()
    by_second = check_logger(sidecar, 60)
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    # a machine that others use is slow at times
    limit = 0.005 if load < 1 else 0.05
    assert statistics.median(by_second) < limit, sorted(by_second)
