"""What the injected container would run is run: as its user, with its mounts and its arguments."""

from __future__ import annotations

import signal
import sys
import urllib.error
import urllib.request

import jsonpatch
import pytest
from support.containers import ENTRYPOINT, Volumes, can_run, start
from support.sidecar import eventually, free_port, samples, total

from mlguard_injector import SidecarConfig, inject

pytestmark = pytest.mark.skipif(not can_run(), reason="needs root, unshare and setpriv")

MODEL_SERVER = """
import sys
from mlguard import Guard
guard = Guard()
for i in range(int(sys.argv[1])):
    assert guard.log(features={"age": i % 50}, y_pred=i % 2, latency_ms=3)
assert guard.flush(20), guard.stats()
print(guard.stats())
"""


class Pod:
    """A pod of one model server, with the sidecar in it."""

    def __init__(self, folder, settings=None, annotations=None) -> None:
        self.port = free_port()
        wishes = {"port": str(self.port), **(annotations or {})}
        before = {
            "metadata": {
                "name": "churn",
                "annotations": {f"mlguard.io/{name}": value for name, value in wishes.items()},
            },
            "spec": {"containers": [{"name": "server", "image": "model:1"}]},
        }
        config = SidecarConfig(image="sidecar:1", config=settings or {})
        patch = inject(before, "shop", config, native=True).patch
        self.pod = jsonpatch.apply_patch(before, patch)
        files = {"own": {"config.yaml": "exposition: fleet\n"}}
        self.volumes = Volumes(folder / "volumes", self.pod, files)
        self.running = []

    def start_sidecar(self):
        made = start(
            self.pod["spec"]["initContainers"][0],
            self.volumes,
            ENTRYPOINT,
            user=0,
            secrets={"token": "relay-token", "api-key": "the-key"},
        )
        self.running.append(made)
        eventually(lambda: self.is_up(made), what="the sidecar")
        return made

    def is_up(self, process) -> bool:
        assert process.poll() is None, process.stdout.read()
        try:
            return self.get("/readyz") == "ready\n"
        except OSError:
            return False

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def run_server(self, events: int) -> str:
        """Run the model server as another user, until it has sent everything."""
        server = self.pod["spec"]["containers"][0]
        command = [sys.executable, "-c", MODEL_SERVER, str(events)]
        made = start(server, self.volumes, command, user=1234)
        self.running.append(made)
        output, _ = made.communicate(timeout=60)
        assert made.returncode == 0, output
        return output

    def inferences(self) -> float:
        return total(samples(self.get("/metrics")), "mlguard_inferences_total", model="churn")


@pytest.fixture
def make_pod(tmp_path):
    tmp_path.chmod(0o755)
    made = []

    def make(**wishes):
        made.append(Pod(tmp_path, **wishes))
        return made[-1]

    yield make
    for pod in made:
        for process in pod.running:
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.mark.needs("prometheus")
def test_the_containers_of_a_pod_share_the_socket_and_nothing_is_lost(make_pod, prometheus):
    pod = make_pod()
    sidecar = pod.start_sidecar()  # first, as a native sidecar is
    assert "acknowledged=5000" in pod.run_server(5000)
    assert pod.inferences() == 5000
    query = prometheus(f"127.0.0.1:{pod.port}")
    eventually(lambda: query("sum(mlguard_inferences_total)") == {(): 5000.0})
    data = pod.volumes.folders["mlguard-data"] / "mlguard.db"
    assert data.stat().st_uid == 65_532
    # the kubelet ends it after the model server
    sidecar.send_signal(signal.SIGTERM)
    output, _ = sidecar.communicate(timeout=20)
    assert sidecar.returncode == 0, output
    pod.start_sidecar()
    pod.run_server(500)
    assert pod.inferences() == 5500


def test_configuration_secrets_and_the_platform_s_settings_meet(make_pod):
    pod = make_pod(
        settings={"limits": {"models": 7}, "http": {"page": False}},
        annotations={"config": "own", "api-key-secret": "keys"},
    )
    pod.start_sidecar()
    pod.run_server(10)
    text = pod.get("/metrics")
    assert "mlguard_inferences_total" in text
    assert "mlguard_inferences_per_second" not in text  # the pod's own ConfigMap: fleet
    assert "ML Guard sidecar" in pod.get("/")  # the platform's: no page
