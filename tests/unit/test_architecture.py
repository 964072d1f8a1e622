"""What ARCHITECTURE.md promises of the code's structure."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("common", "sidecar", "rules", "exporter", "dashboards")
ALLOWED = {
    "mlguard": set(),
    "mlguard_common": {"mlguard"},
    "mlguard_rules": {"mlguard_common"},
    "mlguard_exporter": {"mlguard", "mlguard_rules", "mlguard_common"},
    "mlguard_sidecar": {"mlguard", "mlguard_rules", "mlguard_common"},
    "mlguard_injector": {"mlguard", "mlguard_common"},
    "mlguard_dashboards": {"mlguard_rules"},
    "mlguard_demo": {"mlguard", "mlguard_rules", "mlguard_common", "mlguard_sidecar"},
}


def modules() -> dict[str, Path]:
    found = {}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if parts[0].startswith("mlguard"):
                found[".".join(parts)] = path
    return found


MODULES = modules()
LAZY = {"mlguard_sidecar.cli.commands", "mlguard_sidecar.cli.inject"}


def imported(path: Path) -> set[str]:
    """Modules of the project that a module imports, for its types too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] in ALLOWED}


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_run_one_way(package):
    for name, path in MODULES.items():
        if name.split(".")[0] == package:
            others = {found.split(".")[0] for found in imported(path)} - {package}
            lazily = {"mlguard_demo", "mlguard_injector"} if name in LAZY else set()
            assert others <= ALLOWED[package] | lazily, name


def test_no_modules_import_each_other():
    graph = {
        name: {other for other in imported(path) if other in MODULES and other != name}
        for name, path in MODULES.items()
        if path.name != "__init__.py"
    }
    TopologicalSorter(graph).prepare()  # raises where there is a circle


def test_modules_are_short():
    for name, path in MODULES.items():
        assert len(path.read_text().splitlines()) <= 350, name


def test_what_the_page_names_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    known = {
        str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*")
    }
    for folder in ("helm", "tests"):
        known |= {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*")}
    named = re.findall(r"`([\w./]+(?:\.py|/|\.md|\.golden))`", text)
    assert len(named) > 40
    for name in named:
        assert any(path.endswith(name.rstrip("/")) for path in known), name
