"""The sidecar of a chart that does without the webhook is the one that the webhook injects."""

from __future__ import annotations

import json

import kubernetes_validate
import pytest
import yaml
from support.helm import CHART, MAJORS, Helm, one, pod_spec

from mlguard_common.config import load_config
from mlguard_injector import inject
from mlguard_injector.config import Config
from mlguard_injector.patch import applied

ANNOTATIONS = {
    "model": "model", "project": "project", "endpoint": "endpoint", "config": "config",
    "baseline": "baseline", "relaySecret": "relay-secret", "apiKeySecret": "api-key-secret",
    "port": "port",
}  # fmt: skip
"""Key of the templates -> annotation."""

DEPLOYMENT = """\
{{- $sidecar := mergeOverwrite (dict "chart" .Subcharts.mlguard) (deepCopy .Values.watch) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: churn
spec:
  selector: {matchLabels: {app: churn}}
  template:
    metadata:
      labels: {app: churn}
    spec:
      {{- if $sidecar.native }}
      initContainers:
        - {{- include "mlguard.sidecar.container" $sidecar | nindent 10 }}
      {{- end }}
      containers:
        - name: server
          image: model:1
          env:
            {{- include "mlguard.sidecar.env" $sidecar | nindent 12 }}
          volumeMounts:
            {{- include "mlguard.sidecar.volumeMounts" $sidecar | nindent 12 }}
        {{- if not $sidecar.native }}
        - {{- include "mlguard.sidecar.container" $sidecar | nindent 10 }}
        {{- end }}
      volumes:
        {{- include "mlguard.sidecar.volumes" $sidecar | nindent 8 }}
"""

CASES = {
    "native": ({"native": True, "model": "churn"}, {}),
    "plain": ({"native": False, "model": "churn"}, {}),
    "everything": (
        {
            "native": True, "model": "churn", "project": "shop", "endpoint": "v2", "port": 9999,
            "config": "settings", "baseline": "baselines", "relaySecret": "relay",
            "apiKeySecret": "keys",
        },
        {
            "sidecar": {
                "startupProbe": True,
                "config": {"thresholds": {"drift_psi": 0.3}, "baseline": {"events": 500}},
                "resources": {"requests": {"cpu": "50m"}},
            },
            "alerts": {"relaySecret": "relay"},
        },
    ),
}  # fmt: skip


def comparable(spec):
    """A pod whose inline configuration is read, and whose lists of names have no order."""
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        for variable in container["env"]:
            if variable["name"] == "MLGUARD_CONFIG":
                variable["value"] = yaml.safe_load(variable["value"])
        for key in ("env", "volumeMounts"):
            container[key] = sorted(container[key], key=lambda each: each["name"])
    spec["volumes"] = sorted(spec["volumes"], key=lambda each: each["name"])
    return spec


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", MAJORS)
def test_the_library_s_sidecar_is_the_injector_s(name, case, tmp_path):
    wishes, values = CASES[case]
    helm = Helm(name, tmp_path)
    parent = tmp_path / "parent"
    (parent / "templates").mkdir(parents=True)
    (parent / "charts").mkdir()
    (parent / "charts/mlguard").symlink_to(CHART)
    (parent / "Chart.yaml").write_text(
        "apiVersion: v2\nname: parent\nversion: 1.0.0\n"
        "dependencies: [{name: mlguard, version: 0.1.0}]\n"
    )
    (parent / "templates/deployment.yaml").write_text(DEPLOYMENT)
    own = {"image": {"repository": "registry.example/mlguard"}} | values
    path = tmp_path / "parent.yaml"
    path.write_text(json.dumps({"watch": wishes, "mlguard": own}))
    text = helm.ok("template", "mlguard", parent, "--namespace", "ml", "--values", path)
    manifests = [each for each in yaml.safe_load_all(text) if each]
    deployment = one(manifests, "Deployment", "churn")
    kubernetes_validate.validate(deployment, "1.31", strict=True)

    config_path = tmp_path / "injector.yaml"
    config = one(manifests, "ConfigMap", "mlguard-injector")["data"]["config.yaml"]
    config_path.write_text(config)
    annotations = {
        f"mlguard.io/{ANNOTATIONS[key]}": str(value)
        for key, value in wishes.items()
        if key in ANNOTATIONS
    }
    pod = {
        "metadata": {"name": "x", "annotations": annotations},
        "spec": {"containers": [{"name": "server", "image": "model:1"}]},
    }
    sidecar = load_config(config_path, Config).sidecar
    native = wishes["native"]
    injected = applied(pod, inject(pod, "ml", sidecar, native=native).patch)
    assert comparable(pod_spec(deployment)) == comparable(injected["spec"])
