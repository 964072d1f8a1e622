"""The daemons run with the configuration that the chart renders, and its check finds them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
import yaml
from support.helm import Helm, one, pod_spec
from support.sidecar import Daemon, Exporter, free_port

from mlguard_injector.certificates import make_key_pair


class Injector(Daemon):
    """An injector with a rendered configuration, a certificate in files, and ports of its own."""

    module = "mlguard_injector"

    def __init__(self, folder, config) -> None:
        super().__init__(folder)
        self.port = free_port()
        pair = make_key_pair(["localhost"], datetime.now(UTC))
        (folder / "tls.crt").write_bytes(pair.certificate)
        (folder / "tls.key").write_bytes(pair.key)
        self.metrics_address = self.config["listen"]
        self.config = config | {
            "listen": f"127.0.0.1:{self.port}",
            "metrics_listen": self.metrics_address,
            "certificate": {
                "cert_file": str(folder / "tls.crt"),
                "key_file": str(folder / "tls.key"),
            },
        }

    @property
    def url(self) -> str:
        return f"http://{self.metrics_address}"


@pytest.fixture
def manifests(tmp_path):
    home = tmp_path / "helm"
    home.mkdir()
    return Helm("helm4", home).template({"sidecar": {"native": "always"}})


def config(manifests, name: str):
    return yaml.safe_load(one(manifests, "ConfigMap", name)["data"]["config.yaml"])


def test_the_check_of_a_release_passes_beside_the_real_daemons_alone(tmp_path, manifests):
    python, *command = pod_spec(one(manifests, "Pod", "mlguard-check"))["containers"][0]["command"]
    assert python == "python"

    def check(webhook: str, exporter: str) -> tuple[int, str]:
        impatient = command[1].replace("ATTEMPTS, PAUSE_SECONDS = 30, 2.0",
                                       "ATTEMPTS, PAUSE_SECONDS = 1, 0.0")  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", impatient, webhook, exporter],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return done.returncode, done.stdout

    injector = Injector(tmp_path / "injector", config(manifests, "mlguard-injector"))
    exporter = Exporter(tmp_path / "exporter", config(manifests, "mlguard-exporter"))
    webhook = f"https://127.0.0.1:{injector.port}/mutate"
    assert check(webhook, "-")[0] == 1
    with injector, exporter:
        status, text = check(webhook, exporter.url)
        assert status == 0, text
        assert "changes to a pod" in text
        assert "ready" in text
        assert injector.value("mlguard_injector_admissions_total", outcome="injected") == 1
    assert check("-", exporter.url)[0] == 1
