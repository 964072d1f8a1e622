"""Fixtures that every test may use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest
from hypothesis import settings
from support.aws import FakeAws
from support.receivers import Hook
from support.sidecar import Daemon, Exporter, Sidecar, free_port

settings.register_profile("mlguard", deadline=None)  # machines are shared, and noisy
settings.load_profile("mlguard")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose tool is missing, or fail it where tools are required."""
    for mark in item.iter_markers("needs"):
        for tool in mark.args:
            if shutil.which(tool) is None:
                if os.environ.get("MLGUARD_REQUIRE_TOOLS") == "1":
                    pytest.fail(f"{tool} is not installed, and MLGUARD_REQUIRE_TOOLS=1")
                pytest.skip(f"{tool} is not installed")


@pytest.fixture
def sidecar(tmp_path):
    """A running sidecar with the defaults."""
    with Sidecar(tmp_path / "sidecar") as running:
        yield running


@pytest.fixture
def make_sidecar(tmp_path):
    """Makes sidecars that are not started, and ends what is left of them."""
    yield from _maker(Sidecar, tmp_path)


@pytest.fixture
def make_exporter(tmp_path):
    """Makes exporters that are not started, and ends what is left of them."""
    yield from _maker(Exporter, tmp_path)


@pytest.fixture
def fake_aws(monkeypatch):
    """An AWS that boto3 finds from this process; its clock is to be set."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with FakeAws() as fake:
        for name, value in fake.env().items():
            monkeypatch.setenv(name, value)
        yield fake


@pytest.fixture
def hook():
    """An HTTP receiver of messages."""
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def prometheus(tmp_path):
    """Starts a Prometheus that scrapes an address; gives a function that queries it."""
    processes = []

    def start(target: str):
        port = free_port()
        config = tmp_path / "prometheus.yml"
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "200ms"},
                    "scrape_configs": [
                        {"job_name": "mlguard", "static_configs": [{"targets": [target]}]}
                    ],
                }
            )
        )
        command = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (tmp_path / "prometheus.log").open("w") as log:
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))

        def query(expression: str) -> dict[tuple[str, ...], float]:
            """Values by the sorted values of the labels that the expression keeps."""
            url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode(
                {"query": expression}
            )
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    result = json.load(answer)["data"]["result"]
            except OSError:
                return {}
            return {
                tuple(v for _, v in sorted(series["metric"].items())): float(series["value"][1])
                for series in result
            }

        return query

    yield start
    for process in processes:
        process.terminate()
        process.wait(timeout=20)


def _maker(kind: type[Daemon], folder):
    made: list[Daemon] = []

    def make(**config) -> Daemon:
        made.append(kind(folder / f"{kind.module}{len(made)}", config))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()
