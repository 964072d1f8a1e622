"""What the sidecar's pages weigh, and how long they take, with 32 models of 50 features."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.sidecar import Sidecar, cpu_seconds, eventually

ROWS = 1500
VISITS = 10
PAGES = {
    "all models": "/",
    "a model, 24 h": "/models/p/model_05/predict",
    "a model, 1 h": "/models/p/model_05/predict?range=1h",
    "a model, 400 days": "/models/p/model_05/predict?range=400d",
    "a column": "/models/p/model_05/predict/feature?name=feature_07",
}


def batches(model: int, features: int, rng: np.random.Generator) -> list[bytes]:
    times = np.sort(time.time() - rng.random(ROWS) * 86_400)
    moved = times > times[-1] - 20_000
    columns = {
        f"feature_{i:02d}": rng.normal(0, 1, ROWS) + moved * (i % 7 == 0) for i in range(features)
    }
    found = []
    for first in range(0, ROWS, 500):
        part = slice(first, first + 500)
        head = {"project_id": "p", "model_id": f"model_{model:02d}"}
        body = {
            "timestamp": times[part].tolist(),
            "latency_ms": rng.lognormal(3, 0.4, 500).tolist(),
            "y_pred": rng.integers(0, 2, 500).tolist(),
            "y_proba": rng.random(500).tolist(),
            "features": {name: values[part].tolist() for name, values in columns.items()},
        }
        found.append(json.dumps(head | {"columns": body}).encode())
    return found


def megabytes(sidecar: Sidecar) -> float:
    return psutil.Process(sidecar.process.pid).memory_info().rss / 2**20


def main(models: int = 32, features: int = 50) -> None:
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder, Sidecar(Path(folder)) as sidecar:
        with sidecar.connection() as client:
            for model in range(models):
                client.send(*batches(model, features, rng))
        eventually(lambda: sidecar.value("mlguard_inferences_total") == models * ROWS, 120)
        sidecar.stop()
        sidecar.start()
        time.sleep(5)  # past days are recorded after the start
        sidecar.get("/api/v1/models")
        before = megabytes(sidecar)
        for name, path in PAGES.items():
            walls, begin = [], cpu_seconds(sidecar.process.pid)
            for _ in range(VISITS):
                started = time.perf_counter()
                with urllib.request.urlopen(sidecar.url + path, timeout=60) as answer:
                    body = answer.read()
                walls.append(1000 * (time.perf_counter() - started))
            used = 1000 * (cpu_seconds(sidecar.process.pid) - begin) / VISITS
            print(
                f"{name:18} {len(body) / 1000:6.1f} kB, first visit {walls[0]:6.1f} ms,"
                f" then {statistics.median(walls[1:]):6.1f} ms; {used:6.1f} ms of CPU a visit,"
                f" {megabytes(sidecar) - before:+.1f} MiB since before the first"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
