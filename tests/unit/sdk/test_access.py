"""Sockets that cannot be connected to: what the warning says, and between two users."""

import os
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from unit.sdk.fake_sidecar import FakeSidecar, eventually

import mlguard
from mlguard import Guard, protocol

SDK = Path(mlguard.__file__).parents[1]
SIDECAR_USER, APPLICATION_USER = 54321, 54322
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become other users")


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def warning(guard, caplog):
    guard.log(y_pred=1)
    (message,) = eventually(lambda: warnings(caplog))
    return message


def test_an_absent_socket_is_named(make_guard, socket_path, caplog):
    message = warning(make_guard(), caplog)
    assert f"there is no socket at {socket_path}; start the sidecar" in message


def test_an_absent_socket_of_the_environment_is_named(monkeypatch, socket_path, caplog):
    monkeypatch.setenv("MLGUARD_SOCKET", str(socket_path))
    with Guard("p", "m", flush_seconds=0) as guard:
        assert f"there is no socket at {socket_path}" in warning(guard, caplog)


def test_a_socket_that_nobody_listens_on_is_named(make_guard, socket_path, caplog):
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(socket_path))
    message = warning(make_guard(), caplog)
    assert f"nobody listens on {socket_path}" in message
    assert "mount its folder" in message


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_is_no_socket_is_named(make_guard, socket_path, caplog, make):
    make(socket_path)
    message = warning(make_guard(), caplog)
    assert f"{socket_path} is not a socket" in message
    assert "mount the folder" in message


def test_a_path_that_is_too_long_is_named(make_guard, caplog):
    long = "/tmp/" + "x" * 200
    assert long in warning(make_guard(socket=long), caplog)


def test_a_refused_hello_is_said(make_guard, socket_path, caplog, monkeypatch):
    sidecar = FakeSidecar(socket_path)

    def refuse(connection, *_):
        connection.sendall(b'{"error": {"reason": "bad_hello", "message": "version 1"}}\n')

    monkeypatch.setattr(sidecar, "_greet", refuse)
    sidecar.start()
    assert "refused hello" in warning(make_guard(), caplog)
    sidecar.stop()


CLIENT = """
    import grp, logging, os, pwd, sys, tempfile  # before the right to read the library is gone
    from mlguard import Guard

    logging.basicConfig(format="%(message)s")
    folder = os.environ.pop("SYSTEM_RUN_DIR", "")
    if folder:
        from pathlib import Path
        from mlguard import protocol
        protocol.SYSTEM_RUN_DIR = Path(folder)
    seconds = float(sys.argv[4])
    # Which loads an encoder.
    guard = Guard("p", "m", socket=sys.argv[3] or None, flush_seconds=seconds)
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[1]))
    guard.log(y_pred=1)
    print(guard.flush())
"""


def log_as(user, path, *, group=None, seconds=10, **environment):
    """Log an event as a user; whether it was acknowledged, and the messages."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(CLIENT)]
        + [str(each) for each in (user, user if group is None else group, path, seconds)],
        env={**os.environ, "PYTHONPATH": str(SDK), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout == "True\n", done.stderr


@pytest.fixture
def shared():
    """A folder that everybody can reach, and that belongs to the sidecar's user."""
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        folder = Path(outer) / "mlguard"
        folder.mkdir(mode=0o755)
        os.chown(folder, SIDECAR_USER, SIDECAR_USER)
        yield folder


@pytest.fixture
def foreign(shared):
    """A sidecar of another user than the application's."""
    sidecar = FakeSidecar(shared / "mlguard.sock").start()
    os.chown(sidecar.path, SIDECAR_USER, SIDECAR_USER)
    sidecar.path.chmod(0o660)
    yield sidecar
    sidecar.stop()


@needs_root
def test_a_socket_without_rights_is_named_with_its_mode_and_both_users(foreign):
    delivered, message = log_as(APPLICATION_USER, foreign.path, seconds=0.2)
    assert not delivered
    assert str(foreign.path) in message
    assert "mode is 0660" in message
    assert f"user {SIDECAR_USER}" in message
    assert f"user {APPLICATION_USER}" in message
    assert "socket.mode" in message
    assert message.count("\n") == 1


@needs_root
def test_users_have_their_names(foreign):
    os.chown(foreign.path, 0, 0)
    nobody = __import__("pwd").getpwnam("nobody").pw_uid
    _, message = log_as(nobody, foreign.path, seconds=0.2)
    assert "its owner user root (0)" in message
    assert f"user nobody ({nobody})" in message


@needs_root
def test_a_folder_without_rights_is_named(foreign):
    foreign.path.parent.chmod(0o700)
    delivered, message = log_as(APPLICATION_USER, foreign.path, seconds=0.2)
    assert not delivered
    assert f"{foreign.path} cannot be reached: {foreign.path.parent} may not be searched" in message
    assert "mode is 0700" in message


@needs_root
def test_a_named_socket_in_the_folder_of_the_sidecar_s_user_is_used(foreign):
    foreign.path.chmod(0o666)
    assert log_as(APPLICATION_USER, foreign.path) == (True, "")
    assert log_as(APPLICATION_USER, "", MLGUARD_SOCKET=str(foreign.path)) == (True, "")
    foreign.path.chmod(0o660)
    assert log_as(APPLICATION_USER, foreign.path, group=SIDECAR_USER) == (True, "")
    assert foreign.events == 3


@needs_root
def test_a_default_socket_in_the_folder_of_another_user_is_ignored_and_named(foreign, shared):
    foreign.path.chmod(0o666)
    environment = {"SYSTEM_RUN_DIR": str(shared), "XDG_RUNTIME_DIR": "", "HOME": "/nowhere"}
    delivered, message = log_as(APPLICATION_USER, "", seconds=0.2, **environment)
    assert not delivered
    assert f"{foreign.path} is ignored, as its folder belongs to user {SIDECAR_USER}" in message
    assert "MLGUARD_SOCKET" in message
    os.chown(shared, 0, 0)
    assert log_as(APPLICATION_USER, "", **environment) == (True, "")


SERVER = """
    import os, socket, sys
    from pathlib import Path
    from mlguard_common.web import BindError
    from mlguard_sidecar.ingest.listener import bind_socket

    "x".encode("idna")
    os.setgroups([])
    os.setgid(int(sys.argv[1]))
    os.setuid(int(sys.argv[1]))
    try:
        bound = bind_socket(Path(sys.argv[2]), 0o666, is_named=sys.argv[3] == "named")
    except BindError as error:
        sys.exit(str(error))
    bound.listen()
    print(Path(sys.argv[2]).stat().st_uid)
"""


def serve_as(user, path, kind):
    """Serve a socket as a user; its owner and the error."""
    pytest.importorskip("mlguard_sidecar", reason="the SDK is installed alone")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SERVER), str(user), str(path), kind],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout.strip(), done.stderr.strip()


@needs_root
def test_the_sidecar_serves_a_named_socket_in_the_application_s_folder(shared):
    os.chown(shared, APPLICATION_USER, SIDECAR_USER)
    shared.chmod(0o770)
    path = shared / "mlguard.sock"
    assert serve_as(SIDECAR_USER, path, "named") == (str(SIDECAR_USER), "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    path.unlink()
    owner, error = serve_as(SIDECAR_USER, path, "default")
    assert owner == ""
    assert f"{shared} belongs to user {APPLICATION_USER}" in error
    assert f"name {path} with --socket" in error


@needs_root
def test_a_folder_that_the_sidecar_may_not_write_to_is_named_with_both_users(shared):
    os.chown(shared, APPLICATION_USER, APPLICATION_USER)
    _, error = serve_as(SIDECAR_USER, shared / "mlguard.sock", "named")
    assert "Permission denied" in error
    assert f"{shared} has mode 0755, owner {APPLICATION_USER}" in error
    assert f"this process is user {SIDECAR_USER}" in error


def test_a_path_of_the_configuration_or_the_environment_is_named(monkeypatch):
    paths = pytest.importorskip("mlguard_sidecar.paths", reason="the SDK is installed alone")
    assert paths.socket_to_serve("/a/b.sock") == (Path("/a/b.sock"), True)
    monkeypatch.setenv("MLGUARD_SOCKET", "/c/d.sock")
    assert paths.socket_to_serve() == (Path("/c/d.sock"), True)
    monkeypatch.delenv("MLGUARD_SOCKET")
    path, is_named = paths.socket_to_serve()
    assert path in set(protocol.default_sockets())
    assert not is_named
