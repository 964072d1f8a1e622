"""Real Helm, and what it renders of the chart."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/mlguard"
REPOSITORY = "registry.example/mlguard"
MAJORS = ("helm3", "helm4")

Json = dict[str, Any]


class Helm:
    """One major version of Helm, with a home of its own."""

    def __init__(self, name: str, home: Path) -> None:
        self.program = ROOT / ".venv-helm" / name
        self.home = home
        if not self.program.exists():
            pytest.skip(f"{name} is not installed: make .venv-helm/.ready")

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command; its output is for the test to judge."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HELM_", "KUBE"))}
        return subprocess.run(
            [self.program, *map(str, arguments)],
            env=inherited | {"HOME": str(self.home), "KUBECONFIG": "/dev/null"} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    def ok(self, *arguments: object, **environment: str) -> str:
        """Run a command that succeeds; its standard output."""
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    def values(self, values: Json) -> Path:
        """A file of values, with an image."""
        image = {"repository": REPOSITORY} | values.get("image", {})
        path = self.home / "values.yaml"
        path.write_text(json.dumps(values | {"image": image}))
        return path

    def template(
        self, values: Json | None = None, version: str = "1.31", chart: Path = CHART, *more: object
    ) -> list[Json]:
        """The manifests of the chart, in a release `mlguard` of the namespace `ml`."""
        text = self.ok(
            "template", "mlguard", chart, "--namespace", "ml", "--kube-version", version,
            "--values", self.values(values or {}), *more,
        )  # fmt: skip
        return [each for each in yaml.safe_load_all(text) if each is not None]


def one(manifests: list[Json], kind: str, name: str) -> Json:
    """The manifest of a kind and a name."""
    (found,) = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    return found


def names(manifests: list[Json]) -> set[str]:
    """Kind/name of each manifest."""
    return {f"{m['kind']}/{m['metadata']['name']}" for m in manifests}


def pod_spec(manifest: Json) -> Json:
    """The pod of a workload."""
    return manifest["spec"] if manifest["kind"] == "Pod" else manifest["spec"]["template"]["spec"]
