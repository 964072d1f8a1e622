"""compose.yaml: valid and whole; what it runs of ours really runs, as its users, with its files."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from compose_pydantic import ComposeSpecification
from support.containers import Volumes, can_run, start
from support.sidecar import eventually, free_port, samples, total

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {"sidecar": "mlguard_sidecar", "exporter": "mlguard_exporter"}
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def filled(text: str, **environ: str) -> str:
    return _VARIABLE.sub(lambda found: environ.get(found[1], found[2] or ""), text)


def binds(service) -> dict[str, str]:
    """Path in a container -> file or folder of the repository."""
    parts = [each.split(":") for each in service.get("volumes", [])]
    return {part[1]: part[0] for part in parts if part[0].startswith("./")}


def test_it_follows_the_specification():
    # fragments that begin with x- may hold anything
    known = {key: part for key, part in COMPOSE.items() if not key.startswith("x-")}
    assert ComposeSpecification.model_validate(known).name == "mlguard"


def test_every_path_volume_and_variable_is_there():
    examples = (ROOT / ".env.example").read_text()
    ports = []
    for name, service in SERVICES.items():
        for source in binds(service).values():
            assert (ROOT / source).exists(), (name, source)
        for each in service.get("volumes", []):
            source = each.split(":")[0]
            assert source.startswith("./") or source in COMPOSE["volumes"], (name, source)
        for other in service.get("depends_on", []):
            assert other in SERVICES
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).exists()
        ports += [each.rpartition(":")[0] for each in service.get("ports", [])]
        for variable, _ in _VARIABLE.findall(json.dumps(service)):
            assert variable in examples, f"{variable} is not in .env.example"
    assert len(set(ports)) == len(ports)
    assert all(port.startswith("127.0.0.1:") for port in ports), "nothing is open to the network"


def test_host_names_and_tokens_in_the_files_are_those_of_the_services():
    texts = [path.read_text() for path in (ROOT / "compose").rglob("*") if path.suffix != ".py"
             and path.is_file()]  # fmt: skip
    hosts = {
        found[1] for text in texts for found in re.finditer(r"(?:http://|\")(\w+):\d{4}", text)
    }
    assert hosts == {"prometheus", "alertmanager", "sidecar", "exporter"}
    assert hosts <= SERVICES.keys()
    token = filled(SERVICES["exporter"]["environment"]["MLGUARD_RELAY_TOKEN"])
    assert f"credentials: {token}" in (ROOT / "compose/alertmanager.yml").read_text()


@pytest.mark.needs("promtool", "amtool")
def test_prometheus_and_alertmanager_take_their_files(tmp_path):
    # the rules are where the volume puts them
    text = (ROOT / "compose/prometheus.yml").read_text()
    rules = binds(SERVICES["prometheus"])["/etc/prometheus/rules"]
    path = tmp_path / "prometheus.yml"
    path.write_text(text.replace("/etc/prometheus/rules", str(ROOT / rules)))
    for command in (
        ["promtool", "check", "config", path],
        ["amtool", "check-config", ROOT / "compose/alertmanager.yml"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "rule files found" in done.stdout or "SUCCESS" in done.stdout


class Running:
    """Services of ours as processes: with their command, environment, user, and mounts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts = dict.fromkeys(SERVICES, "127.0.0.1")
        names = [{"name": name, "emptyDir": {}} for name in COMPOSE["volumes"]]
        self.volumes = Volumes(folder / "volumes", {"spec": {"volumes": names}}, {})
        self.processes = {}

    def start(self, name: str, command: list[str], port: int | None = None, **environ: str):
        service = SERVICES[name]
        mounts, volumes = [], self.volumes
        for each in service["volumes"]:
            source, path, *_ = each.split(":")
            if source.startswith("./"):
                # the file in a folder of its own, which is mounted in place of its folder
                place = self.folder / f"{name}{Path(path).parent.name}"
                place.mkdir(exist_ok=True)
                text = (ROOT / source).read_text()
                for host, number in self.ports.items():
                    text = re.sub(rf"{host}:\d+", f"127.0.0.1:{number}", text)
                (place / Path(path).name).write_text(text)
                volumes.folders[place.name] = place
                mounts.append({"name": place.name, "mountPath": str(Path(path).parent)})
            else:
                mounts.append({"name": source, "mountPath": path})
        arguments = [
            each.replace("0.0.0.0:9520", f"0.0.0.0:{port}").replace(
                "0.0.0.0:9521", f"0.0.0.0:{port}"
            )
            for each in service.get("command", [])
        ]
        user, _, group = service["user"].partition(":")
        container = {
            "args": arguments,
            "env": [
                {"name": key, "value": filled(value, **environ)}
                for key, value in service["environment"].items()
            ],
            "volumeMounts": mounts,
            "securityContext": {
                "runAsUser": int(user),
                "runAsGroup": int(group),
                "readOnlyRootFilesystem": service["read_only"],
                "allowPrivilegeEscalation": False,
            },
        }
        self.processes[name] = start(container, volumes, command, user=0)

    ports: dict[str, int]

    def get(self, name: str, path: str, **headers: str):
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports[name]}{path}")
        for key, value in headers.items():
            request.add_header(key.replace("_", "-"), value)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def is_up(self, name: str) -> bool:
        process = self.processes[name]
        assert process.poll() is None, process.stdout.read()
        try:
            return bool(self.get(name, "/healthz"))
        except OSError:
            return False


@pytest.fixture
def running(tmp_path):
    tmp_path.chmod(0o755)
    made = Running(tmp_path)
    made.ports = {"sidecar": free_port(), "exporter": free_port()}
    yield made
    for process in made.processes.values():
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.skipif(not can_run(), reason="needs root, unshare and setpriv")
@pytest.mark.needs("prometheus")
def test_the_services_run_and_prometheus_scrapes_them(running, tmp_path):
    for name, module in OURS.items():
        running.start(name, [sys.executable, "-m", module], running.ports[name])
    for name in OURS:
        eventually(lambda each=name: running.is_up(each), what=name)
    running.start("model", [sys.executable, *SERVICES["model"]["entrypoint"][1:]])

    def inferences() -> float:
        text = running.get("sidecar", "/metrics")
        return total(samples(text), "mlguard_inferences_total", model="churn_v1", project="shop")

    eventually(lambda: inferences() > 5)

    # what the README promises of localhost:8000, by its published port
    event = {"project_id": "p", "model_id": "m", "y_pred": 1,
             "timestamp": datetime.now(UTC).replace(tzinfo=None).isoformat()}  # fmt: skip
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.ports['sidecar']}/api/v1/events",
        json.dumps(event).encode(),
        {"X-API-Key": "demo-key", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["accepted"] == 1
    # without AWS, the page says what is wrong instead of nothing
    eventually(lambda: "Spend cannot be read" in running.get("exporter", "/"), 60)

    config = (ROOT / "compose/prometheus.yml").read_text()
    for host, number in running.ports.items():
        config = re.sub(rf"{host}:\d+", f"127.0.0.1:{number}", config)
    rules = binds(SERVICES["prometheus"])["/etc/prometheus/rules"]
    config = config.replace("/etc/prometheus/rules", str(ROOT / rules)).replace("15s", "1s")
    (tmp_path / "prometheus.yml").write_text(config)
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stderr=log) as server:
        try:
            url = f"http://127.0.0.1:{port}/api/v1/query?query=sum(up)"

            def up() -> str:
                try:
                    with urllib.request.urlopen(url, timeout=10) as answer:
                        found = json.load(answer)["data"]["result"]
                except OSError:
                    return ""
                return found[0]["value"][1] if found else ""

            eventually(lambda: up() == "2")
        finally:
            server.terminate()
    for name in ("model", "sidecar", "exporter"):
        process = running.processes[name]
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 0, (name, output)
