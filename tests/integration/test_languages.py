"""Programs of the manuals run as they are printed there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.sidecar import Sidecar, eventually, free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MANUAL = (ROOT / "sidecar/README.md").read_text()
OPENTELEMETRY = (ROOT / "sidecar/OPENTELEMETRY.md").read_text()


def program(language: str, having: str, text: str = MANUAL, after: str = "") -> str:
    """The only block of a language that has this text, from a heading on."""
    blocks = re.findall(rf"```{language}\n(.*?)```", text[text.index(after) :], re.DOTALL)
    (found,) = [block for block in blocks if having in block]
    return found


SHELL = program("sh", "nc -NU")
CURL = program("sh", "--unix-socket")
COMMANDS = {
    "nc": ("sh", SHELL, ["sh", "-e"]),
    "curl": ("sh", CURL, ["sh", "-e"]),
    "node": ("js", program("js", "require"), ["node"]),
    "go": ("go", program("go", "package main"), ["go", "run"]),
    "javac": ("java", program("java", "SocketChannel"), ["java", "-XX:TieredStopAtLevel=1"]),
}


def untested_without(tool: str) -> pytest.MarkDecorator:
    text = f"{tool} is not installed: the manual's program for it is untested"
    return pytest.mark.skipif(shutil.which(tool) is None, reason=text)


def run(command: list[str], **form) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=90, **form)


@pytest.mark.parametrize(
    "tool", [pytest.param(tool, marks=untested_without(tool)) for tool in COMMANDS]
)
def test_a_program_of_the_manual_sends_an_event(sidecar, tmp_path, tool):
    suffix, text, command = COMMANDS[tool]
    folder = sidecar.socket_path.parent
    text = text.replace("/run/mlguard/http.sock", str(folder / "http.sock"))
    text = text.replace("http://127.0.0.1:9520", sidecar.url)
    (tmp_path / "events.ndjson").write_text('{"project_id": "shop", "model_id": "churn_v1"}\n')
    source = tmp_path / f"Emit.{suffix}"
    source.write_text(text)
    environ = os.environ | {"MLGUARD_SOCKET": str(sidecar.socket_path), "MLGUARD_API_KEY": ""}
    run([*command, str(source)], env=environ, cwd=tmp_path)
    expected = 2 if tool == "curl" else 1
    labels = {"project": "shop", "model": "churn_v1", "model_endpoint": "predict"}
    eventually(lambda: sidecar.value("mlguard_inferences_total", **labels) == expected)


def test_the_first_screen_of_the_readme_starts_sends_and_looks(tmp_path):
    """The commands as they are, but for the port and the folders, which may be in use."""
    lines = program("sh", "mlguard demo --send", README).splitlines()
    assert lines[0].startswith("pip install '.[sidecar]'")
    port = free_port()
    script = "\n".join(lines[1:]).replace("127.0.0.1:9520", f"127.0.0.1:{port}")
    started = f"mlguard-sidecar --listen 127.0.0.1:{port} --data-dir {tmp_path / 'data'} &"
    script = re.sub(r"mlguard-sidecar &", started, script)
    script = script.replace("mlguard status", f"mlguard status --url http://127.0.0.1:{port}")
    script += "\nkill %1\nwait %1"
    for name, module in (
        ("mlguard", "mlguard_sidecar.cli"),
        ("mlguard-sidecar", "mlguard_sidecar"),
    ):
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        command.chmod(0o755)
    settings = tmp_path / ".env"
    shutil.copy(ROOT / ".env.example", settings)
    environ = os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "MLGUARD_SOCKET": str(tmp_path / "s.sock"),
    }
    script = f"set -a; . {settings}; set +a\n{script}"
    done = run(["bash", "-ec", script], env=environ)
    assert "500 sample events sent, 500 counted" in done.stdout
    assert re.search(r"demo.*churn_v1.*\b500\b", done.stdout), done.stdout


def test_the_example_of_settings_names_variables_that_are_read():
    names = set(re.findall(r"(?m)^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text()))
    code = "".join(path.read_text() for path in ROOT.glob("*/mlguard*/**/*.py"))
    compose = (ROOT / "compose.yaml").read_text()
    assert names
    for name in names:
        assert f'"{name}"' in code or f"${{{name}" in compose, name


def test_the_page_for_opentelemetry_is_valid():
    configuration = yaml.safe_load(program("yaml", "receivers", OPENTELEMETRY))
    assert configuration["receivers"]["prometheus"]["config"]["scrape_configs"]
    compile(program("python", "opentelemetry", OPENTELEMETRY), "page", "exec")
    anchors = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in MANUAL.splitlines()
        if line.startswith("#")
    }
    for anchor in re.findall(r"\]\(README\.md#([^)]*)\)", OPENTELEMETRY):
        assert anchor in anchors, anchor


def test_a_demonstration_that_is_refused_says_why(tmp_path):
    command = [sys.executable, "-m", "mlguard_sidecar.cli", "demo", "--send"]
    sidecar = Sidecar(tmp_path / "s", {"listen": f"127.0.0.2:{free_port()}"})
    with sidecar:
        done = subprocess.run(
            [*command, sidecar.url], capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 2
    assert "set http.api_keys or MLGUARD_API_KEY" in done.stderr
