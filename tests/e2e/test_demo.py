import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

MLGUARD = Path(sys.executable).with_name("mlguard")


@pytest.fixture
def scratch():
    # tmp_path may be longer than a socket's address can be.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def command(*arguments):
    return [str(MLGUARD), "demo", *arguments]


def environment(scratch):
    return {**os.environ, "TMPDIR": str(scratch)}


def number(pattern, text):
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in:\n{text}"
    return float(found[1].replace(",", ""))


@pytest.mark.timeout(300)
def test_the_year_goes_through_and_every_flight_is_counted(scratch):
    done = subprocess.run(
        command("--seconds", "12", "--listen", "127.0.0.1:0"),
        env=environment(scratch),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert number(r"([\d,]+) flights predicted", done.stdout) == 336_776
    assert number(r"sidecar counted ([\d,]+)", done.stdout) == 336_776
    peak = number(r"temp +PSI +([\d.]+)", done.stdout)
    chance = number(r"temp +PSI .*, chance ([\d.]+)", done.stdout)
    distance = number(r"distance, PSI ([\d.]+) at most", done.stdout)
    assert peak > chance
    assert peak > 20 * distance
    assert list(scratch.iterdir()) == []


def test_a_port_in_use_is_reported_in_one_line(scratch):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = subprocess.run(
            command("--listen", f"127.0.0.1:{port}"),
            env=environment(scratch),
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"port {port}" in done.stderr
    assert "--listen" in done.stderr
    assert list(scratch.iterdir()) == []


def test_a_folder_with_a_demo_in_it_is_left_alone(scratch):
    (scratch / "data").mkdir()
    done = subprocess.run(
        command("--listen", "127.0.0.1:0", "--folder", str(scratch)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(scratch) in done.stderr
    assert [each.name for each in scratch.iterdir()] == ["data"]


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param("sidecar  ", id="startup"),
        pytest.param("flights  ", id="replay", marks=pytest.mark.long),
    ],
)
def test_ctrl_c_leaves_nothing_behind(scratch, stage):
    with subprocess.Popen(
        command("--listen", "127.0.0.1:0"),
        env=environment(scratch),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        try:
            assert any(stage in line for line in demo.stdout), demo.stderr.read()
            children = psutil.Process(demo.pid).children(recursive=True)
            demo.send_signal(signal.SIGINT)
            output, errors = demo.communicate(timeout=30)
        finally:
            demo.kill()

    assert demo.returncode == 130
    assert errors == ""
    assert output.splitlines()[-1] == "Stopped, both servers are down."
    assert len(children) == 2
    assert not any(child.is_running() for child in children)
    assert list(scratch.iterdir()) == []
