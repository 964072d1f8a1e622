"""Manifests, checked against the schemas of Kubernetes and of the operators."""

from __future__ import annotations

import kubernetes_validate
from cloudcoil.models.prometheus_operator import v1 as operator

from support.helm import names

ENUMS = {
    "imagePullPolicy": {"Always", "IfNotPresent", "Never"},
    "failurePolicy": {"Ignore", "Fail"},
    "sideEffects": {"None"},
    "matchPolicy": {"Equivalent"},
    "reinvocationPolicy": {"IfNeeded"},
    "whenUnsatisfiable": {"ScheduleAnyway"},
    "restartPolicy": {"Never", "Always"},
    "protocol": {"TCP"},
    "scope": {"Namespaced"},
    "medium": {"Memory"},
    "fsGroupChangePolicy": {"OnRootMismatch"},
    "policyTypes": {"Ingress"},
    "accessModes": {"ReadWriteOnce"},
    "operations": {"CREATE"},
    "verbs": {"get", "patch", "create"},
}
OPERATOR_KINDS = {
    "PodMonitor": operator.PodMonitor,
    "ServiceMonitor": operator.ServiceMonitor,
    "PrometheusRule": operator.PrometheusRule,
}
VICTORIA_KINDS = {
    "VMPodScrape": "PodMonitor",
    "VMServiceScrape": "ServiceMonitor",
    "VMRule": "PrometheusRule",
}
CERT_MANAGER_KINDS = {"Certificate", "Issuer"}


def entries(tree, key: str = ""):
    """Every key with each value below it that is no container."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from entries(value, name)
    elif isinstance(tree, list):
        for value in tree:
            yield from entries(value, key)
    else:
        yield key, tree


def check(manifests, version: str) -> None:
    """Check every manifest against the schemas of Kubernetes and of the operators."""
    for manifest in manifests:
        kind = manifest["kind"]
        if kind in VICTORIA_KINDS:  # these fields are the same in both operators
            assert manifest["apiVersion"] == "operator.victoriametrics.com/v1beta1"
            kind = VICTORIA_KINDS[kind]
            manifest = manifest | {"apiVersion": "monitoring.coreos.com/v1", "kind": kind}  # noqa: PLW2901
        if kind in OPERATOR_KINDS:
            OPERATOR_KINDS[kind].model_validate(manifest, extra="forbid")
        elif kind not in CERT_MANAGER_KINDS:
            kubernetes_validate.validate(manifest, version, strict=True)
        for key, value in entries(manifest) if kind != "PrometheusRule" else ():
            assert key not in ENUMS or value in ENUMS[key], (key, value)
        namespaced = kind not in {
            "ClusterRole",
            "ClusterRoleBinding",
            "MutatingWebhookConfiguration",
        }
        assert ("namespace" in manifest["metadata"]) == namespaced
    assert len(names(manifests)) == len(manifests)
