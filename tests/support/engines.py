"""Prometheus and VictoriaMetrics on loopback, which take samples of the past."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from support.sidecar import eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONFIG = "storage: {tsdb: {out_of_order_time_window: 60d}}\n"


class Engine:
    """What answers queries.

    Args:
        url: its address.
        flush_path: what makes written samples visible; None where they are at once.
    """

    def __init__(self, url: str, flush_path: str | None = None) -> None:
        self.url = url
        self._flush_path = flush_path

    def flush(self) -> None:
        """Make what was written visible to queries."""
        if self._flush_path is not None:
            with urllib.request.urlopen(self.url + self._flush_path, timeout=60):
                pass

    def get(self, path: str, **parameters: Any) -> Any:
        """Return `data` of an answer; an error becomes a failure with its text."""
        body = urllib.parse.urlencode(parameters, doseq=True).encode()
        method = "GET" if path.startswith("label/") else "POST"
        address = f"{self.url}/api/v1/{path}" + (f"?{body.decode()}" if method == "GET" else "")
        request = urllib.request.Request(address, body if method == "POST" else None)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def instant(self, query: str, at: float) -> list[dict[str, Any]]:
        """Series at a time."""
        return self.get("query", query=query, time=at)["result"]

    def range(self, query: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Series over a range of times."""
        return self.get("query_range", query=query, start=start, end=end, step=step)["result"]

    def is_ready(self) -> bool:
        try:
            self.instant("vector(1)", 1)
        except (OSError, AssertionError):
            return False
        return True


@contextmanager
def prometheus(folder: Path) -> Iterator[Engine]:
    """A Prometheus that scrapes nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(_CONFIG)
    port = free_port()
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb",
               "--web.enable-remote-write-receiver",
               f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    with _running(folder, port, command) as engine:
        yield engine


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[Engine]:
    """A VictoriaMetrics that forgets nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = ["victoria-metrics", "-storageDataPath=data", "-retentionPeriod=100y",
               "-search.disableCache", f"-httpListenAddr=127.0.0.1:{port}"]  # fmt: skip
    with _running(folder, port, command, "/internal/force_flush") as engine:
        yield engine


@contextmanager
def _running(
    folder: Path, port: int, command: list[str], flush_path: str | None = None
) -> Iterator[Engine]:
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    engine = Engine(f"http://127.0.0.1:{port}", flush_path)
    try:
        eventually(engine.is_ready, what=f"readiness of {command[0]}")
        yield engine
    finally:
        process.terminate()
        process.wait(20)
