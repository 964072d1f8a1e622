"""Real daemons, each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

import yaml
from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]


def eventually(condition, seconds: float = 20.0, what: str = "the condition", every=0.01):
    """Wait until a condition holds, and give back what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not hold within {seconds} s"
        time.sleep(every)


class Daemon:
    """One process of the product with its folder."""

    module: str

    def __init__(self, folder: Path, config: dict[str, Any] | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.config_path = folder / "config.yaml"
        self.config: dict[str, Any] = {
            "listen": f"127.0.0.1:{free_port()}",
            "data_dir": str(folder / "data"),
        } | (config or {})
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.config['listen']}"

    def write_config(self) -> None:
        self.config_path.write_text(yaml.safe_dump(self.config))

    def start(self, *, own_group: bool = False) -> Self:
        self.write_config()
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "--config", str(self.config_path)],
                stderr=log,
                text=True,
                start_new_session=own_group,
            )
        eventually(self.ready, what=f"readiness of {self.module}")
        return self

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            return self.get("/readyz").startswith("ready")
        except OSError:
            return False

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read().decode()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def metrics(self) -> dict[tuple[str, Labels], float]:
        """Every sample of /metrics by name and sorted labels."""
        return samples(self.get("/metrics"))

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of a name that have these labels."""
        return total(self.metrics(), name, **labels)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
                raise


class Sidecar(Daemon):
    """A sidecar."""

    module = "mlguard_sidecar"

    def __init__(self, folder: Path, config: dict[str, Any] | None = None) -> None:
        self.socket_path = folder / "s.sock"
        super().__init__(folder, {"socket": {"path": str(self.socket_path)}} | (config or {}))

    @contextlib.contextmanager
    def connection(self):
        with Client(self.socket_path) as client:
            yield client


class Exporter(Daemon):
    """An exporter."""

    module = "mlguard_exporter"


class Client:
    """A bare client of the event socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self.reader = self.socket.makefile("rb")

    def send(self, *lines: bytes | dict[str, Any]) -> None:
        for line in lines:
            raw = line if isinstance(line, bytes) else json.dumps(line).encode()
            self.socket.sendall(raw + b"\n")

    def receive(self) -> dict[str, Any]:
        line = self.reader.readline()
        assert line, "the sidecar closed the connection"
        return json.loads(line)

    def hello(self, name: str) -> int:
        self.send({"hello": {"client": name, "version": 1}})
        return self.receive()["hello"]["last_seq"]

    def wait_for_ack(self, seq: int) -> None:
        while self.receive().get("ack", 0) < seq:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.socket.close()


def samples(text: str) -> dict[tuple[str, Labels], float]:
    """Samples of an exposition."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(found: dict[tuple[str, Labels], float], name: str, **labels: str) -> float:
    """The sum of the samples of a name that have these labels."""
    wanted = set(labels.items())
    return sum(v for (n, have), v in found.items() if n == name and wanted <= set(have))


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mebibytes(pid: int) -> dict[str, float]:
    """Resident and anonymous memory of a process."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Anonymous"):
            found[name] = int(rest.split()[0]) / 1024
    return found


def limit_file_size(pid: int, size: int | None) -> None:
    """Let a process write no file beyond a size, as on a full disk; None takes that back."""
    limit = resource.RLIM_INFINITY if size is None else size
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
