"""What is thrown at a socket is thrown at HTTP: both count the same, and both live on."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import time

import aiohttp
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from support.sidecar import eventually

PATH = "/api/v1/events"
IDS = ("project_id", "model_id", "endpoint")

odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["NaN", "2026-01-01T00:00:00Z", "", "\ud800", "x" * 300, "1e400", "\x00"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.sampled_from(
    ["timestamp", "latency_ms", "y_pred", "y_proba", "features", "id", "columns", "outcome",
     "seq", "model_id", "y_true", "else"]
)  # fmt: skip
column = st.lists(st.none() | st.integers(0, 1) | odd, max_size=4) | odd
columns = st.dictionaries(names, column | st.dictionaries(st.text(max_size=3), column, max_size=2))
events = st.dictionaries(names, odd | columns, max_size=6)


def post(sidecar, body: bytes, **headers: str):
    connection = http.client.HTTPConnection(sidecar.config["listen"], timeout=20)
    connection.request("POST", PATH, body, {"Content-Type": "application/x-ndjson"} | headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def counts(sidecar, source: str) -> dict[tuple, float]:
    """Counters of events and values of a source, by name and reason."""
    return {
        (name, dict(labels).get("reason")): value
        for (name, labels), value in sidecar.metrics().items()
        if name.startswith("mlguard_sidecar_") and ("source", source) in labels and value
        and not name.endswith(("_pending", "requests_refused_total"))
    }  # fmt: skip


@pytest.mark.parametrize("examples", [12, pytest.param(60, marks=pytest.mark.long)])
def test_lines_of_any_values_count_the_same_over_both(sidecar, examples):
    seen = set()

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck),
        database=None, phases=[Phase.explicit, Phase.generate],  # shrinking would take minutes
    )  # fmt: skip
    @example([{"columns": {"y_pred": [1, 2, 3]}, "seq": {}}, {"y_pred": 1}])
    @example([{"columns": {"y_pred": [1, 2]}, "outcome": {"id": [1, 2, 3]}, "seq": -1}])
    @example([{"outcome": {"id": 1, "else": [1, 2, 3]}, "seq": 0}, {"outcome": {"id": []}}])
    @given(st.lists(events, min_size=1, max_size=8))
    def check(found: list[dict]) -> None:
        # of two projects, as a model that is known takes outcomes that a new one does not
        body, same = (
            b"\n".join(
                json.dumps({"project_id": project, "model_id": "m"} | each).encode()
                for each in found
            )
            for project in ("p", "q")
        )
        before = [counts(sidecar, source) for source in ("socket", "http")]
        status, answer = post(sidecar, body)
        assert status in (200, 422), answer
        with sidecar.connection() as client:
            client.send(same)

        def gained() -> list[dict]:
            after = [counts(sidecar, source) for source in ("socket", "http")]
            return [
                {key: n - was.get(key, 0) for key, n in now.items() if n != was.get(key, 0)}
                for was, now in zip(before, after, strict=True)
            ]

        eventually(lambda: gained()[0] == gained()[1], 10, every=0.1)
        seen.update(name for name, _ in gained()[1])

    check()
    assert any("committed" in name for name in seen)


def test_bytes_of_any_kind_are_answered_and_change_nothing_else(sidecar):
    rng = random.Random(1)
    good = json.dumps({"project_id": "p", "model_id": "m"}).encode()
    for i in range(300):
        body = bytearray(good * rng.randint(1, 3))
        for _ in range(rng.randint(1, 6)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        kind = rng.choice(["application/json", "application/x-ndjson"])
        packing = rng.choice(["identity", "gzip"])
        status, answer = post(
            sidecar, bytes(body), **{"Content-Type": kind, "Content-Encoding": packing}
        )
        assert status in (200, 400, 422), (i, status, answer)
    assert post(sidecar, good)[0] == 200


@pytest.mark.parametrize(
    "path",
    ["/api/v1/events/", "//api/v1/events", "/api/v1/./events", "/api/v1/x/../events",
     "/api/v1/events%2f", "/api/v1/event%73", "/API/v1/events", "/api/v1/events;a=b",
     "/api/v1/events?x=1", "/healthz/../api/v1/events", "/metrics/..%2fapi/v1/events"],
)  # fmt: skip
def test_no_path_leads_past_the_key(make_sidecar, path):
    sidecar = make_sidecar(http={"api_keys": [{"key": "limited", "projects": ["p"]}]}).start()
    body = json.dumps({"project_id": "q", "model_id": "m"})
    for key in ("", "limited"):
        connection = http.client.HTTPConnection(sidecar.config["listen"], timeout=20)
        connection.putrequest("POST", path, skip_host=True)
        headers = {
            "Host": "example.com",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        if key:
            headers["X-API-Key"] = key
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body.encode())
        status = connection.getresponse().status
        connection.close()
        assert status in ((400, 401, 404) if not key else (400, 403, 404, 422)), status
    assert sidecar.value("mlguard_inferences_total") == 0


def test_ten_thousand_wrong_keys_hold_up_nobody(make_sidecar):
    sidecar = make_sidecar(http={"api_keys": ["the right one"]}).start()
    event = {"project_id": "p", "model_id": "m"}
    url = sidecar.url + PATH

    async def run() -> tuple[list[int], list[float]]:
        statuses: list[int] = []
        times: list[float] = []
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=50)) as session:

            async def wrong(i: int) -> None:
                headers = {"Host": "example.com", "X-API-Key": f"forged-{i} \u00e9\u00ff"}
                async with session.post(url, json=event, headers=headers) as answer:
                    statuses.append(answer.status)

            async def right() -> None:
                async with aiohttp.ClientSession() as own:
                    while len(statuses) < 10_000:
                        headers = {"Host": "example.com", "X-API-Key": "the right one"}
                        started = time.perf_counter()
                        async with own.post(url, json=event, headers=headers) as answer:
                            assert answer.status == 200
                        times.append(time.perf_counter() - started)

            await asyncio.gather(right(), *(wrong(i) for i in range(10_000)))
        return statuses, times

    statuses, times = asyncio.run(run())
    assert set(statuses) == {401}
    assert sidecar.value("mlguard_inferences_total") == len(times) > 10
    assert "forged" not in sidecar.log()


def test_headers_of_any_size_and_kind_are_answered(sidecar):
    body = b'{"project_id": "p", "model_id": "m"}'
    for headers in (
        {"X-Long": "a" * 7000},
        {"Idempotency-Key": "\u00fc" * 10},
        {"Content-Type": "application/json; charset=" + "u" * 3000},
        {"Content-Type": "application/json" * 200},
        {"Content-Type": ";;;"},
        {"Content-Encoding": "gzip, gzip"},
        {"Transfer-Encoding": "identity"},
        {"Expect": "100-continue"},
        {"Expect": "something"},
    ):
        status, _ = post(sidecar, body, **headers)
        assert status in (200, 400, 415, 417), (headers, status)
    too_long = http.client.HTTPConnection(sidecar.config["listen"], timeout=20)
    too_long.request("POST", PATH, body, {"X-Long": "a" * 100_000})
    assert too_long.getresponse().status == 400
    too_long.close()
    assert post(sidecar, body)[0] == 200
