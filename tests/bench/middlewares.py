"""What the ASGI middleware costs a FastAPI application that does nothing else.

Prints requests a second and the server's CPU time for each request, with the middleware and
without, in alternating rounds against one sidecar: `python tests/bench/middlewares.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.sidecar import Sidecar, cpu_seconds, eventually, free_port

ROUNDS = 7
SECONDS = 3.0
CONNECTIONS = 8
APP = """
from fastapi import FastAPI
from mlguard import Guard
from mlguard.asgi import MLGuardMiddleware, Paths

plain = FastAPI()

@plain.post("/predict")
async def answer(body: dict) -> dict:
    return {"predictions": [1] * len(body["instances"])}

watched = MLGuardMiddleware(
    plain,
    Guard(project="shop", model="churn_v1"),
    {"/predict": Paths(features="instances.*", y_pred="predictions.*")},
)
"""


async def load(port: int, request: bytes) -> int:
    """Requests that were answered within the time."""
    until = time.monotonic() + SECONDS

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answered = 0
        while time.monotonic() < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            answered += 1
        writer.close()
        return answered

    return sum(await asyncio.gather(*(one() for _ in range(CONNECTIONS))))


def measure(folder: Path, rows: int) -> None:
    """Print the figures for requests of so many rows."""
    row = {"age": 29, "balance": 1234.5, "country": "CA", "plan": "pro"}
    body = json.dumps({"instances": [row] * rows}).encode()
    head = (
        "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with Sidecar(folder / str(rows)) as sidecar:
        env = {
            **os.environ,
            "MLGUARD_SOCKET": str(sidecar.socket_path),
            "PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}",
        }
        servers = {}
        for name in ("plain", "watched"):
            port = free_port()
            command = [sys.executable, "-m", "uvicorn", f"bench_app:{name}", "--port", str(port)]
            quiet = [*command, "--log-level", "warning"]
            servers[name] = port, subprocess.Popen(quiet, env=env, cwd=folder)
        try:
            rates = {name: [] for name in servers}
            costs = {name: [] for name in servers}
            for port, _ in servers.values():
                eventually(lambda port=port: listens(port))
            for _ in range(ROUNDS):
                for name, (port, process) in servers.items():
                    before = cpu_seconds(process.pid)
                    answered = asyncio.run(load(port, head.encode() + body))
                    rates[name].append(answered / SECONDS)
                    costs[name].append((cpu_seconds(process.pid) - before) / answered * 1e6)
        finally:
            for _, process in servers.values():
                process.terminate()
                process.wait()
        rate = {name: statistics.median(each) for name, each in rates.items()}
        cost = {name: statistics.median(each) for name, each in costs.items()}
        print(
            f"{rows:5} rows: {rate['plain']:6.0f} requests/s without, {rate['watched']:6.0f} with:"
            f" ratio {rate['watched'] / rate['plain']:.2f};"
            f" CPU {cost['plain']:.0f} and {cost['watched']:.0f} us a request"
            f" ({len(body):,} bytes)"
        )


def listens(port: int) -> bool:
    try:
        asyncio.run(asyncio.open_connection("127.0.0.1", port))
    except OSError:
        return False
    return True


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "bench_app.py").write_text(APP)
        for rows in (1, 10, 1_000):
            measure(Path(name), rows)


if __name__ == "__main__":
    main()
