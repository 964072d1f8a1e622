"""The chart, rendered by real Helm: valid manifests for any values and versions of Kubernetes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest
import yaml
from support.helm import CHART, MAJORS, ROOT, Helm, names, one, pod_spec
from support.manifests import check, entries

from mlguard_common.config import load_config
from mlguard_exporter.config import Config as ExporterConfig
from mlguard_injector.config import Config as InjectorConfig
from mlguard_rules.rulefile import load_rules
from mlguard_sidecar.config import Config as SidecarConfig

AUTHORITY = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
EVERYTHING = {
    "image": {"tag": "1.2.3", "pullSecrets": ["registry"]},
    "commonLabels": {"team": "ml"},
    "sidecar": {"config": {"thresholds": {"latency_p95_seconds": 0.3}}, "startupProbe": True},
    "injector": {
        "replicas": 3,
        "namespaceSelector": {
            "matchLabels": {"watched": "yes"},
            "matchExpressions": [{"key": "env", "operator": "In", "values": ["prod"]}],
        },
        "certificate": {"source": "certManager"},
        "tolerations": [{"key": "x", "operator": "Exists"}],
        "priorityClassName": "high",
    },
    "exporter": {
        "config": {"cost": {"accounts": [{"name": "main"}]}},
        "envFromSecrets": ["slack"],
        "env": [{"name": "AWS_REGION", "value": "eu-west-1"}],
        "apiKeySecret": "keys",
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}},
        "nodeSelector": {"disk": "ssd"},
    },
    "alerts": {"relaySecret": "relay", "runbookBase": "https://git.example/mlguard/src"},
    "dashboards": {"annotations": {"grafana_folder": "ML"}, "namespace": "grafana"},
    "networkPolicy": {
        "enabled": True,
        "from": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
    },
}
OPERATOR = {
    "metrics": {"kind": "prometheusOperator", "additionalLabels": {"release": "stack"}},
    "alerts": {"kind": "prometheusOperator", "additionalLabels": {"release": "stack"}},
}
VICTORIA = {"metrics": {"kind": "victoriaMetrics"}, "alerts": {"kind": "victoriaMetrics"}}
EXISTING = {
    "injector": {
        "certificate": {"source": "existing", "existingSecret": "tls", "caBundle": AUTHORITY}
    }
}
MATRIX = {
    "the defaults": {},
    "everything": EVERYTHING,
    "an operator": OPERATOR,
    "VictoriaMetrics": VICTORIA,
    "an existing certificate": EXISTING,
    "an issuer": {
        "injector": {"certificate": {"source": "certManager", "issuerRef": {"name": "company"}}}
    },
    "rules in ConfigMaps": {"metrics": {"kind": "none"}, "alerts": {"kind": "configMap"}},
    "no rules": {"alerts": {"kind": "none"}, "dashboards": {"enabled": False}},
    "no exporter": {"exporter": {"enabled": False}, "networkPolicy": {"enabled": True}},
    "no injector": {"injector": {"enabled": False}, "networkPolicy": {"enabled": True}},
    "no volume": {"exporter": {"persistence": {"enabled": False}}},
    "a claim": {"exporter": {"persistence": {"existingClaim": "mine"}}},
    "an account": {"exporter": {"serviceAccount": {"create": False, "name": "mine"}}},
    "a name": {"fullnameOverride": "watch"},
    "nothing": {
        "injector": {"enabled": False},
        "exporter": {"enabled": False},
        "dashboards": {"enabled": False},
    },
}
VERSIONS = [f"1.{minor}" for minor in range(25, 38)]


@pytest.fixture(params=MAJORS)
def helm(request, tmp_path):
    """Helm 3 and Helm 4."""
    return Helm(request.param, tmp_path)


@pytest.fixture
def helm4(tmp_path):
    """One Helm, for what does not depend on its version."""
    return Helm("helm4", tmp_path)


def restricted(spec) -> None:
    """Assert what Pod Security "restricted" asks for."""
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert all({"hostPath"}.isdisjoint(volume) for volume in spec.get("volumes", []))
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def identity(manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def workloads(manifests):
    return [m for m in manifests if m["kind"] in {"Deployment", "Pod"}]


def test_lint_has_nothing_to_say(helm):
    text = helm.ok("lint", "--strict", CHART, "--values", helm.values({}))
    assert "WARNING" not in text
    assert "ERROR" not in text


def test_without_an_image_one_line_says_what_to_do(helm):
    done = helm.run("template", "mlguard", CHART)
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("Error:")]
    assert done.returncode != 0
    assert "image.repository is required, as no image is published yet" in line
    assert "--set image.repository=REGISTRY/mlguard" in line


@pytest.mark.parametrize("case", ["the defaults", "everything", "an operator"])
def test_manifests_are_valid(helm, case):
    check(helm.template(MATRIX[case]), "1.31")


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid_for_every_value_and_version(helm, version):
    for values in MATRIX.values():
        check(helm.template(values, version), version)


def test_an_older_kubernetes_is_refused(helm):
    values = helm.values({})
    done = helm.run("template", "x", CHART, "--kube-version", "1.24", "--values", values)
    assert done.returncode != 0
    assert "kubeVersion" in done.stderr


def test_both_versions_render_the_same(tmp_path):
    three, four = (Helm(name, tmp_path) for name in MAJORS)
    assert sorted(three.template(EVERYTHING), key=identity) == sorted(
        four.template(EVERYTHING), key=identity
    )


REFUSED = [
    {"injektor": {}},
    {"injector": {"failurePolicy": "ignore"}},
    {"injector": {"timeoutSeconds": 31}},
    {"injector": {"certificate": {"source": "letsEncrypt"}}},
    {"injector": {"certificate": {"caBundle": "LS0t"}}},
    {"metrics": {"kind": "podMonitor"}},
    {"metrics": {"interval": "30"}},
    {"alerts": {"kind": True}},
    {"sidecar": {"port": 80}},
    {"sidecar": {"resources": {"requests": {"gpu": 1}}}},
    {"sidecar": {"resources": {"limits": {"memory": "256 MB"}}}},
    {"exporter": {"persistence": {"volume": 1}}},
    {"dashboards": {"labels": {"grafana_dashboard": 1}}},
    {"image": {"repository": "registry.example/mlguard:0.1.0"}},
    {"fullnameOverride": "Upper"},
]


@pytest.mark.parametrize("values", REFUSED, ids=json.dumps)
def test_wrong_values_are_refused(helm, values):
    done = helm.run("template", "x", CHART, "--values", helm.values(values))
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


def test_the_schema_is_closed_and_of_draft_7():
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"

    def closed(part) -> None:
        if "properties" in part:
            assert part["additionalProperties"] is False
            for inner in part["properties"].values():
                closed(inner)

    closed(schema)


@pytest.mark.parametrize("missing", ["existingSecret", "caBundle"])
def test_an_existing_certificate_needs_its_secret_and_its_bundle(helm4, missing):
    certificate = EXISTING["injector"]["certificate"] | {missing: ""}
    values = helm4.values({"injector": {"certificate": certificate}})
    done = helm4.run("template", "x", CHART, "--values", values)
    assert done.returncode != 0
    assert f"injector.certificate.{missing} is required" in done.stderr


def test_every_pod_is_restricted_and_rolls_with_its_configuration(helm4):
    before = helm4.template(EVERYTHING)
    assert len(workloads(before)) == 3
    for manifest in workloads(before):
        restricted(pod_spec(manifest))
    sidecar = {"config": {"thresholds": {"latency_p95_seconds": 0.4}}}
    after = helm4.template(EVERYTHING | {"sidecar": sidecar})
    cases = (("mlguard-injector", True), ("mlguard-exporter", False))
    for name, rolls in cases:
        templates = [one(m, "Deployment", name)["spec"]["template"] for m in (before, after)]
        assert (templates[0] != templates[1]) == rolls


def test_daemons_accept_the_configuration_that_is_rendered(helm4, tmp_path, monkeypatch):
    monkeypatch.setenv("SLACK_URL", "json://localhost")
    notify = {"receivers": [{"name": "slack", "url": "${SLACK_URL}"}]}
    values = EVERYTHING | {"exporter": {"config": {"notify": notify}}}
    manifests = helm4.template(values)
    token = tmp_path / "token"
    token.write_text("t")

    def config(name: str, kind):
        text = one(manifests, "ConfigMap", f"mlguard-{name}")["data"]["config.yaml"]
        path = tmp_path / f"{name}.yaml"
        path.write_text(text.replace("/etc/mlguard/relay/token", str(token)))
        return load_config(path, kind)

    exporter = config("exporter", ExporterConfig)
    assert exporter.relay.secrets() == ("t", None)
    assert exporter.notify.runbook_base == "https://git.example/mlguard/src"
    injector = config("injector", InjectorConfig)
    assert injector.certificate.secret is None
    assert injector.sidecar.image == "registry.example/mlguard-sidecar:1.2.3"
    assert injector.sidecar.scrape_annotations
    assert injector.sidecar.startup_probe
    resources = yaml.safe_load((CHART / "values.yaml").read_text())["sidecar"]["resources"]
    assert injector.sidecar.resources.as_kubernetes() == resources
    sidecar = tmp_path / "sidecar.yaml"
    sidecar.write_text(yaml.safe_dump(injector.sidecar.config))
    found = load_config(sidecar, SidecarConfig)
    assert found.notify.relay.url == "http://mlguard-exporter.ml.svc:9521"
    assert found.thresholds.latency_p95_seconds == 0.3


def test_the_chart_has_the_injector_s_own_defaults(helm4, tmp_path):
    config = one(helm4.template(), "ConfigMap", "mlguard-injector")["data"]["config.yaml"]
    path = tmp_path / "injector.yaml"
    path.write_text(config)
    found = load_config(path, InjectorConfig)
    values = {"image": found.sidecar.image, "scrape_annotations": True}
    assert found.sidecar == type(found.sidecar)(**values)
    assert (found.listen, found.metrics_listen) == ("0.0.0.0:10250", "0.0.0.0:9522")
    service = one(helm4.template(), "Service", "mlguard-injector")["spec"]["ports"]
    assert [(p["port"], p["targetPort"]) for p in service] == [(443, "webhook"), (9522, "metrics")]


@pytest.mark.parametrize("kind", ["embedded", "prometheusOperator", "configMap", "none"])
def test_rules_are_evaluated_in_one_place(helm4, kind):
    manifests = helm4.template({"alerts": {"kind": kind}})
    exporter = one(manifests, "ConfigMap", "mlguard-exporter")["data"]["config.yaml"]
    injector = one(manifests, "ConfigMap", "mlguard-injector")["data"]["config.yaml"]
    off = {"rules": {"enabled": False}}
    expected = {} if kind == "embedded" else off
    assert yaml.safe_load(exporter) == expected
    assert yaml.safe_load(injector)["sidecar"]["config"] == expected
    outside = {m["kind"] for m in manifests if "-rules-" in m["metadata"]["name"]}
    assert outside == {"prometheusOperator": {"PrometheusRule"}, "configMap": {"ConfigMap"}}.get(
        kind, set()
    )


@pytest.mark.parametrize("kind", ["prometheusOperator", "victoriaMetrics", "configMap"])
def test_rules_arrive_as_they_are_in_the_repository(helm, kind, tmp_path):
    manifests = helm.template({"alerts": {"kind": kind, "additionalLabels": {"release": "stack"}}})
    for path in sorted((ROOT / "rules/mlguard_rules/bundled").glob("*.rules.yml")):
        stem = path.name.removesuffix(".rules.yml")
        (found,) = [m for m in manifests if m["metadata"]["name"] == f"mlguard-rules-{stem}"]
        assert found["metadata"]["labels"]["release"] == "stack"
        if kind == "configMap":
            assert found["data"] == {path.name: path.read_text()}
        else:
            assert found["spec"] == yaml.safe_load(path.read_text())
            rendered = tmp_path / path.name
            rendered.write_text(yaml.safe_dump(found["spec"]))
            if stem != "fleet":
                assert load_rules(rendered)


def test_runbooks_are_linked_to_where_they_are_read(helm4):
    alerts = {"kind": "prometheusOperator", "runbookBase": "https://git.example/x/"}
    manifests = helm4.template({"alerts": alerts})
    urls = {v for k, v in entries(manifests) if k == "runbook_url"}
    assert len(urls) > 20
    assert all(url.startswith("https://git.example/x/rules/README.md#") for url in urls)


def test_dashboards_arrive_as_they_are_in_the_repository(helm):
    labels = {"grafana_dashboard": "1", "instance": "main"}
    manifests = helm.template({"dashboards": {"labels": labels}})
    paths = sorted((ROOT / "dashboards").glob("*.json"))
    assert len(paths) == 5
    for path in paths:
        found = one(manifests, "ConfigMap", f"mlguard-dashboard-{path.stem}")
        assert found["data"] == {f"mlguard-{path.name}": path.read_text()}
        assert "{{" in path.read_text()
        assert len(json.dumps(found)) < 1 << 20
        assert labels.items() <= found["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("source", "writes", "bundle"),
    [("selfManaged", True, None), ("certManager", False, None), ("existing", False, AUTHORITY)],
)
def test_only_one_writer_has_the_bundle(helm4, source, writes, bundle):
    certificate = {"source": source, "existingSecret": "tls", "caBundle": AUTHORITY}
    manifests = helm4.template({"injector": {"certificate": certificate}})
    webhook = one(manifests, "MutatingWebhookConfiguration", "mlguard-injector")
    found = webhook["webhooks"][0]["clientConfig"].get("caBundle")
    assert (found and base64.b64decode(found).decode()) == bundle
    assert "Secret" not in {m["kind"] for m in manifests}
    roles = {m["kind"] for m in manifests if m["kind"] in {"Role", "ClusterRole"}}
    assert roles == ({"Role", "ClusterRole"} if writes else set())
    annotations = webhook["metadata"].get("annotations", {})
    assert ("cert-manager.io/inject-ca-from" in annotations) == (source == "certManager")


def test_the_webhook_is_asked_about_labelled_pods_alone_and_never_about_its_own(helm4):
    webhook = one(helm4.template(EVERYTHING), "MutatingWebhookConfiguration", "mlguard-injector")
    (hook,) = webhook["webhooks"]
    assert hook["objectSelector"] == {"matchLabels": {"mlguard.io/inject": "true"}}
    assert hook["namespaceSelector"]["matchLabels"] == {"watched": "yes"}
    first, second = hook["namespaceSelector"]["matchExpressions"]
    assert first["values"] == ["kube-system", "ml"]
    assert second["key"] == "env"
    assert hook["rules"][0]["resources"] == ["pods"]
    assert hook["clientConfig"]["service"]["path"] == "/mutate"
    assert hook["failurePolicy"] == "Ignore"


def test_permissions_name_what_they_are_for(helm4):
    manifests = helm4.template()
    role = one(manifests, "Role", "mlguard-injector")["rules"]
    cluster = one(manifests, "ClusterRole", "mlguard-injector")["rules"]
    secrets = {"apiGroups": [""], "resources": ["secrets"]}
    assert role == [
        secrets | {"resourceNames": ["mlguard-injector-tls"], "verbs": ["get", "patch"]},
        secrets | {"verbs": ["create"]},
    ]
    assert cluster == [
        {
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["mutatingwebhookconfigurations"],
            "resourceNames": ["mlguard-injector"],
            "verbs": ["get", "patch"],
        }
    ]


@pytest.mark.parametrize("case", MATRIX)
def test_selectors_select_and_references_lead_somewhere(helm4, case):
    manifests = helm4.template(MATRIX[case])
    pods = [m["spec"]["template"]["metadata"]["labels"] for m in workloads(manifests)
            if m["kind"] == "Deployment"]  # fmt: skip
    ports = {
        port["name"]
        for m in workloads(manifests)
        for container in pod_spec(m)["containers"]
        for port in container.get("ports", [])
    }
    for manifest in manifests:
        if manifest["kind"] == "Service":
            wanted = manifest["spec"]["selector"].items()
            assert sum(wanted <= labels.items() for labels in pods) == 1
            assert {port["targetPort"] for port in manifest["spec"]["ports"]} <= ports
        if manifest["kind"] in {"ServiceMonitor", "VMServiceScrape"}:
            wanted = manifest["spec"]["selector"]["matchLabels"].items()
            (service,) = [m for m in manifests if m["kind"] == "Service"
                          and wanted <= m["metadata"]["labels"].items()]  # fmt: skip
            known = {port["name"] for port in service["spec"]["ports"]}
            assert {each["port"] for each in manifest["spec"]["endpoints"]} <= known
        if manifest["kind"] in {"NetworkPolicy", "PodDisruptionBudget"}:
            spec = manifest["spec"]
            selector = spec.get("podSelector") or spec["selector"]
            wanted = selector["matchLabels"].items()
            assert sum(wanted <= labels.items() for labels in pods) == 1
    known = names(manifests)
    for manifest in workloads(manifests):
        spec = pod_spec(manifest)
        account = spec.get("serviceAccountName")
        assert account in {None, "mine"} or f"ServiceAccount/{account}" in known
        for volume in spec.get("volumes", []):
            if "configMap" in volume:
                assert f"ConfigMap/{volume['configMap']['name']}" in known
            claim = volume.get("persistentVolumeClaim", {}).get("claimName", "mine")
            assert claim == "mine" or f"PersistentVolumeClaim/{claim}" in known
        mounted = {m["name"] for c in spec["containers"] for m in c.get("volumeMounts", [])}
        assert mounted == {volume["name"] for volume in spec.get("volumes", [])}


def test_the_check_of_a_release_is_python_that_compiles(helm4):
    container = pod_spec(one(helm4.template(), "Pod", "mlguard-check"))["containers"][0]
    python, flag, script, *arguments = container["command"]
    assert (python, flag) == ("python", "-c")
    assert arguments == [
        "https://mlguard-injector.ml.svc/mutate",
        "http://mlguard-exporter.ml.svc:9521",
    ]
    done = subprocess.run(
        [sys.executable, "-c", script, "-", "-"], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
