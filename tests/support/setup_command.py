"""The command `mlguard-exporter`, run against the fake AWS."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from mlguard_exporter.main import main
from support import aws

if TYPE_CHECKING:
    from support.aws import FakeAws


class Run(NamedTuple):
    status: int
    out: str
    err: str


def checked(run: Run) -> Run:
    assert "Traceback" not in run.out + run.err, run.err
    for secret in (aws.SECRET_KEY, "external-id", "session-"):
        assert secret not in run.out + run.err
    return run


@contextlib.contextmanager
def environment(variables: dict[str, str]):
    """Give this process other variables, and no standard input."""
    before, stdin = dict(os.environ), sys.stdin
    os.environ.clear()
    os.environ.update(variables)
    try:
        with Path(os.devnull).open() as nothing:
            sys.stdin = nothing
            yield
    finally:
        sys.stdin = stdin
        os.environ.clear()
        os.environ.update(before)


class Command:
    """Runs `mlguard-exporter` against the fake."""

    def __init__(self, fake: FakeAws, folder: Path) -> None:
        self.fake = fake
        self.folder = folder
        self.config = folder / "exporter.yaml"
        self.environ = fake.environ() | {"HOME": str(folder)}
        self.configure({"name": "main"})

    def configure(self, *accounts: dict[str, str], **cost: Any) -> None:
        cost = {"accounts": list(accounts)} | cost
        self.config.write_text(
            yaml.safe_dump({"data_dir": str(self.folder / "data"), "cost": cost})
        )

    def arguments(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "mlguard_exporter", *arguments]

    def bare(self, *arguments: str) -> Run:
        """Run it in this process, which spares the imports of another one."""
        out, err = io.StringIO(), io.StringIO()
        with (
            environment(self.environ),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                status = main(list(arguments))
            except SystemExit as end:  # of argparse
                status = end.code
        return checked(Run(status, out.getvalue(), err.getvalue()))

    def in_a_process(self, *arguments: str) -> Run:
        done = subprocess.run(
            self.arguments(*arguments),
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return checked(Run(done.returncode, done.stdout, done.stderr))

    def __call__(self, name: str, *arguments: str) -> Run:
        return self.bare(name, "--config", str(self.config), *arguments)

    def on_a_terminal(self, answer: str, *arguments: str) -> Run:
        """Run it, and answer when it asks."""
        here, there = pty.openpty()
        with subprocess.Popen(
            self.arguments(*arguments, "--config", str(self.config)),
            env=self.environ,
            stdin=there,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            os.close(there)
            out = b""
            while not out.endswith(b"[y/N] "):
                byte = process.stdout.read(1)
                assert byte, out + process.stderr.read()
                out += byte
            asked = self.fake.count()
            os.write(here, f"{answer}\n".encode())
            rest, err = process.communicate()
            assert self.fake.count() >= asked
        os.close(here)
        return Run(process.returncode, (out + rest).decode(), err.decode())
