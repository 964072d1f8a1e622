"""Every command in every manual: ours exist with their options, others say who runs them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from mlguard_sidecar.cli.commands import mlguard

ROOT = Path(__file__).resolve().parents[2]
MANUALS = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part.startswith((".", "node_modules", "build")) for part in path.parts)
]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

ELSEWHERE = {
    "kubectl": "needs a cluster",
    "helm": "needs a cluster; tests render the chart with it",
    "docker": "needs an engine; tests run the services of compose.yaml as processes",
    "terraform": "needs AWS; tests parse the module",
    "argocd": "needs a cluster",
    "flux": "needs a cluster",
    "systemctl": "needs systemd as the first process; systemd-analyze reads the units",
    "groupadd": "changes the machine",
    "usermod": "changes the machine",
    "mkdir": "changes the machine",
    "cp": "changes the machine",
    "apt-get": "changes the machine",
    "curl": "tests send the same requests",
    "nc": "tests/integration/test_languages.py runs it",
    "echo": "tests/integration/test_languages.py runs it",
    "uvicorn": "tests/integration/test_model_servers.py runs it",
    "gunicorn": "tests/integration/test_model_servers.py runs it",
    "mlserver": "tests/integration/test_model_servers.py runs it",
    "bentoml": "tests/integration/test_model_servers.py runs it",
    "serve": "tests/integration/test_model_servers.py runs it",
    "python": "tests run the scripts",
    "python3": "makes an environment",
    "promtool": "tests/integration/test_bundled_rules.py runs it",
    "export": "of the shell",
    "for": "of the shell",
    "do": "of the shell",
    "done": "of the shell",
    "git": "gets the source",
    "cd": "of the shell",
    "openssl": "makes a key",
}


def commands() -> list[tuple[str, str]]:
    found = []
    for path in MANUALS:
        for block in re.findall(r"```(?:sh|bash)\n(.*?)```", path.read_text(), re.DOTALL):
            # texts over several lines are data
            text = re.sub(r"'[^']*\n[^']*'", "'...'", block.replace("\\\n", " "))
            for line in text.splitlines():
                for part in re.split(r" \| | && |; (?=\w)", re.sub(r"(^| )#.*", "", line)):
                    words = " ".join(map(shlex.quote, shlex.split(part)))
                    if words:
                        found.append((f"{path.relative_to(ROOT)}", words))
    return found


COMMANDS = sorted(set(commands()))


def options_of(command: click.Command) -> set[str]:
    return {name for each in command.params for name in [*each.opts, *each.secondary_opts]}


def check_mlguard(words: list[str]) -> None:
    here: click.Command = mlguard
    for word in words:
        if isinstance(here, click.Group):
            if word.startswith("-"):
                assert word in {*options_of(here), "--help", "--version"}
                continue
            assert word in here.commands, f"no command {word}"
            here = here.commands[word]
        elif word.startswith("--"):
            assert word.partition("=")[0] in {*options_of(here), "--help"}, word
    assert not isinstance(here, click.Group) or words[-1] in ("--help", "--version")


def check_daemon(name: str, words: list[str]) -> None:
    module = f"mlguard_{name.partition('-')[2]}"
    command = [word for word in words[:1] if word[0].isalpha()]
    done = subprocess.run(
        [sys.executable, "-m", module, *command, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for word in words:
        option = word.strip("[]").partition("=")[0]
        if option.startswith("--"):
            assert option in done.stdout, option


def test_there_are_commands():
    assert len(COMMANDS) > 40


@pytest.mark.parametrize(("manual", "line"), COMMANDS)
def test_a_command_of_a_manual_exists(manual, line):
    program, *words = [word for word in shlex.split(line) if word != "&"]
    while "=" in program and words:  # variables before a command
        program, *words = words
    program = program.rpartition("/")[2]
    words = words[: words.index(">")] if ">" in words else words
    if program == "mlguard":
        check_mlguard(words)
    elif program in ("mlguard-sidecar", "mlguard-exporter", "mlguard-injector"):
        check_daemon(program, words)
    elif program == "make":
        assert {word for word in words if "=" not in word} <= TARGETS
    elif program == "pip":
        extras = re.findall(r"\[([\w,]+)\]", line)
        assert all(extra in EXTRAS for each in extras for extra in each.split(","))
    else:
        assert program in ELSEWHERE, f"{manual}: no test knows {program}"
