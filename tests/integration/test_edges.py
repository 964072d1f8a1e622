"""What comes from others and is odd, large or hostile: it is refused, and nothing is lost by it."""

from __future__ import annotations

import gzip
import http.client
import re
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

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
    assert answers == [(415, "expected a body that is not compressed\n")] * 16
    assert peak_mebibytes(sidecar.process.pid) - before < 8
    assert ask(f"{sidecar.url}/healthz") == (200, "ok\n")


def test_a_body_beyond_the_limit_is_refused_and_not_held(sidecar):
    before = peak_mebibytes(sidecar.process.pid)
    for path in ("/api/v1/silences", "/-/reload", "/nothing"):
        assert post_pieces(sidecar.url, path, 200, {"Content-Length": str(200 * MIB)}) == 413
        assert peak_mebibytes(sidecar.process.pid) - before < 4
    assert (
        post_pieces(sidecar.url, "/api/v1/silences", 200, {"Transfer-Encoding": "chunked"}) == 413
    )
    assert peak_mebibytes(sidecar.process.pid) - before < 30, "as far as the limit, and no further"


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
