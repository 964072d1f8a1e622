"""`mlguard inject` on the manifests that people have."""

from __future__ import annotations

import subprocess
import sys

import kubernetes_validate
import pytest
import yaml

IMAGE = ["--image", "registry.example/mlguard-sidecar:0.1.0"]
POD = {"containers": [{"name": "server", "image": "model:1"}], "restartPolicy": "Never"}
TEMPLATE = {"metadata": {"labels": {"app": "churn"}}, "spec": POD}
SELECTOR = {"selector": {"matchLabels": {"app": "churn"}}}
ALWAYS = {**TEMPLATE, "spec": {"containers": POD["containers"]}}


def manifest(version, kind, spec, **metadata):
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "churn", **metadata},
        "spec": spec,
    }


MANIFESTS = {
    "Pod": (manifest("v1", "Pod", POD), ("spec",)),
    "Deployment": (
        manifest("apps/v1", "Deployment", {**SELECTOR, "template": ALWAYS}),
        ("spec", "template", "spec"),
    ),
    "StatefulSet": (
        manifest("apps/v1", "StatefulSet", {**SELECTOR, "serviceName": "x", "template": ALWAYS}),
        ("spec", "template", "spec"),
    ),
    "Job": (manifest("batch/v1", "Job", {"template": TEMPLATE}), ("spec", "template", "spec")),
    "CronJob": (
        manifest(
            "batch/v1",
            "CronJob",
            {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}},
            namespace="nightly",
        ),
        ("spec", "jobTemplate", "spec", "template", "spec"),
    ),
}


def run(text: str, *arguments: str):
    return subprocess.run(
        [sys.executable, "-m", "mlguard_sidecar.cli", "inject", "-f", "-", *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_comes_out_with_the_sidecar(kind):
    before, path = MANIFESTS[kind]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "churn"}}
    done = run(yaml.safe_dump_all([service, before]), *IMAGE)
    assert done.returncode == 0, done.stderr
    first, after = yaml.safe_load_all(done.stdout)
    assert first == service
    kubernetes_validate.validate(after, "1.31", strict=True)
    spec = after
    for part in path:
        spec = spec[part]
    assert [each["name"] for each in spec["initContainers"]] == ["mlguard-sidecar"]
    variables = {each["name"]: each["value"] for each in spec["containers"][0]["env"]}
    assert variables["MLGUARD_MODEL"] == "churn"
    assert variables["MLGUARD_PROJECT"] == before["metadata"].get("namespace", "default")
    again = run(done.stdout, *IMAGE)
    assert again.stdout == done.stdout


def test_mistakes_are_told_in_one_line():
    before, _ = MANIFESTS["Pod"]
    done = run(yaml.safe_dump(before))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no image is configured" in done.stderr
    assert yaml.safe_load(done.stdout) == before
    for text in ("a: [", "kind: Service", "", "7"):
        done = run(text, *IMAGE)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), text


def pod_of(*containers, **metadata):
    return {
        "kind": "Pod",
        "metadata": {"name": "p", **metadata},
        "spec": {"containers": containers},
    }


def test_a_template_needs_no_metadata_and_a_manifest_no_pod():
    before, _ = MANIFESTS["CronJob"]
    spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": POD}}}}
    done = run(yaml.safe_dump({**before, "spec": spec}), *IMAGE)
    assert done.returncode == 0, done.stderr
    after = yaml.safe_load(done.stdout)
    kubernetes_validate.validate(after, "1.31", strict=True)
    template = after["spec"]["jobTemplate"]["spec"]["template"]
    assert template["spec"]["initContainers"][0]["name"] == "mlguard-sidecar"
    for odd in ({}, {"spec": None}, {"spec": {"template": [1]}}, {"spec": []}):
        done = run(yaml.safe_dump({"kind": "Deployment"} | odd), *IMAGE)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "found no pod" in done.stderr


def test_containers_that_share_an_alias_get_their_own_variables():
    text = """
kind: Pod
spec:
  containers:
  - {name: a, env: &both [{name: X, value: x}]}
  - {name: b, env: *both}
"""
    after = yaml.safe_load(run(text, *IMAGE).stdout)
    for container in after["spec"]["containers"]:
        names = [each["name"] for each in container["env"]]
        assert names == ["X", "MLGUARD_SOCKET", "MLGUARD_PROJECT", "MLGUARD_MODEL"]
    done = run("kind: Pod\nspec: &all {containers: [{name: a}], x: *all}", *IMAGE)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_texts_that_kubectl_would_take_for_numbers_or_booleans_stay_quoted():
    texts = ["12345e7", "1e3", "1.5E-3", "0o17", "y", "N", "yes", "007", "1_0", "0x1f", "1.", ""]
    env = [{"name": f"V{i}", "value": text} for i, text in enumerate(texts)]
    done = run(yaml.safe_dump(pod_of({"name": "a", "env": env})), *IMAGE)
    lines = done.stdout.splitlines()
    values = [lines[i + 1].split("value: ")[1] for i, n in enumerate(lines) if "name: V" in n]
    assert [value[:1] + value[-1:] for value in values] == ["''"] * len(texts)
    assert yaml.safe_load(done.stdout)["spec"]["containers"][0]["env"][: len(env)] == env


@pytest.mark.parametrize("text", ["- 1", "a: [", "imag: x", "resources: {cpu_limit: 1x}"])
def test_a_mistake_in_the_configuration_names_its_file(tmp_path, text):
    path = tmp_path / "sidecar.yaml"
    path.write_text(text)
    before, _ = MANIFESTS["Pod"]
    done = run(yaml.safe_dump(before), *IMAGE, "--config", str(path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"mlguard: {path}: ")
