import os
import tempfile
from pathlib import Path

import pytest

from mlguard import paths


@pytest.fixture
def system(monkeypatch, tmp_path):
    """Let only these folders of the system be usable, whoever runs the test."""
    usable = set()
    monkeypatch.setattr(paths, "_usable", lambda folder: folder in usable)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return usable


def test_the_environment_s_socket_comes_first(system, monkeypatch):
    system.add(Path("/run/mlguard"))
    monkeypatch.setenv("MLGUARD_SOCKET", "/somewhere/else.sock")
    assert paths.socket_to_serve() == paths.socket_to_reach() == Path("/somewhere/else.sock")


def test_then_the_system_s_folder_then_the_user_s_then_the_temporary_one(system, monkeypatch):
    uid = os.getuid()
    temporary = Path(tempfile.gettempdir()) / f"mlguard-{uid}" / "mlguard.sock"
    system.add(temporary.parent.parent)
    assert paths.socket_to_serve() == temporary
    system.add(Path(f"/run/user/{uid}"))
    assert paths.socket_to_serve() == Path(f"/run/user/{uid}/mlguard/mlguard.sock")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/runtime")
    system.add(Path("/runtime"))
    assert paths.socket_to_serve() == Path("/runtime/mlguard/mlguard.sock")
    system.add(Path("/run/mlguard"))
    assert paths.socket_to_serve() == Path("/run/mlguard/mlguard.sock")


def test_an_existing_socket_is_reached_before_one_that_could_be_served(
    system, monkeypatch, tmp_path
):
    system.add(Path("/run/mlguard"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if Path("/run/mlguard/mlguard.sock").exists():
        pytest.skip("a sidecar runs on this machine")
    assert paths.socket_to_reach() == Path("/run/mlguard/mlguard.sock")
    mine = tmp_path / "mlguard" / "mlguard.sock"
    mine.parent.mkdir()
    mine.touch()
    assert paths.socket_to_reach() == mine
    assert paths.socket_to_serve() == Path("/run/mlguard/mlguard.sock")


@pytest.mark.usefixtures("system")
def test_a_system_s_socket_is_reached_where_its_folder_may_not_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "_SYSTEM", tmp_path / "run")
    theirs = tmp_path / "run" / "mlguard.sock"
    assert paths.socket_to_reach() != theirs
    theirs.parent.mkdir()
    theirs.touch()
    assert paths.socket_to_reach() == theirs
    assert paths.socket_to_serve() != theirs


@pytest.mark.usefixtures("system")
def test_a_folder_that_another_user_made_is_not_trusted(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    socket = tmp_path / "mlguard" / "mlguard.sock"
    socket.parent.mkdir()
    socket.touch()
    assert paths.socket_to_reach() == socket
    if os.getuid() == 0:
        os.chown(socket.parent, 12345, -1)
    else:
        monkeypatch.setattr("os.getuid", lambda: 12345)
    assert paths.socket_to_reach() != socket


def test_data_go_to_the_system_s_folder_else_the_user_s(system, monkeypatch, tmp_path):
    assert paths.data_dir() == tmp_path / ".local" / "state" / "mlguard"
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert paths.data_dir() == Path("/state/mlguard")
    system.add(Path("/var/lib/mlguard"))
    assert paths.data_dir() == Path("/var/lib/mlguard")


def test_a_folder_is_usable_where_it_can_be_written_or_made(tmp_path):
    assert paths._usable(tmp_path)
    assert paths._usable(tmp_path / "new")
    assert not paths._usable(tmp_path / "no" / "parent")
    tmp_path.chmod(0o500)
    if os.getuid():  # root may write anywhere
        assert not paths._usable(tmp_path)
        assert not paths._usable(tmp_path / "new")
    tmp_path.chmod(0o700)
