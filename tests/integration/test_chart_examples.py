"""The chart's examples and README: each renders, and names what there is."""

from __future__ import annotations

import json
import re

import kubernetes_validate
import pytest
import yaml
from support.helm import CHART, MAJORS, Helm, one
from support.manifests import check

from mlguard_common.config import load_config
from mlguard_exporter.config import Config as ExporterConfig
from mlguard_injector import SidecarConfig, inject
from mlguard_injector.config import Config as InjectorConfig
from mlguard_injector.patch import applied
from mlguard_sidecar.config import Config as SidecarFileConfig

VALUES = sorted((CHART / "examples/values").glob("*.yaml"))
WORKLOADS = sorted((CHART / "examples/workloads").glob("*.yaml"))
README = (CHART / "README.md").read_text()
CONFIG = SidecarConfig(image="registry.example/mlguard-sidecar:0.1.0")
BUILT_IN = {"Deployment", "StatefulSet", "Job", "CronJob", "ConfigMap"}
IS_LABELLED_ABOVE = {"InferenceService"}
"""Kinds whose controllers hand their labels on to the pods."""


def documents(path):
    return [each for each in yaml.safe_load_all(path.read_text()) if each is not None]


def daemons_accept(manifests, folder, monkeypatch) -> None:
    """Assert that the daemons take their rendered configuration, in the environment it needs."""
    (folder / "token").write_text("t")
    for name in ("SLACK_URL", "RELAY_TOKEN"):
        monkeypatch.setenv(name, "json://localhost")

    def read(text: str, kind):
        path = folder / "config.yaml"
        path.write_text(text.replace("/etc/mlguard/relay/token", str(folder / "token")))
        return load_config(path, kind)

    configs = {m["metadata"]["name"]: m["data"]["config.yaml"] for m in manifests
               if m["kind"] == "ConfigMap" and "config.yaml" in m["data"]}  # fmt: skip
    injector = read(configs["mlguard-injector"], InjectorConfig)
    read(yaml.safe_dump(injector.sidecar.config), SidecarFileConfig)
    if "mlguard-exporter" in configs:
        read(configs["mlguard-exporter"], ExporterConfig)


@pytest.mark.parametrize("name", MAJORS)
@pytest.mark.parametrize("path", VALUES, ids=lambda path: path.stem)
def test_each_example_of_values_renders(name, path, tmp_path, monkeypatch):
    helm = Helm(name, tmp_path)
    text = helm.ok("template", "mlguard", CHART, "--namespace", "ml", "--values", path)
    manifests = [each for each in yaml.safe_load_all(text) if each is not None]
    check(manifests, "1.31")
    daemons_accept(manifests, tmp_path, monkeypatch)


@pytest.mark.parametrize("path", ["argo-cd.yaml", "flux.yaml"])
def test_values_within_objects_of_delivery_tools_render(path, tmp_path):
    helm = Helm("helm4", tmp_path)
    found = documents(CHART / "examples" / path)[-1]["spec"]
    values = found["values"] if "values" in found else found["source"]["helm"]["valuesObject"]
    manifests = helm.template(values)
    one(manifests, "MutatingWebhookConfiguration", "mlguard-injector")
    check(manifests, "1.31")


def pods(tree):
    """Every pod template below a manifest."""
    if isinstance(tree, dict):
        if isinstance(tree.get("spec"), dict) and "containers" in tree["spec"]:
            yield tree
        for value in tree.values():
            yield from pods(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from pods(value)


@pytest.mark.parametrize("path", WORKLOADS, ids=lambda path: path.stem)
def test_each_example_of_a_workload_is_injected(path):
    manifests = documents(path)
    for manifest in manifests:
        if manifest["kind"] in BUILT_IN:
            kubernetes_validate.validate(manifest, "1.31", strict=True)
        if manifest["kind"] in IS_LABELLED_ABOVE:
            assert manifest["metadata"]["labels"]["mlguard.io/inject"] == "true"
            return
    labelled = [
        pod
        for pod in pods(manifests)
        if pod.get("metadata", {}).get("labels", {}).get("mlguard.io/inject") == "true"
    ]
    (pod,) = labelled
    found = inject(pod, "shop", CONFIG, native=True)
    assert (found.outcome, found.warnings) == ("injected", ())
    after = {"apiVersion": "v1", "kind": "Pod"} | applied(pod, found.patch)
    after["metadata"]["name"] = "x"
    kubernetes_validate.validate(after, "1.31", strict=True)


def leaves(tree, prefix: str = ""):
    """Keys with their defaults; a mapping that is free or empty counts as one."""
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and name != "dashboards.labels":
            yield from leaves(value, f"{name}.")
        else:
            yield name, value


def test_the_readme_has_every_value_with_its_default():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    expected = {key: "" if value == "" else json.dumps(value) for key, value in leaves(values)}
    rows = re.findall(r"^\| `([\w.]+)` \| (`[^|]*`|) ?\| (.+) \|$", README, re.MULTILINE)
    assert {key: default.strip("`") for key, default, _ in rows} == expected
    schema = json.loads((CHART / "values.schema.json").read_text())
    for key in expected:
        part = schema
        for step in key.split("."):
            part = part["properties"][step]


def test_the_readme_names_every_example_and_no_other():
    named = set(re.findall(r"\]\((examples/[\w/.-]+)\)", README))
    there = {str(path.relative_to(CHART)) for path in CHART.rglob("examples/**/*.yaml")}
    assert named == there
