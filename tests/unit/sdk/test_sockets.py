"""Where the SDK looks for the socket, and where the sidecar serves it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from unit.sdk.fake_sidecar import FakeSidecar

from mlguard import protocol
from mlguard.connection import find_socket

paths = pytest.importorskip("mlguard_sidecar.paths", reason="the SDK is installed alone")


@pytest.fixture
def usable(monkeypatch, tmp_path):
    """Folders that can be written to; all others cannot, whoever runs the test."""
    folders = set()
    monkeypatch.setattr(os, "access", lambda folder, _mode: folder in folders)
    # Not the machine's own, where a sidecar may run.
    monkeypatch.setattr(protocol, "SYSTEM_RUN_DIR", tmp_path / "run" / "mlguard")
    monkeypatch.setattr(paths, "SYSTEM_RUN_DIR", tmp_path / "run" / "mlguard")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("run", "tmp"):
        (tmp_path / name).mkdir()
    return folders


def serve(path):
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_the_environment_s_socket_comes_first(usable, monkeypatch, tmp_path):
    usable.add(tmp_path / "run")
    monkeypatch.setenv("MLGUARD_SOCKET", "/somewhere/else.sock")
    assert paths.socket_to_serve()[0] == find_socket() == Path("/somewhere/else.sock")


def test_then_the_system_s_folder_then_the_user_s_then_the_temporary_one(
    usable, monkeypatch, tmp_path
):
    uid = os.getuid()
    assert paths.socket_to_serve()[0] == tmp_path / ".local/state/mlguard/mlguard.sock"
    usable.add(tmp_path / "tmp")
    assert paths.socket_to_serve()[0] == tmp_path / f"tmp/mlguard-{uid}/mlguard.sock"
    usable |= {Path("/run/user"), Path(f"/run/user/{uid}")}
    assert paths.socket_to_serve()[0] == Path(f"/run/user/{uid}/mlguard/mlguard.sock")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    usable.add(tmp_path)
    assert paths.socket_to_serve()[0] == tmp_path / "runtime/mlguard/mlguard.sock"
    usable.add(tmp_path / "run")
    assert paths.socket_to_serve()[0] == tmp_path / "run/mlguard/mlguard.sock"


def test_the_sdk_finds_each_socket_that_the_sidecar_may_serve(usable, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    with pytest.raises(FileNotFoundError, match=r"no socket at .*/run/mlguard/mlguard\.sock"):
        find_socket()
    for allowed in (None, "tmp", "runtime", "run"):
        if allowed is not None:
            (tmp_path / allowed).mkdir(exist_ok=True)
            usable.add(tmp_path / allowed)
        assert serve(paths.socket_to_serve()[0]) == find_socket()


def test_a_system_s_socket_is_found_where_its_folder_may_not_be_written(usable, tmp_path):
    usable.add(tmp_path / "tmp")
    system = serve(tmp_path / "run/mlguard/mlguard.sock")
    assert find_socket() == system
    assert paths.socket_to_serve()[0] != system


@pytest.mark.usefixtures("usable")
def test_a_folder_that_another_user_made_is_not_trusted(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    socket = serve(tmp_path / "runtime/mlguard/mlguard.sock")
    assert find_socket() == socket
    if os.getuid() == 0:
        os.chown(socket.parent, 12345, -1)
    else:
        monkeypatch.setattr("os.getuid", lambda: 12345)
    with pytest.raises(FileNotFoundError):
        find_socket()


def test_data_go_to_the_system_s_folder_else_the_user_s(usable, monkeypatch, tmp_path):
    assert paths.data_dir() == tmp_path / ".local/state/mlguard"
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert paths.data_dir() == Path("/state/mlguard")
    usable |= {Path("/var/lib"), Path("/var/lib/mlguard")}
    assert paths.data_dir() == Path("/var/lib/mlguard")


def test_a_folder_is_usable_where_it_can_be_written_or_created(tmp_path):
    assert paths.is_usable(tmp_path)
    assert paths.is_usable(tmp_path / "new")
    assert not paths.is_usable(tmp_path / "no" / "parent")
    tmp_path.chmod(0o500)
    if os.getuid():  # root may write anywhere
        assert not paths.is_usable(tmp_path)
        assert not paths.is_usable(tmp_path / "new")
    tmp_path.chmod(0o700)


def test_a_guard_without_a_socket_finds_the_sidecar_that_comes_later(
    monkeypatch, make_guard, socket_path
):
    monkeypatch.setattr(protocol, "SYSTEM_RUN_DIR", socket_path.parent / "run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(socket_path.parent))
    guard = make_guard(socket=None)
    assert guard.log(y_pred=1)
    assert not guard.flush(0.1)
    default = socket_path.parent / "mlguard" / "mlguard.sock"
    default.parent.mkdir()
    sidecar = FakeSidecar(default).start()
    assert guard.flush(10)
    assert sidecar.column("y_pred") == [1]
    sidecar.stop()


def test_a_container_without_home_temporary_folder_or_user_has_places_too():
    code = (
        "import pwd, tempfile, mlguard.protocol as p\n"
        "def nobody(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = nobody\n"
        "def none(): raise FileNotFoundError(2, 'No usable temporary directory found')\n"
        "tempfile.gettempdir = none\n"
        "found = list(p.default_sockets())\n"
        "assert all(path.is_absolute() for path in found), found\n"
        "from mlguard import Guard\n"
        "guard = Guard(project='p', model='m')\n"
        "guard.log(features={'x': 1})\n"
        "guard.flush(0.1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"]},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
