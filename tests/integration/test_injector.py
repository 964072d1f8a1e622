"""The webhook over real TLS: every pod is admitted, whatever comes."""

from __future__ import annotations

import base64
import concurrent.futures
import http.client
import json
import signal
import socket
import ssl
import time
from datetime import UTC, datetime

import jsonpatch
import pytest
from support.sidecar import Daemon, eventually, free_port

from mlguard_injector.certificates import make_key_pair

NAME = "mlguard-injector.mlguard.svc"
IMAGE = "registry.example/mlguard-sidecar:0.1.0"


class Injector(Daemon):
    """An injector whose certificate is in files."""

    module = "mlguard_injector"

    def __init__(self, folder, sidecar=None) -> None:
        super().__init__(folder)
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.metrics_address = self.config.pop("listen")
        del self.config["data_dir"]
        self.config |= {
            "listen": f"127.0.0.1:{self.port}",
            "metrics_listen": self.metrics_address,
            "certificate": {"cert_file": str(folder / "tls.crt"),
                            "key_file": str(folder / "tls.key")},
            "sidecar": {"image": IMAGE, "native": "always"} | (sidecar or {}),
        }  # fmt: skip
        self.write_certificate()

    @property
    def url(self) -> str:
        return f"http://{self.metrics_address}"

    def write_certificate(self) -> None:
        pair = make_key_pair([NAME], datetime.now(UTC))
        (self.folder / "tls.crt").write_bytes(pair.certificate)
        (self.folder / "tls.key").write_bytes(pair.key)
        self.authority = pair.authority

    def connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cadata=self.authority.decode())
        made = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        made.sock = context.wrap_socket(raw, server_hostname=NAME)
        return made

    def ask(self, body: bytes):
        connection = self.connect()
        connection.request("POST", "/mutate", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found


@pytest.fixture
def injector(tmp_path):
    with Injector(tmp_path / "injector") as made:
        yield made


def review(pod, **request) -> bytes:
    body = {"uid": "u-1", "kind": {"kind": "Pod"}, "namespace": "shop", "object": pod}
    found = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    return json.dumps(found | {"request": body | request}).encode()


def pod(n: int = 1, **metadata):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x", **metadata},
        "spec": {"containers": [{"name": f"c{i}", "image": "m:1"} for i in range(n)]},
    }


def response(body: bytes) -> dict:
    found = json.loads(body)
    assert (found["apiVersion"], found["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert found["response"]["uid"] == "u-1"
    assert found["response"]["allowed"] is True
    return found["response"]


def test_a_pod_comes_back_with_a_sidecar(injector):
    status, body = injector.ask(review(pod()))
    found = response(body)
    assert (status, found["patchType"]) == (200, "JSONPatch")
    after = jsonpatch.apply_patch(pod(), json.loads(base64.b64decode(found["patch"])))
    assert after["spec"]["initContainers"][0]["image"] == IMAGE
    value = injector.value("mlguard_injector_admissions_total", outcome="injected")
    assert value == 1
    _, body = injector.ask(review(after))
    assert "patch" not in response(body)


def test_a_wrong_annotation_admits_the_pod_and_tells_how_to_mend_it(injector):
    _, body = injector.ask(review(pod(annotations={"mlguard.io/port": "x"})))
    found = response(body)
    assert "patch" not in found
    assert "mlguard.io/port: found 'x', expected a port" in found["warnings"][0]
    name = "mlguard_injector_admissions_total"
    assert injector.value(name, outcome="refused", reason="annotation") == 1
    assert "mlguard.io/port" in injector.log()


@pytest.mark.parametrize(
    "thing",
    [None, 7, "x", [], {}, {"spec": None}, {"spec": {"containers": None}},
     {"spec": {"containers": [7, None, {}]}}, {"metadata": 3, "spec": {"containers": [{}]}},
     {"metadata": {"annotations": {"mlguard.io/model": 7}}, "spec": {"containers": [{}]}},
     {"metadata": {"labels": {"a": None}, "ownerReferences": [{}, 3]},
      "spec": {"containers": [{"name": "c", "env": 3, "volumeMounts": {}}], "volumes": 7}}],
)  # fmt: skip
def test_whatever_a_pod_is_it_is_admitted(injector, thing):
    status, body = injector.ask(review(thing))
    assert status == 200
    response(body)
    assert injector.value("mlguard_injector_admissions_total", outcome="failed") == 0


def test_what_is_no_review_is_refused_in_one_line(injector):
    for body in (b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"kind": "AdmissionReview"}',
                 review(pod()).replace(b"io/v1", b"io/v1beta1"), b"[" * 100_000):  # fmt: skip
        status, text = injector.ask(body)
        assert status == 400
        assert text.count(b"\n") == 1
    assert injector.value("mlguard_injector_bad_requests_total") == 8
    assert injector.ask(review(pod()))[0] == 200


def test_a_pod_of_three_mebibytes_and_garbage_instead_of_tls(injector):
    huge = pod(200, annotations={f"note-{i}": "x" * 1000 for i in range(3000)})
    assert "patch" in response(injector.ask(review(huge))[1])
    for garbage in (b"\x16\x03\x01\xff\xff" + b"x" * 400, b"GET / HTTP/1.0\r\n\r\n", b"\x00" * 64):
        with socket.create_connection(("127.0.0.1", injector.port), timeout=10) as raw:
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(4096):
                pass
    assert injector.ask(review(pod()))[0] == 200


def test_five_hundred_at_once_are_all_answered(injector):
    def ask(_: int) -> bool:
        return "patch" in response(injector.ask(review(pod(3)))[1])

    with concurrent.futures.ThreadPoolExecutor(50) as threads:
        assert all(threads.map(ask, range(500)))
    assert injector.value("mlguard_injector_admissions_total", outcome="injected") == 500
    assert injector.value("mlguard_injector_admission_seconds_bucket", le="0.05") >= 495


def test_a_new_certificate_is_taken_up_without_a_restart(injector):
    before = injector.value("mlguard_injector_certificate_expires_timestamp_seconds")
    assert before > time.time() + 300 * 86_400
    injector.write_certificate()
    with pytest.raises(ssl.SSLCertVerificationError):
        injector.ask(review(pod()))
    injector.process.send_signal(signal.SIGHUP)

    def accepted() -> bool:
        try:
            return injector.ask(review(pod()))[0] == 200
        except ssl.SSLCertVerificationError:
            return False

    eventually(accepted)
    (injector.folder / "tls.crt").write_text("broken")
    injector.process.send_signal(signal.SIGHUP)
    eventually(lambda: "the last certificate stays in use" in injector.log())
    assert injector.ask(review(pod()))[0] == 200
