"""What is deployed without Kubernetes: units, the task of ECS, and the Terraform module."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import hcl2
import pytest

from mlguard_common.config import load_config
from mlguard_exporter.config import TagsConfig
from mlguard_sidecar.config import Config

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
MODULE = {path.stem: hcl2.loads(path.read_text()) for path in (DEPLOY / "terraform").glob("*.tf")}
POLICY = json.loads((ROOT / "exporter/iam-policy.json").read_text())


def plain(value):
    """A value without the quotes that the parser leaves."""
    if isinstance(value, dict):
        return {plain(key): plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.strip('"') if isinstance(value, str) else value


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("name", ["sidecar", "exporter"])
def test_systemd_takes_the_units(tmp_path, name):
    text = (DEPLOY / f"systemd/mlguard-{name}.service").read_text()
    unit = tmp_path / f"mlguard-{name}.service"
    unit.write_text(text.replace(f"/opt/mlguard/bin/mlguard-{name}", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_task_shares_the_socket_and_stops_the_sidecar_last():
    task = json.loads((DEPLOY / "ecs-task.json").read_text())
    server, sidecar = task["containerDefinitions"]
    assert server["dependsOn"] == [{"containerName": sidecar["name"], "condition": "START"}]
    assert sidecar["essential"] is False
    (mount,) = server["mountPoints"]
    assert mount in sidecar["mountPoints"]
    names = {each["name"] for each in task["volumes"]}
    assert {each["sourceVolume"] for each in sidecar["mountPoints"]} == names
    environ = {each["name"]: each["value"] for each in sidecar["environment"]}
    config = load_config(None, Config, environ, variable="MLGUARD_CONFIG")
    assert config.socket.mode.bits == 0o666
    socket = {each["name"]: each["value"] for each in server["environment"]}["MLGUARD_SOCKET"]
    assert socket in sidecar["command"]


def test_the_module_s_role_has_the_policy_of_the_manual():
    text = (DEPLOY / "terraform/main.tf").read_text()
    path = re.search(r'file\("\$\{path\.module\}/([^"]+)"\)', text)[1]
    assert (DEPLOY / "terraform" / path).resolve() == ROOT / "exporter/iam-policy.json"
    named = re.search(r"of_a_bucket = \[([^\]]*)\]", text)[1]
    of_a_bucket = {each["Sid"] for each in POLICY["Statement"] if "BUCKET" in each["Resource"]}
    assert set(re.findall(r'"(\w+)"', named)) == of_a_bucket


def test_the_module_s_variables_are_used_documented_and_those_of_the_exporter():
    declared = {
        plain(name): plain(body)
        for each in MODULE["variables"]["variable"]
        for name, body in each.items()
    }
    text = (DEPLOY / "terraform/main.tf").read_text()
    manual = (DEPLOY / "terraform/README.md").read_text()
    for name, body in declared.items():
        assert f"var.{name}" in text, name
        assert f"| `{name}` |" in manual, name
        assert body["description"].endswith("."), name
    assert tuple(declared["tags"]["default"]) == TagsConfig().names
    assert set(re.findall(r"var\.(\w+)", text)) == declared.keys()
