"""Real model servers, made of the examples in sidecar/MODEL_SERVERS.md."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from support.sidecar import free_port

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "sidecar/MODEL_SERVERS.md"
MODEL = """
from time import sleep


def predict(rows):
    sleep(max((row["seconds"] for row in rows), default=0))
    return [int(row["age"] >= 40) for row in rows]
"""


class Example(NamedTuple):
    """One example of the page: its files, and the commands that start it."""

    files: dict[str, str]
    commands: list[str]


def examples() -> dict[str, Example]:
    """The examples of the page by the first file's name."""
    found = {}
    files: dict[str, str] = {}
    for kind, text in re.findall(
        r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE
    ):
        if kind == "python" and (named := re.match(r"# (\w+\.py)\n", text)):
            files[named[1]] = text
        elif kind == "json":
            files["model-settings.json"] = text
        elif kind == "sh" and files:
            found[next(iter(files))] = Example(files, text.splitlines())
            files = {}
    return found


class Answered(NamedTuple):
    """Rows that were answered, with their predictions and the client's time."""

    rows: list[dict[str, Any]]
    labels: list[int]
    seconds: float


class ModelServer:
    """A model server in a process of its own.

    Args:
        folder: where it is started.
        example: what it is made of.
        command: one of the example's, with what the test adds.
        python: of its environment.
        url: path of its predictions.
        encode: turns rows into a request.
        decode: turns a response into predictions.
    """

    def __init__(
        self, folder, example, command, *, python, url, encode, decode, port=None, env=None
    ) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "model.py").write_text(MODEL)
        for name, text in example.files.items():
            (folder / name).write_text(text)
        self.port = port or free_port()
        self._folder, self._url, self._encode, self._decode = folder, url, encode, decode
        self._log = folder / "log"
        program, *arguments = shlex.split(command.replace("PORT", str(self.port)))
        whole = {
            **os.environ,
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT / 'sidecar'}:{folder}",
            **{name: value.replace("PORT", str(self.port)) for name, value in (env or {}).items()},
        }
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [str(python.parent / program), *arguments],
                cwd=folder,
                env=whole,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def predict(self, rows) -> Answered:
        """Send rows; what was answered."""
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            body = json.dumps(self._encode(rows))
            connection.request("POST", self._url, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, f"{answer.status} {text}\n{self.log()[-4_000:]}"
        return Answered(rows, self._decode(json.loads(text)), time.monotonic() - started)

    def wait(self, seconds=90) -> list[Answered]:
        """Wait until it answers; these answers."""
        deadline = time.monotonic() + seconds
        while True:
            assert self.process.poll() is None, self.log()[-4_000:]
            try:
                return [self.predict([{"age": 20, "seconds": 0}])]
            except (OSError, AssertionError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def predict_many(self, requests, threads=4) -> list[Answered]:
        """Send many requests at once."""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self._predict_again, requests))

    def _predict_again(self, rows) -> Answered:
        """Send rows until they are answered; a worker that is replaced resets unread requests."""
        while True:
            with suppress(ConnectionResetError):
                return self.predict(rows)

    def stop_while(self, requests, by=signal.SIGTERM) -> list[Answered]:
        """Ask it to end by a signal while these requests run; what was answered."""
        with ThreadPoolExecutor(max(1, len(requests))) as pool:
            running = [pool.submit(self.predict, rows) for rows in requests]
            time.sleep(min((rows[0]["seconds"] for rows in requests), default=0) / 2)
            self.process.send_signal(by)
            answered = [each.result() for each in running]
        self.process.wait(60)
        return answered

    def log(self) -> str:
        """What it wrote."""
        return self._log.read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def python_of(name: str) -> Path:
    """The interpreter of a server's own environment; it may not exist."""
    return ROOT / f".venv-servers/{name}/bin/python"
