import tempfile
from pathlib import Path

import pytest
from unit.sdk.fake_sidecar import FakeSidecar

from mlguard import Guard


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in ("PROJECT", "MODEL", "ENDPOINT", "SOCKET"):
        monkeypatch.delenv(f"MLGUARD_{name}", raising=False)


@pytest.fixture
def socket_path():
    # tmp_path may be longer than a socket's address can be.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "mlguard.sock"


@pytest.fixture
def sidecar(socket_path):
    serving = FakeSidecar(socket_path).start()
    yield serving
    serving.stop()


@pytest.fixture
def make_guard(socket_path):
    guards = []

    def make(**options):
        guards.append(Guard(**{"project": "p", "model": "m", "socket": socket_path, **options}))
        return guards[-1]

    yield make
    for guard in guards:
        guard.close(0)


@pytest.fixture
def guard(make_guard, sidecar):  # the sidecar is there first
    assert sidecar
    return make_guard()
