"""Events over HTTP, against a real sidecar."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import random
import socket
import time
import zlib
from datetime import datetime, timedelta

import aiohttp
import pytest
import requests
from support.sidecar import eventually, limit_file_size, resident_mebibytes

EVENT = {"project_id": "p", "model_id": "m"}
PATH = "/api/v1/events"


def post(sidecar, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    return requests.post(
        sidecar.url + PATH, data=data, headers={"Content-Type": "application/json"} | headers,
        timeout=30,
    )  # fmt: skip


def committed(sidecar) -> float:
    return sidecar.value("mlguard_sidecar_events_committed_total", source="http")


BATCH = {**EVENT, "columns": {"latency_ms": [1, 2, 3], "features": {"x": [1, 2, 3]}}}
LINES = "\n".join(json.dumps(EVENT | {"latency_ms": i}) for i in range(5))


@pytest.mark.parametrize(
    ("body", "content_type", "accepted"),
    [
        (json.dumps(EVENT), "application/json", 1),
        (json.dumps(EVENT, indent=2), "application/json; charset=utf-8", 1),
        (json.dumps([EVENT] * 7), "application/json", 7),
        ("[]", "application/json", 0),
        (LINES, "application/x-ndjson", 5),
        (LINES + "\n\n", "application/json", 5),
        (json.dumps(BATCH), "application/json", 3),
        (json.dumps([BATCH, EVENT, BATCH]), "application/json", 7),
        ("\ufeff" + json.dumps(EVENT), "application/json", 1),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_each_form_of_a_body_is_counted_when_it_is_answered(
    sidecar, body, content_type, accepted, packed
):
    data = body.encode()
    headers = {"Content_Type": content_type}
    if packed:
        half = len(data) // 2  # a body of two members
        data = gzip.compress(data[:half]) + gzip.compress(data[half:])
        headers["Content_Encoding"] = "gzip"
    answer = post(sidecar, data, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "accepted": accepted, "rejected_count": 0, "rejected": [], "warnings": []
    }  # fmt: skip
    assert committed(sidecar) == accepted


def test_a_script_of_500_posts_with_naive_times_and_a_needless_key(make_sidecar):
    sidecar = make_sidecar().start()
    started = time.monotonic()
    session = requests.Session()
    for i in range(500):
        event = {
            **EVENT,
            "endpoint": "predict",
            "timestamp": datetime.utcnow().isoformat(),  # noqa: DTZ003 - what the script does
            "latency_ms": random.random() * 100,
            "y_pred": i % 2,
            "y_proba": random.random(),
            "features": {"age": 20 + i % 50, "country": random.choice(["CA", "US"])},
        }
        port = sidecar.config["listen"].partition(":")[2]
        answer = session.post(
            f"http://localhost:{port}{PATH}",
            json=event,
            headers={"X-API-Key": "demo-key", "Content-Type": "application/json"},
            timeout=10,
        )
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert committed(sidecar) == 500
    assert time.monotonic() - started < 120, "each starts its commit, and waits for no other"


def test_bad_events_cost_themselves_and_are_named_by_their_index(sidecar):
    old = (datetime(2001, 1, 1)).isoformat()  # noqa: DTZ001 - as a client may send it
    events = [
        EVENT,
        {"model_id": "m"},
        EVENT | {"timestamp": old},
        7,
        BATCH,
        EVENT | {"latency_ms": -1},
        {**EVENT, "columns": {"timestamp": [old, None], "latency_ms": [1, 2]}},
        {"hello": {"client": "c", "version": 1}},
    ]
    answer = post(sidecar, events)
    found = answer.json()
    assert answer.status_code == 200
    assert (found["accepted"], found["rejected_count"]) == (1 + 3 + 1 + 1, 5)
    assert [(r["index"], r["reason"]) for r in found["rejected"]] == [
        (1, "missing_id"), (2, "too_old"), (3, "not_an_object"), (8, "too_old"),
        (10, "wrong_type"),
    ]  # fmt: skip
    assert [w["reason"] for w in found["warnings"]] == ["bad_latency"]
    assert all(r["message"] for r in found["rejected"])
    rejected = sidecar.value("mlguard_sidecar_events_rejected_total", source="http")
    assert rejected == found["rejected_count"]
    lines = (
        b'{"project_id": "p", "model_id": "m"}\n{"project_id": "p"\n' + json.dumps(EVENT).encode()
    )
    found = post(sidecar, lines, Content_Type="application/x-ndjson").json()
    assert (found["accepted"], found["rejected"][0]["index"]) == (2, 1)


def test_of_many_rejections_the_first_hundred_are_listed(sidecar):
    answer = post(sidecar, [{"model_id": "m"}] * 5000)
    assert answer.status_code == 422
    found = answer.json()
    assert found["rejected_count"] == 5000
    assert [r["index"] for r in found["rejected"]] == list(range(100))


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"", {}, 400, "empty"),
        (b"  \n ", {}, 400, "empty"),
        (b"{", {}, 400, "no JSON"),
        (b"[1, 2", {}, 400, "no JSON array"),
        (b'"text"', {}, 400, "no JSON"),
        (b"\xff\xfe[]", {}, 400, "no JSON"),
        (b"{}", {"Content_Type": "text/csv"}, 415, "expected application/json"),
        (b"{}", {"Content_Type": "application/x-www-form-urlencoded"}, 415, "expected"),
        (b"{}", {"Content_Type": "application/json; charset=utf-16"}, 415, "charset"),
        (b"{}", {"Content_Encoding": "br"}, 415, "expected gzip"),
        (b"{}", {"Content_Encoding": "gzip"}, 400, "no gzip data"),
        (gzip.compress(b"{}")[:-4], {"Content_Encoding": "gzip"}, 400, "cut off"),
        (gzip.compress(b"{}") + b"rest", {"Content_Encoding": "gzip"}, 400, "no gzip data"),
        (b" " * (8 << 20) + b" ", {}, 413, "over 8 MiB"),
        (gzip.compress(b" " * (500 << 20)), {"Content_Encoding": "gzip"}, 413, "over 8 MiB"),
        (b"{}", {"Idempotency_Key": "k" * 256}, 400, "1 to 255 printable"),
        (b"[" * 100_000, {}, 400, "no JSON array"),
        (b'{"a":' * 50_000, {}, 400, "no JSON"),
    ],
    ids=map(str, range(18)),
)
def test_what_cannot_be_read_is_refused_with_what_to_change(sidecar, body, headers, status, says):
    answer = post(sidecar, body, **headers)
    assert answer.status_code == status
    assert says in answer.json()["error"]
    assert answer.headers["Content-Type"].startswith("application/json")
    assert sidecar.value("mlguard_sidecar_requests_refused_total", source="http") == 1
    assert post(sidecar, EVENT).status_code == 200, "the others are served"


def test_an_idempotency_key_counts_once_over_a_restart(make_sidecar):
    sidecar = make_sidecar().start()
    body = [EVENT] * 30 + [{"model_id": "m"}]
    first = post(sidecar, body, Idempotency_Key="batch 1")
    assert first.json()["accepted"] == 30
    again = post(sidecar, body, Idempotency_Key="batch 1")
    assert (again.json(), again.status_code) == (first.json(), first.status_code)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert post(sidecar, [EVENT], Idempotency_Key="batch 1").status_code == 409
    sidecar.kill()
    sidecar.start()
    again = post(sidecar, body, Idempotency_Key="batch 1")
    assert again.json() == first.json()
    assert post(sidecar, body, Idempotency_Key="batch 2").json()["accepted"] == 30
    assert committed(sidecar) == 60


def test_retries_at_the_same_time_count_once(sidecar):
    async def run() -> list[int]:
        async with aiohttp.ClientSession() as session:

            async def one(i: int) -> int:
                headers = {"Idempotency-Key": f"key {i % 5}"}
                async with session.post(
                    sidecar.url + PATH, json=[EVENT] * (100 + i % 5), headers=headers
                ) as answer:
                    assert answer.status == 200
                    return (await answer.json())["accepted"]

            return await asyncio.gather(*(one(i) for i in range(50)))

    found = asyncio.run(run())
    assert found == [100 + i % 5 for i in range(50)]
    assert committed(sidecar) == sum(range(100, 105))


def test_nothing_is_lost_or_doubled_by_clients_that_retry_over_kills(make_sidecar):
    sidecar = make_sidecar().start()
    for i in range(12):
        body = [EVENT | {"latency_ms": j} for j in range(2000)]
        for attempt in range(20):
            if attempt == 0 and i % 2:
                sidecar.kill()
                sidecar.start()
            connection = http.client.HTTPConnection(sidecar.config["listen"], timeout=10)
            try:
                connection.request(
                    "POST", PATH, json.dumps(body),
                    {"Content-Type": "application/json", "Idempotency-Key": f"b{i}"},
                )  # fmt: skip
                if attempt == 0 and i % 3 == 0:  # it is killed while it may be counting
                    time.sleep(random.random() / 50)
                    sidecar.kill()
                    sidecar.start()
                assert connection.getresponse().status == 200
                break
            except (OSError, http.client.HTTPException):
                continue
            finally:
                connection.close()
    assert committed(sidecar) == 24_000


def test_off_loopback_a_key_is_needed_and_a_limited_one_sends_its_projects_alone(
    make_sidecar, monkeypatch
):
    monkeypatch.setenv("WRITE_KEY", "only-for-p")
    keys = ["all-of-it", {"key": "${WRITE_KEY}", "projects": ["p", "r"]}]
    sidecar = make_sidecar(http={"api_keys": keys}).start()

    def ask(method: str, path: str, body, **headers):
        # another Host, as it would have from elsewhere
        return requests.request(
            method, sidecar.url + path, json=body, headers={"Host": "example.com"} | headers,
            timeout=10,
        )  # fmt: skip

    assert ask("POST", PATH, EVENT).status_code == 401
    assert ask("POST", PATH, EVENT, **{"X-API-Key": "wrong"}).status_code == 401
    assert ask("POST", PATH, EVENT, **{"X-API-Key": "all-of-it"}).status_code == 200
    limited = {"X-API-Key": "only-for-p"}
    mixed = [EVENT, EVENT | {"project_id": "q"}, BATCH, BATCH | {"project_id": "q"}]
    found = ask("POST", PATH, mixed, **limited).json()
    assert (found["accepted"], found["rejected_count"]) == (4, 4)
    assert {r["reason"] for r in found["rejected"]} == {"forbidden_project"}
    assert "error" in ask("GET", "/api/v1/models", None, **limited).json()
    assert ask("GET", "/api/v1/models", None, **limited).status_code == 403
    assert ask("DELETE", "/api/v1/models/p/m/predict", None, **limited).status_code == 403
    assert ask("GET", "/api/v1/models", None, **{"X-API-Key": "all-of-it"}).status_code == 200
    assert "only-for-p" not in sidecar.log()
    models = requests.get(f"{sidecar.url}/api/v1/models", timeout=10).json()["models"]
    assert {m["project"] for m in models} == {"p"}


def test_keys_of_other_projects_have_idempotency_keys_of_their_own(make_sidecar):
    keys = [{"key": "of-a", "projects": ["a"]}, {"key": "of-b", "projects": ["b"]}]
    sidecar = make_sidecar(http={"api_keys": keys}).start()
    events = [{"project_id": "b", "model_id": "m"}] * 3

    def send(key: str):
        return post(sidecar, events, Host="example.com", X_API_Key=key, Idempotency_Key="K1")

    assert send("of-a").status_code == 422
    right = send("of-b")
    assert (right.status_code, right.json()["accepted"]) == (200, 3)
    assert "Idempotency-Replayed" not in right.headers
    assert send("of-b").headers["Idempotency-Replayed"] == "true"
    batch = {"project_id": "b", "model_id": "m", "columns": {"latency_ms": [1, 2, 3]}}
    found = post(sidecar, [batch, events[0]], Host="example.com", X_API_Key="of-a").json()
    assert found["rejected_count"] == 4
    assert [r["index"] for r in found["rejected"]] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"1\n" * 1_000_000, 413),
        (b"[" + b"1," * 4_000_000 + b"1]", 413),
        (b"[" + b"1," * 90_000 + b"1]", 422),
        (b"1\n" * 90_000, 422),
        (b"[" + b"1," * 1_100_000 + b"x]", 413),
        (b'[{"a":' + b"[1," * 3 + b"1" + b"]" * 3 + b"}," + b" 1,\n" * 1_000_001 + b"1]", 413),
    ],
    ids=map(str, range(6)),
)
def test_many_small_lines_hold_up_nobody(sidecar, body, status):
    packed = gzip.compress(body)
    before = sidecar.value("mlguard_sidecar_events_rejected_total")
    started = time.monotonic()
    answers = [
        post(sidecar, packed, Content_Encoding="gzip", Content_Type="application/x-ndjson", **more)
        for more in ({}, {"Idempotency_Key": "lines"})
    ]
    assert {answer.status_code for answer in answers} == {status}
    if status == 422:
        assert answers[0].json()["rejected_count"] >= 90_000
        assert sidecar.value("mlguard_sidecar_events_rejected_total") > before
    assert time.monotonic() - started < 60
    assert resident_mebibytes(sidecar.process.pid)["Rss"] < 400


def test_a_large_array_of_odd_elements_is_read_one_by_one(sidecar):
    row = {"latency_ms": [1] * 1000, "y_pred": [0] * 1000}
    batch = {"project_id": "p", "model_id": "m", "columns": row}
    body = json.dumps([batch] * 520, separators=(",", ":")).encode()
    assert body.count(b",") > 1_000_000
    found = post(sidecar, body)
    assert found.json()["accepted"] == 520_000
    assert post(sidecar, body[:-1] + b",]").status_code == 400
    assert post(sidecar, body + b"x").status_code == 400


def test_small_bodies_pass_though_large_ones_fill_the_room(sidecar):
    port = int(sidecar.config["listen"].split(":")[1])
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    most, held = 8 << 20, []
    for _ in range(4):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(f"{head}Content-Length: {most}\r\n\r\n".encode() + b" " * (most - 2))
        held.append(one)
    time_to_fill = time.monotonic() + 2
    while time.monotonic() < time_to_fill:
        assert post(sidecar, EVENT).status_code == 200
    for one in held:
        one.close()


def test_a_foreign_page_sends_nothing(sidecar):
    answer = post(sidecar, EVENT, Origin="https://example.com")
    assert answer.status_code == 403
    assert committed(sidecar) == 0
    preflight = requests.options(
        sidecar.url + PATH, headers={"Origin": "https://example.com"}, timeout=10
    )
    assert "Access-Control-Allow-Origin" not in preflight.headers


def test_it_works_on_http_sock_too(sidecar):
    async def run() -> int:
        connector = aiohttp.UnixConnector(str(sidecar.socket_path.with_name("http.sock")))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(f"http://anything{PATH}", json=EVENT) as answer,
        ):
            return answer.status

    assert asyncio.run(run()) == 200


def test_slow_clients_hold_up_no_good_one(sidecar):
    slow = []
    for i in range(200):
        one = socket.create_connection(("127.0.0.1", int(sidecar.config["listen"].split(":")[1])))
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        one.sendall(f"{head}Content-Length: 1000000\r\n\r\n".encode()[: 60 if i % 2 else None])
        slow.append(one)
    for one in slow:
        if one.fileno() >= 0:
            one.sendall(b" ")
    for _ in range(20):
        assert post(sidecar, EVENT).status_code == 200
    for one in slow:
        one.close()
    eventually(lambda: post(sidecar, EVENT).status_code == 200)
    assert committed(sidecar) == 21


def test_bodies_in_flight_are_bounded_together(sidecar):
    port = int(sidecar.config["listen"].split(":")[1])
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    most = 8 << 20
    held, refused = [], 0
    for _ in range(6):
        one = socket.create_connection(("127.0.0.1", port))
        one.settimeout(10)
        one.sendall(f"{head}Content-Length: {most}\r\n\r\n".encode())
        try:
            one.sendall(b" " * (most - 1))
            one.settimeout(0.5)
            with_answer = one.recv(100)
            assert b" 429 " in with_answer
            refused += 1
        except TimeoutError:
            pass  # it waits for the last byte
        except OSError:
            refused += 1
        held.append(one)
    assert refused >= 2
    for one in held:
        one.close()
    eventually(lambda: post(sidecar, EVENT).status_code == 200)


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 5_0\r\n",
        " Content-Length: 5\r\n",
        "Transfer-Encoding : chunked\r\n",
    ],
)
def test_shapes_of_smuggling_are_refused(sidecar, head):
    port = int(sidecar.config["listen"].split(":")[1])
    inner = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    smuggled = f"{inner}Content-Length: 36\r\n\r\n{json.dumps(EVENT)}"
    request = f"{inner}{head}\r\n0\r\n\r\n{smuggled}"
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.settimeout(5)
        one.sendall(request.encode())
        answer = one.recv(200)
    assert b" 400 " in answer.split(b"\r\n")[0] + b" "
    assert committed(sidecar) == 0


def test_a_body_that_is_cut_counts_nothing(sidecar):
    port = int(sidecar.config["listen"].split(":")[1])
    body = json.dumps([EVENT] * 100).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for cut in (10, len(body) - 1):
        with socket.create_connection(("127.0.0.1", port)) as one:
            one.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:cut])
    assert post(sidecar, EVENT).status_code == 200
    assert committed(sidecar) == 1


def test_a_large_body_of_every_packing_is_taken_whole(sidecar):
    events = [
        EVENT | {"latency_ms": i, "features": {"x": i, "c": str(i % 7)}} for i in range(60_000)
    ]
    data = "\n".join(map(json.dumps, events)).encode()
    assert 4 << 20 < len(data) < 8 << 20
    found = post(sidecar, data, Content_Type="application/x-ndjson").json()
    assert found["accepted"] == len(events)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(json.dumps(events).encode()) + packer.flush()
    found = post(sidecar, packed, Content_Encoding="gzip", Idempotency_Key="large").json()
    assert found["accepted"] == len(events)
    assert committed(sidecar) == 2 * len(events)


def test_while_storing_fails_503_says_so_and_nothing_is_taken(make_sidecar):
    sidecar = make_sidecar().start()
    assert post(sidecar, EVENT).status_code == 200
    wal = sidecar.folder / "data/mlguard.db-wal"
    limit_file_size(sidecar.process.pid, wal.stat().st_size)
    with sidecar.connection() as client:
        client.send(EVENT)
        ready = f"{sidecar.url}/readyz"
        eventually(lambda: requests.get(ready, timeout=10).status_code == 503)
    answer = post(sidecar, EVENT, Idempotency_Key="a")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "database" in answer.json()["error"]
    limit_file_size(sidecar.process.pid, None)
    eventually(lambda: post(sidecar, EVENT, Idempotency_Key="a").status_code == 200)
    assert committed(sidecar) == 2


def test_the_future_is_refused_by_the_same_rules_as_on_the_socket(sidecar):
    soon = (datetime.now().astimezone() + timedelta(minutes=10)).isoformat()
    answer = post(sidecar, EVENT | {"timestamp": soon})
    assert answer.status_code == 422
    assert answer.json()["rejected"][0]["reason"] == "in_future"
