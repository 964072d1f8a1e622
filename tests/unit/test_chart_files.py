"""What the chart repeats of the repository."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/mlguard"
COPIES = [
    ("rules", ROOT / "rules/mlguard_rules/bundled", "*.rules.yml"),
    ("dashboards", ROOT / "dashboards", "*.json"),
]


@pytest.mark.parametrize(("folder", "source", "pattern"), COPIES, ids=[c[0] for c in COPIES])
def test_copies_are_equal_to_the_repository_s_files(folder, source, pattern):
    expected = {path.name: path.read_bytes() for path in source.glob(pattern)}
    found = {path.name: path.read_bytes() for path in (CHART / "files" / folder).iterdir()}
    assert len(expected) > 3
    assert found == expected, "run: make chart"


def test_the_chart_has_the_version_of_the_package():
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == package
