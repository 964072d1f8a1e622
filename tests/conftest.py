"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import settings
from support.aws import FakeAws
from support.receivers import Hook
from support.sidecar import Daemon, Exporter, Sidecar

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


def _maker(kind: type[Daemon], folder):
    made: list[Daemon] = []

    def make(**config) -> Daemon:
        made.append(kind(folder / f"{kind.module}{len(made)}", config))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()
