"""What comes from others and is odd, large or hostile: it is refused, and nothing is lost by it."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlguard_common.web import rfc3339

MIB = 1 << 20


def ask(
    url: str, body: bytes | None = None, method: str | None = None, **headers: str
) -> tuple[int, str]:
    """Status and text of an answer."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def peak_mebibytes(pid: int) -> float:
    """The most memory that a process has had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """Three hundred megabytes, as one of them takes."""
    return gzip.compress(b"0" * 300 * MIB, 9)


@pytest.mark.parametrize("path", ["/nothing", "/metrics", "/-/reload", "/api/v1/silences"])
def test_a_compressed_body_is_refused_before_it_grows(sidecar, bomb, path):
    url = f"{sidecar.url}{path}"
    assert ask(url, b"{}", Content_Encoding="identity")[0] != 415
    assert ask(url, gzip.compress(b"{}"), Content_Encoding="gzip")[0] == 415
    before = peak_mebibytes(sidecar.process.pid)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(url, bomb, Content_Encoding="gzip"), range(16)))
    assert {status for status, _ in answers} == {415}
    assert all("expected a body that is not compressed" in text for _, text in answers)
    assert peak_mebibytes(sidecar.process.pid) - before < 8
    assert ask(f"{sidecar.url}/healthz") == (200, "ok\n")


def test_a_body_beyond_the_limit_is_refused_and_not_held(sidecar):
    before = peak_mebibytes(sidecar.process.pid)
    for path in ("/api/v1/silences", "/-/reload", "/nothing"):
        assert post_pieces(sidecar.url, path, 200, {"Content-Length": str(200 * MIB)}) == 413
        assert peak_mebibytes(sidecar.process.pid) - before < 4


def test_what_was_refused_is_not_kept(sidecar):
    before = peak_mebibytes(sidecar.process.pid)
    chunked = {"Transfer-Encoding": "chunked"}
    for _ in range(15):
        assert post_pieces(sidecar.url, "/api/v1/silences", 200, chunked) == 413
        assert ask(f"{sidecar.url}/api/v1/silences", b"0" * 7 * MIB)[0] == 400
    assert peak_mebibytes(sidecar.process.pid) - before < 40, "a few bodies of 8 MiB, and no more"


def post_pieces(url: str, path: str, mebibytes: int, headers: dict[str, str]) -> int:
    """Send a body of so many MiB, or as much of it as is taken; the status of the answer."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    connection.putrequest("POST", path)
    for name, value in (headers | {"Content-Type": "application/json"}).items():
        connection.putheader(name, value)
    connection.endheaders()
    piece = b"0" * MIB
    if "Transfer-Encoding" in headers:
        piece = b"%x\r\n%s\r\n" % (MIB, piece)
    try:
        for _ in range(mebibytes):
            connection.send(piece)
    except OSError:
        pass  # the answer is there, and the rest is not wanted
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def own_address() -> str:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            found = probe.getsockname()[0]
        except OSError:
            pytest.skip("this machine has no address but loopback")
    if found.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    return found


def test_a_stranger_reads_and_changes_nothing(make_sidecar, make_exporter):
    address = own_address()
    for make in (make_sidecar, make_exporter):
        daemon = make(rules={"enabled": False})
        daemon.config["listen"] = daemon.config["listen"].replace("127.0.0.1", "0.0.0.0")
        daemon.start()
        port = daemon.config["listen"].rpartition(":")[2]
        here, there = f"http://127.0.0.1:{port}", f"http://{address}:{port}"
        lie = {"X_Forwarded_For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
        changes = [
            ("/-/reload", "POST"),
            ("/api/v1/silences", "POST"),
            ("/api/v1/silences/x", "DELETE"),
        ]
        if make is make_exporter:
            changes += [("/api/v1/alertmanager", "POST"), ("/api/v2/alerts", "POST")]
        for path, method in changes:
            assert ask(there + path, b"{}", method, **lie)[0] == 403, path
            assert ask(here + path, b"{}", method)[0] != 403, path
        assert ask(f"{there}/healthz") == (200, "ok\n")
        assert ask(f"{here}/-/reload", b"") == (200, "reloaded\n")
        assert daemon.log().count("configuration reloaded") == 2


def test_the_unix_socket_is_this_machine(sidecar):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(sidecar.socket_path.with_name("http.sock")))
        client.sendall(b"POST /-/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


DEEP = b"[" * 200_000


def test_what_is_nested_too_deeply_is_refused(sidecar, make_exporter):
    exporter = make_exporter(rules={"enabled": False}).start()
    assert (
        ask(f"{sidecar.url}/api/v1/silences", b'{"matchers": ["a=b"], "ends_at": ' + DEEP)[0] == 400
    )
    posted = b'[{"labels": {"a": "b"}, "x": ' + DEEP
    assert ask(f"{exporter.url}/api/v2/alerts", posted)[0] == 400
    hook = b'{"version": "4", "groupKey": "", "alerts": [], "x": ' + DEEP
    assert ask(f"{exporter.url}/api/v1/alertmanager", hook)[0] == 400
    for daemon in (sidecar, exporter):
        assert "Traceback" not in daemon.log()


@pytest.mark.parametrize(
    "odd",
    [
        "9999-12-31T23:59:59-23:59",
        "9999-12-31T23:59:59Z",
        "9001-01-01T00:00:00Z",
        "0002-01-01T00:00:00Z",
        "1969-12-31T00:00:00Z",
    ],
)
def test_a_time_that_cannot_be_is_refused(make_exporter, odd):
    exporter = make_exporter(rules={"enabled": False}).start()
    for key in ("startsAt", "endsAt"):
        alert = {"labels": {"alertname": "Far"}, key: odd}
        posted = [{"labels": {"alertname": "Near"}}, alert]
        assert ask(f"{exporter.url}/api/v2/alerts", json.dumps(posted).encode())[0] == 400
        hook = {"version": "4", "groupKey": "", "alerts": [alert | {"status": "resolved"}]}
        assert ask(f"{exporter.url}/api/v1/alertmanager", json.dumps(hook).encode())[0] == 400
    status, told = ask(f"{exporter.url}/api/v1/alerts")
    assert (status, json.loads(told)["data"]["alerts"]) == (200, [])


def test_go_s_zero_time_is_none(make_exporter):
    exporter = make_exporter(rules={"enabled": False}).start()
    zero = "0001-01-01T00:00:00Z"
    posted = [{"labels": {"alertname": "Now"}, "startsAt": zero, "endsAt": zero}]
    assert ask(f"{exporter.url}/api/v2/alerts", json.dumps(posted).encode())[0] == 200
    status, told = ask(f"{exporter.url}/api/v1/alerts")
    (alert,) = json.loads(told)["data"]["alerts"]
    assert (status, alert["state"], alert["activeAt"][:2]) == (200, "firing", "20")


@pytest.mark.parametrize("seconds", [-1e300, 1e300, float("nan"), 253_402_300_800.0, 0.0])
def test_every_number_can_be_told_as_a_time(seconds):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00.000\+00:00", rfc3339(seconds))


DEAD = """import sys

sys.modules.setdefault("pandas", None)
from mlguard_rules.service import Alerting


async def run(self):
    raise RuntimeError("a fault of ours")


Alerting.run = run
from mlguard_exporter.main import main

sys.exit(main(sys.argv[1:]))
"""


def test_an_exporter_whose_alerting_is_dead_ends_and_says_why(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", DEAD, "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "a fault of ours" in done.stderr


def mlguard(*arguments: str, **more) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlguard_sidecar.cli", "alerts", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **more)


def test_the_list_shows_control_characters_harmlessly(make_exporter):
    exporter = make_exporter(rules={"enabled": False}).start()
    posted = [
        {
            "labels": {"alertname": "E\x1b]0;owned\x07\x1b[2J", "severity": "a\tb"},
            "annotations": {"summary": "x\x1b[31mred\ny \u202e" + "long " * 1000},
        }
    ]
    assert ask(f"{exporter.url}/api/v2/alerts", json.dumps(posted).encode())[0] == 200
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
    silence = {"matchers": ["a=\x1b[2J"], "ends_at": soon, "comment": "c\nd"}
    assert ask(f"{exporter.url}/api/v1/silences", json.dumps(silence).encode())[0] == 200
    found = mlguard("list", "--url", f"{exporter.url}/").stdout
    silences = mlguard("list", "--silences", "--url", f"{exporter.url}//").stdout
    for text in (found, silences):
        assert len(text.splitlines()) == 2
        assert text.replace("\n", "").replace("\u2026", "").isprintable()
        assert max(map(len, text.splitlines())) < 300
    assert r"E\x1b]0;owned\x07\x1b[2J" in found
    assert r"x\x1b[31mred\ny \u202elong long" in found
    assert r"c\nd" in silences


def test_test_notify_reads_the_exporter_s_file_too(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "relay: {token: '${NOT_SET}'}\nmodels: 7\n"
        "notify: {receivers: [{name: a, url: 'json://127.0.0.1:1'}]}\n"
    )
    done = mlguard("test-notify", "--config", str(path))
    assert done.stderr == "a: not sent: no connection could be made\n"
    path.write_text("notify: {receivers: [{name: a, uri: 'json://127.0.0.1:1'}]}\n")
    done = mlguard("test-notify", "--config", str(path))
    assert done.returncode == 2
    assert done.stderr == (
        f"mlguard: {path}: notify.receivers[0]: unknown key; did you mean url?\n"
    )


NAMELESS = """import os, sys
from mlguard_sidecar.cli.alerts import alerts

for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
    os.environ.pop(name, None)
"x".encode("idna")  # loads it, before the right to read the library is gone
os.setuid(54321)
alerts(sys.argv[1:])
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody without a name")
def test_a_silence_by_a_user_without_a_name_is_by_its_number(sidecar):
    done = subprocess.run(
        [sys.executable, "-c", NAMELESS, "silence", "a=b", "--for", "1h", "--url", sidecar.url],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    _, told = ask(f"{sidecar.url}/api/v1/silences")
    assert json.loads(told)["data"][0]["author"] == "54321"
