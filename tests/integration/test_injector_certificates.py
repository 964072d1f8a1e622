"""The certificate that replicas of the injector make, share and renew in a Secret."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import ssl
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization
from support.fake_kubernetes import FakeKubernetes
from support.sidecar import free_port

from mlguard_injector.certificates import (
    CertificateError,
    Certificates,
    KeyPair,
    make_key_pair,
)
from mlguard_injector.config import CertificateConfig, Config, SidecarConfig
from mlguard_injector.daemon import Daemon
from mlguard_injector.kubernetes import KubernetesApi

CONFIG = CertificateConfig(secret="tls", namespace="ml", service="inject", webhook="inject")
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/inject"
DAY = 86_400
NOW = datetime.now(UTC).timestamp()  # as certificates are verified by the machine's clock


@pytest.fixture
def kubernetes():
    with FakeKubernetes() as running:
        running.put(
            WEBHOOKS,
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": "inject"},
                "webhooks": [{"name": "a", "clientConfig": {"service": {"name": "inject"}}}],
            },
        )
        yield running


class Replica:
    """One replica, with a clock that is set by hand."""

    def __init__(self, api: KubernetesApi) -> None:
        self.now = NOW
        self.certificates = Certificates(CONFIG, api, lambda: self.now)

    async def refresh(self) -> None:
        await self.certificates.refresh()


@contextlib.asynccontextmanager
async def replicas(kubernetes, count: int = 1):
    async with contextlib.AsyncExitStack() as stack:
        apis = [KubernetesApi(kubernetes.url, Path("/none")) for _ in range(count)]
        yield [Replica(await stack.enter_async_context(api)) for api in apis]


def stored(kubernetes) -> KeyPair:
    data = kubernetes.find("Secret", "tls")["data"]
    return KeyPair(*(base64.b64decode(data[key]) for key in ("tls.crt", "tls.key", "ca.crt")))


def bundle(kubernetes) -> bytes:
    hook = kubernetes.objects[WEBHOOKS]["webhooks"][0]
    return base64.b64decode(hook["clientConfig"].get("caBundle", ""))


async def handshake(server: ssl.SSLContext, authority: bytes, name: str) -> None:
    """Connect as the API server does, with the bundle as the only authority."""

    async def answer(_, writer) -> None:
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server)
    async with listening:
        client = ssl.create_default_context(cadata=authority.decode())
        port = listening.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client, server_hostname=name
        )
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def test_the_first_start_makes_a_certificate_that_the_bundle_verifies(kubernetes):
    async def story() -> None:
        async with replicas(kubernetes) as (one,):
            await one.refresh()
            for name in ("inject.ml.svc", "inject.ml.svc.cluster.local"):
                await handshake(one.certificates.context, bundle(kubernetes), name)
            with pytest.raises(ssl.SSLCertVerificationError):
                await handshake(one.certificates.context, bundle(kubernetes), "other.ml.svc")
            assert stored(kubernetes).expires.timestamp() == one.certificates.expires

    asyncio.run(story())
    assert kubernetes.find("Secret", "tls")["type"] == "kubernetes.io/tls"


def test_what_is_right_is_left_alone(kubernetes):
    async def story() -> None:
        async with replicas(kubernetes) as (one,):
            await one.refresh()
            before = len(kubernetes.writes)
            one.now += 200 * DAY
            await one.refresh()
            assert len(kubernetes.writes) == before

    asyncio.run(story())


def test_a_certificate_is_renewed_before_it_expires_and_served_at_once(kubernetes):
    async def story() -> None:
        async with replicas(kubernetes) as (one,):
            await one.refresh()
            first = stored(kubernetes)
            one.now = first.expires.timestamp() - 91 * DAY
            await one.refresh()
            assert stored(kubernetes) == first
            one.now += 2 * DAY
            await one.refresh()
            second = stored(kubernetes)
            assert second.expires.timestamp() == pytest.approx(one.now + 365 * DAY, abs=2)
            assert bundle(kubernetes) == second.authority != first.authority
            assert first.authority in second.authority
            assert one.certificates.expires == second.expires.timestamp()

    asyncio.run(story())


def test_a_renewal_leaves_replicas_that_serve_the_last_certificate_reachable(kubernetes):
    async def story() -> None:
        async with replicas(kubernetes, 2) as (one, other):
            one.now = other.now = NOW - 300 * DAY
            await one.refresh()
            await other.refresh()
            one.now = other.now = NOW
            await one.refresh()
            for each in (one, other):
                await handshake(each.certificates.context, bundle(kubernetes), "inject.ml.svc")
            assert one.certificates.expires > other.certificates.expires
            one.now += 300 * DAY
            await one.refresh()
            assert bundle(kubernetes).count(b"BEGIN CERTIFICATE") == 2

    asyncio.run(story())


def test_replicas_that_start_at_once_share_one_certificate(kubernetes):
    async def story() -> None:
        async with replicas(kubernetes, 5) as several:
            await asyncio.gather(*(each.refresh() for each in several))
            for each in several:
                await each.refresh()
                await handshake(each.certificates.context, bundle(kubernetes), "inject.ml.svc")
            assert bundle(kubernetes) == stored(kubernetes).authority
            for each in several:
                each.now += 300 * DAY
            await asyncio.gather(*(each.refresh() for each in several))
            for each in several:
                await each.refresh()
            assert len({each.certificates.expires for each in several}) == 1

    asyncio.run(story())
    renewed = [w for w in kubernetes.writes if w.method == "PATCH" and "/secrets/" in w.path]
    assert all("resourceVersion" in w.body["metadata"] for w in renewed)


@pytest.mark.parametrize("status", [403, 500, 503])
def test_without_the_api_the_last_certificate_stays_in_use(kubernetes, status):
    async def story() -> None:
        async with replicas(kubernetes) as (one,):
            kubernetes.failure = status
            with pytest.raises(CertificateError, match=str(status)):
                await one.refresh()
            kubernetes.failure = None
            await one.refresh()
            kubernetes.failure = status
            one.now += 300 * DAY
            await one.refresh()
            await handshake(one.certificates.context, bundle(kubernetes), "inject.ml.svc")

    asyncio.run(story())


def test_what_others_break_is_mended(kubernetes):
    async def story() -> None:
        async with replicas(kubernetes) as (one,):
            await one.refresh()
            good = bundle(kubernetes)
            webhook = copy.deepcopy(kubernetes.objects[WEBHOOKS])
            webhook["webhooks"][0]["clientConfig"]["caBundle"] = "Cg=="
            webhook["webhooks"].append({"name": "b", "clientConfig": {}})
            kubernetes.put(WEBHOOKS, webhook)
            await one.refresh()
            bundles = {
                h["clientConfig"]["caBundle"] for h in kubernetes.objects[WEBHOOKS]["webhooks"]
            }
            assert bundles == {base64.b64encode(good).decode()}

            secret = copy.deepcopy(kubernetes.find("Secret", "tls"))
            secret["data"] = {"tls.crt": "Cg==", "tls.key": "Cg=="}
            kubernetes.put("/api/v1/namespaces/ml/secrets/tls", secret)
            await one.refresh()
            assert bundle(kubernetes) == stored(kubernetes).authority != good
            await handshake(one.certificates.context, bundle(kubernetes), "inject.ml.svc")

    asyncio.run(story())


@pytest.mark.parametrize("part", ["tls.crt", "tls.key", "ca.crt"])
def test_a_secret_whose_parts_do_not_match_gets_a_new_certificate(kubernetes, part):
    other = make_key_pair(["inject.ml.svc"], datetime.fromtimestamp(NOW, UTC))
    parts = {"tls.crt": other.certificate, "tls.key": other.key, "ca.crt": other.authority}

    async def story() -> None:
        async with replicas(kubernetes) as (one,):
            await one.refresh()
            secret = copy.deepcopy(kubernetes.find("Secret", "tls"))
            secret["data"][part] = base64.b64encode(parts[part]).decode()
            kubernetes.put("/api/v1/namespaces/ml/secrets/tls", secret)
            await one.refresh()
            await handshake(one.certificates.context, bundle(kubernetes), "inject.ml.svc")

    asyncio.run(story())


def test_a_service_of_another_name_gets_a_certificate_for_it(kubernetes):
    renamed = CertificateConfig(secret="tls", namespace="ml", service="other", webhook="inject")

    async def story() -> None:
        async with replicas(kubernetes) as (one,), KubernetesApi(kubernetes.url) as api:
            await one.refresh()
            certificates = Certificates(renamed, api, lambda: NOW)
            await certificates.refresh()
            await handshake(certificates.context, bundle(kubernetes), "other.ml.svc")
            await handshake(one.certificates.context, bundle(kubernetes), "inject.ml.svc")
            writes = len(kubernetes.writes)
            await certificates.refresh()
            assert len(kubernetes.writes) == writes

    asyncio.run(story())


@pytest.mark.parametrize("broken", ["another key", "no key", "a locked key", "no certificate"])
def test_files_that_do_not_match_leave_the_last_certificate_in_use(tmp_path, broken):
    names = ["inject.ml.svc"]
    first, second = (make_key_pair(names, datetime.fromtimestamp(NOW, UTC)) for _ in range(2))
    files = CertificateConfig(cert_file=str(tmp_path / "crt"), key_file=str(tmp_path / "key"))
    locked = serialization.load_pem_private_key(second.key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    certificate, key = {
        "another key": (second.certificate, first.key),
        "no key": (second.certificate, b""),
        "a locked key": (second.certificate, locked),
        "no certificate": (b"garbage", second.key),
    }[broken]

    def write(certificate: bytes, key: bytes) -> None:
        (tmp_path / "crt").write_bytes(certificate)
        (tmp_path / "key").write_bytes(key)

    async def story() -> None:
        certificates = Certificates(files, KubernetesApi("http://127.0.0.1:9"), lambda: NOW)
        write(first.certificate, first.key)
        await certificates.refresh()
        write(certificate, key)
        with pytest.raises(CertificateError):
            await certificates.refresh()
        await handshake(certificates.context, first.authority, *names)
        crlf = [text.replace(b"\n", b"\r\n") for text in (second.certificate, second.key)]
        write(crlf[0] + second.authority, crlf[1])
        await certificates.refresh()
        await handshake(certificates.context, second.authority, *names)

    asyncio.run(story())


def test_the_version_of_the_cluster_is_read_again_until_it_is_known(kubernetes, caplog):
    port = free_port()
    config = Config(
        listen=f"127.0.0.1:{port}",
        metrics_listen=f"127.0.0.1:{free_port()}",
        certificate=CONFIG,
        sidecar=SidecarConfig(image="registry.example/mlguard-sidecar:0.1.0"),
    )
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "server"}]}}
    request = {"uid": "7", "kind": {"kind": "Pod"}, "namespace": "shop", "object": pod}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}

    async def paths(session: aiohttp.ClientSession) -> str:
        url = f"https://127.0.0.1:{port}/mutate"
        async with session.post(url, json=review, ssl=False) as answered:
            return base64.b64decode((await answered.json())["response"]["patch"]).decode()

    async def story() -> None:
        stop = asyncio.Event()
        kubernetes.failure = 503
        api = KubernetesApi(kubernetes.url, Path("/none"))
        running = asyncio.create_task(Daemon(config, lambda: config, api).run(stop))
        async with aiohttp.ClientSession() as session, asyncio.timeout(30):
            # the log has nothing to await
            while "version of the cluster is not known" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            kubernetes.failure = None
            seen = ""
            while "/spec/initContainers" not in seen:
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    seen = await paths(session)
                await asyncio.sleep(0.05)
        stop.set()
        await running

    asyncio.run(story())
