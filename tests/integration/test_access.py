"""Who is answered over HTTP, by sidecar and exporter alike."""

from __future__ import annotations

import http.client
import json
import os
import socket

import pytest

KEY = "demo-key-1"
PATHS = [
    ("GET", "/"),
    ("GET", "/api/v1/alerts"),
    ("POST", "/-/reload"),
    ("GET", "/api/v1/silences"),
]


def ask(daemon, path="/api/v1/alerts", method="GET", source="127.0.0.1", **headers) -> int:
    """The status of an answer; headers with `_` for `-`."""
    port = daemon.config["listen"].rpartition(":")[2]
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(port), timeout=10, source_address=(source, 0)
    )
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.putheader("Content-Length", "0")
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture(params=["sidecar", "exporter"])
def make(request, make_sidecar, make_exporter):
    kinds = {"sidecar": make_sidecar, "exporter": make_exporter}
    return lambda **http: kinds[request.param](rules={"enabled": False}, http=http).start()


def test_loopback_counts_only_with_a_loopback_name(make):
    daemon = make()
    port = daemon.config["listen"].rpartition(":")[2]
    for host in (
        "localhost",
        f"localhost:{port}",
        "127.0.0.1",
        "[::1]",
        f"[::1]:{port}",
        "LOCALHOST",
    ):
        assert ask(daemon, Host=host) == 200, host
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "",
        "0.0.0.0",
        "evil.example@localhost:x",
        "evil.example@localhost",
        "localhost/evil",
        "localhost?x",
        "localhost:evil.example",
        "localhost...",
    ):
        for method, path in PATHS:
            assert ask(daemon, path, method, Host=host) in (400, 403), (host, path)
    for path in ("/metrics", "/healthz", "/readyz"):
        assert ask(daemon, path, Host="evil.example") == 200
    assert ask(daemon, source="127.0.0.6") == 403, "a mesh's proxy is not loopback"


def test_a_key_opens_under_any_name_and_one_that_is_not_needed_is_ignored(make):
    daemon = make(api_keys=["first", KEY], allowed_hosts=["models.internal"])
    assert ask(daemon) == 200
    assert ask(daemon, X_API_Key="wrong") == 200
    assert ask(daemon, Host="models.internal:80") == 200
    for where in ({"Host": "evil.example"}, {"source": "127.0.0.6"}):
        assert ask(daemon, **where) == 401
        for wrong in ("", "wrong", KEY[:-1], KEY + "1", "\xe9"):
            assert ask(daemon, X_API_Key=wrong, **where) == 401
        for key in (KEY, "first"):
            assert ask(daemon, X_API_Key=key, **where) == 200
            assert ask(daemon, "/-/reload", "POST", X_API_Key=key, **where) == 200
    assert KEY not in daemon.log()


def test_a_page_elsewhere_changes_nothing_even_with_a_key(make):
    daemon = make(api_keys=[KEY])
    port = daemon.config["listen"].rpartition(":")[2]
    for origin in ("http://[", "http://127.0.0.1@evil.example:1"):
        assert ask(daemon, "/-/reload", "POST", Origin=origin) == 403, origin
    for origin in (
        "http://evil.example",
        "null",
        f"http://evil.example:{port}",
        "http://127.0.0.1:1",
    ):
        assert ask(daemon, "/-/reload", "POST", Origin=origin) == 403, origin
        assert ask(daemon, "/-/reload", "POST", Origin=origin, X_API_Key=KEY) == 403, origin
        assert ask(daemon, Origin=origin) == 200, "reading is not changing"
    assert ask(daemon, "/-/reload", "POST", Origin=f"http://127.0.0.1:{port}") == 200
    assert (
        daemon.value(
            f"mlguard_{daemon.module.removeprefix('mlguard_')}_config_reloads_total",
            outcome="success",
        )
        == 1
    )


def test_keys_come_from_a_file_and_from_the_environment(make_sidecar, tmp_path, monkeypatch):
    (tmp_path / "key").write_text("from-file\n")
    monkeypatch.setenv("MLGUARD_API_KEY", "from-environment")
    daemon = make_sidecar(http={"api_keys_file": str(tmp_path / "key")}).start()
    for key in ("from-file", "from-environment"):
        assert ask(daemon, Host="x", X_API_Key=key) == 200
    assert ask(daemon, Host="x", X_API_Key="from-file\n".strip() + "x") == 401
    (tmp_path / "key").write_text("changed\n")
    assert ask(daemon, "/-/reload", "POST") == 200
    assert ask(daemon, Host="x", X_API_Key="changed") == 200
    assert ask(daemon, Host="x", X_API_Key="from-file") == 401
    (tmp_path / "key").unlink()
    assert ask(daemon, "/-/reload", "POST") == 400
    assert ask(daemon, Host="x", X_API_Key="changed") == 200, "what was read stays in use"
    assert os.fspath(tmp_path / "key") not in daemon.log()


def test_the_unix_socket_needs_no_key(make_sidecar):
    daemon = make_sidecar(http={"api_keys": [KEY]}).start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.bind(str(daemon.folder / "named.sock"))  # a peer that has a name
        client.connect(str(daemon.socket_path.with_name("http.sock")))
        client.sendall(b"GET /api/v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["models"] == []


def test_metrics_in_the_format_and_encoding_that_a_client_accepts(sidecar):
    import gzip
    import urllib.request

    def page(**headers) -> tuple[dict[str, str], bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(sidecar.url + "/metrics", headers=named)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(answer.headers), answer.read()

    plain = "text/plain; version=0.0.4; charset=utf-8"
    headers, body = page()
    assert headers["Content-Type"] == plain
    assert b"# TYPE mlguard_build_info gauge" in body
    openmetrics = "application/openmetrics-text; version=1.0.0"
    assert page(Accept=f"{openmetrics};q=0.6,text/plain;q=0.3")[0]["Content-Type"] == plain
    headers, body = page(Accept=openmetrics)
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    headers, body = page(Accept_Encoding="gzip, deflate")
    assert headers["Content-Encoding"] == "gzip"
    assert b"# TYPE mlguard_build_info gauge" in gzip.decompress(body)
