"""A payload logger as KServe's agent: workers that post events, out of order."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

WORKERS = 5
LATE_SECONDS = 0.05
PATH = "/api/v1/cloudevents"


def headers(half: str, name: str, **more: str) -> dict[str, str]:
    """Headers as the agent sends them, of a model shop/churn."""
    return {
        "Ce-Specversion": "1.0",
        "Ce-Id": name,
        "Ce-Type": f"org.kubeflow.serving.inference.{half}",
        "Ce-Source": "http://localhost:9081/",
        "Ce-Inferenceservicename": "churn",
        "Ce-Namespace": "shop",
        "Ce-Component": "predictor",
        "Ce-Endpoint": "",
        "Content-Type": "application/json",
    } | more


def rfc3339(seconds: float) -> str:
    """A time as Go writes it."""
    whole = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{int(seconds % 1 * 1e9):09d}Z"


@dataclass
class Sent:
    """What was sent, and how it was answered.

    Attributes:
        results: result -> events that must have it.
        rows: rows of all pairs.
        seconds: time of each answer.
        late: events that were sent later than planned by more than LATE_SECONDS.
    """

    results: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    pairs: int = 0
    seconds: list[float] = field(default_factory=list)
    late: int = 0

    def quantile(self, share: float) -> float:
        return sorted(self.seconds)[int(share * len(self.seconds))]


Event = tuple[dict[str, str], bytes]


def traffic(events: int, rng: random.Random, run: str = "r") -> tuple[list[Event], Sent]:
    """Events in the order of sending, and what must become of them.

    Of a hundred inferences, 90 are pairs (of V1 or V2, of 1 to 4 rows), 4 of these with a half that
    comes twice; 4 have no response, 2 no request, and 4 are binary in both halves.
    """
    sent = Sent()
    placed: list[tuple[float, Event]] = []
    at = 0
    while len(placed) < events:
        at += 1
        name = f"{run}-{at}"
        now = time.time()
        latency = rng.lognormvariate(-3.5, 0.5)
        body = [_v1, _v2][at % 2](rng, 1 + at % 4)
        halves: list[tuple[float, Event]] = []
        for half, when, what in zip(
            ("request", "response"), (now, now + latency), body, strict=True
        ):
            times = {"Ce-Time": rfc3339(when), "Ce-Recordedtime": rfc3339(when)}
            event = (headers(half, name, **times), json.dumps(what).encode())
            halves.append((at + rng.uniform(0, 30), event))
        kind = rng.randrange(100)
        if kind < 4:
            sent.results["no_response"] += 1
            del halves[1]
        elif kind < 6:
            sent.results["no_request"] += 1
            del halves[0]
        elif kind < 10:
            sent.results["unsupported"] += 2
            halves = [(place, (head, rng.randbytes(200))) for place, (head, _) in halves]
            halves = [(place, (head, b"\x00" + raw)) for place, (head, raw) in halves]
        else:
            sent.results["joined"] += 2
            sent.pairs += 1
            sent.rows += 1 + at % 4
            if kind < 14:
                sent.results["duplicate"] += 1
                place, event = rng.choice(halves)
                halves.append((place + rng.uniform(0, 30), event))
        placed += halves
    placed.sort(key=lambda each: each[0])
    return [event for _, event in placed], sent


def _v1(rng: random.Random, rows: int) -> tuple[Any, Any]:
    instances = [[rng.gauss(40, 10), rng.random(), rng.choice("abc")] for _ in range(rows)]
    return {"instances": instances}, {"predictions": [rng.randrange(2) for _ in range(rows)]}


def _v2(rng: random.Random, rows: int) -> tuple[Any, Any]:
    def tensor(name: str, datatype: str, data: list[Any]) -> dict[str, Any]:
        return {"name": name, "shape": [rows], "datatype": datatype, "data": data}

    inputs = [
        tensor("age", "FP32", [rng.gauss(40, 10) for _ in range(rows)]),
        tensor("balance", "FP32", [rng.random() for _ in range(rows)]),
        tensor("country", "BYTES", [rng.choice("abc") for _ in range(rows)]),
    ]
    outputs = [tensor("predict", "INT64", [rng.randrange(2) for _ in range(rows)])]
    return {"inputs": inputs}, {"model_name": "churn", "id": "x", "outputs": outputs}


def request_of(event: Event) -> bytes:
    """The HTTP request of an event in binary mode."""
    head, body = event
    lines = [f"POST {PATH} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in head.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def send(port: int, events: list[Event], rate: float, sent: Sent) -> None:
    """Send events at a rate a second by all workers; each waits for its answer.

    Requests are made beforehand and answers hardly read, as this process measures with them.
    """
    requests = [request_of(event) for event in events]
    queue = iter(enumerate(requests))
    start = time.perf_counter()

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for place, request in queue:
            ahead = start + place / rate - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            elif ahead < -LATE_SECONDS:
                sent.late += 1
            began = time.perf_counter()
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            sent.seconds.append(time.perf_counter() - began)
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            assert b"\r\nContent-Length: 0\r\n" in answer, answer
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(work() for _ in range(WORKERS)))
