"""Real Helm installs, upgrades and uninstalls the chart, beside an injector's certificate."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from pathlib import Path

import pytest
from support.fake_kubernetes import FakeKubernetes
from support.helm import CHART, MAJORS, Helm

from mlguard_injector.certificates import Certificates
from mlguard_injector.config import CertificateConfig
from mlguard_injector.kubernetes import KubernetesApi

CERTIFICATE = CertificateConfig(secret="mlguard-injector-tls", namespace="ml")


@pytest.fixture
def kubernetes():
    with FakeKubernetes() as running:
        yield running


def look_after_the_certificate(kubernetes) -> None:
    async def once() -> None:
        async with KubernetesApi(kubernetes.url, Path("/none")) as api:
            await Certificates(CERTIFICATE, api, time.time).refresh()

    asyncio.run(once())


@pytest.mark.parametrize("name", MAJORS)
def test_the_certificate_outlives_upgrades_and_the_spend_outlives_the_release(
    name, tmp_path, kubernetes
):
    helm = Helm(name, tmp_path)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(kubernetes.kubeconfig())

    def run(command: str, *arguments: object) -> str:
        return helm.ok(command, *arguments, "--namespace", "ml", KUBECONFIG=str(kubeconfig))

    def release(command: str, values) -> str:
        return run(
            command, "mlguard", CHART, "--disable-openapi-validation",
            "--values", helm.values(values),
        )  # fmt: skip

    notes = release("install", {})
    assert "kubectl patch deployment MODEL" in notes
    installed = kubernetes.names()
    assert {"Deployment/mlguard-injector", "Deployment/mlguard-exporter"} <= installed
    assert "Secret/mlguard-injector-tls" not in installed

    look_after_the_certificate(kubernetes)
    secret = copy.deepcopy(kubernetes.find("Secret", "mlguard-injector-tls"))
    bundle = kubernetes.find("MutatingWebhookConfiguration", "mlguard-injector")["webhooks"][0]
    assert bundle["clientConfig"]["caBundle"] == secret["data"]["ca.crt"]

    before = len(kubernetes.writes)
    for timeout in (7, 9):
        release("upgrade", {"injector": {"timeoutSeconds": timeout}})
        hook = kubernetes.find("MutatingWebhookConfiguration", "mlguard-injector")["webhooks"][0]
        assert hook["timeoutSeconds"] == timeout
        assert hook["clientConfig"]["caBundle"] == secret["data"]["ca.crt"]
    assert kubernetes.find("Secret", "mlguard-injector-tls") == secret
    assert not [w for w in kubernetes.writes[before:] if "injector-tls" in w.path]
    assert not [w for w in kubernetes.writes[before:] if "caBundle" in json.dumps(w.body)]
    (found,) = json.loads(run("list", "--output", "json"))
    assert (found["status"], found["revision"]) == ("deployed", "3")

    changed = len(kubernetes.writes)
    look_after_the_certificate(kubernetes)
    assert len(kubernetes.writes) == changed

    releases = [o for o in kubernetes.objects.values() if o.get("type") == "helm.sh/release.v1"]
    assert len(releases) == 3
    assert max(len(o["data"]["release"]) for o in releases) < 0.75 * (1 << 20)  # of 1 MiB

    run("uninstall", "mlguard")
    assert kubernetes.names() == {
        "Secret/mlguard-injector-tls",
        "PersistentVolumeClaim/mlguard-exporter",
    }


@pytest.mark.parametrize("name", MAJORS)
def test_the_chart_can_be_packaged(name, tmp_path):
    helm = Helm(name, tmp_path)
    helm.ok("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.glob("*.tgz")
    assert package.name == "mlguard-0.1.0.tgz"
    assert helm.template(chart=package) == helm.template()


@pytest.mark.parametrize(
    ("values", "expected", "absent"),
    [
        ({}, ["--namespace NAMESPACE 9520", "Nobody is notified", "Set exporter.config.cost"],
         ["failurePolicy"]),
        ({"alerts": {"relaySecret": "relay"}, "sidecar": {"port": 9999},
          "injector": {"failurePolicy": "Fail"}},
         ["NAMESPACE 9999", "http://mlguard-exporter.ml.svc:9521", "cannot be created"],
         ["Nobody is notified"]),
        ({"metrics": {"kind": "prometheusOperator"}, "alerts": {"kind": "none"},
          "exporter": {"config": {"cost": {"accounts": [{"name": "main"}]}}}},
         ["set metrics.additionalLabels", "not evaluated", "mlguard-exporter check"],
         ["Set exporter.config.cost"]),
        ({"injector": {"enabled": False}, "exporter": {"enabled": False}},
         ["helm test mlguard --namespace ml"], ["Label the pods", "Cost:"]),
    ],
)  # fmt: skip
def test_the_notes_have_the_reader_s_own_values(values, expected, absent, tmp_path, kubernetes):
    helm = Helm("helm4", tmp_path)
    (tmp_path / "kubeconfig").write_text(kubernetes.kubeconfig())
    text = helm.ok(
        "install", "mlguard", CHART, "--namespace", "ml", "--dry-run=client",
        "--values", helm.values(values), KUBECONFIG=str(tmp_path / "kubeconfig"),
    ).partition("NOTES:")[2]  # fmt: skip
    for part in expected:
        assert part in text
    for part in absent:
        assert part not in text
