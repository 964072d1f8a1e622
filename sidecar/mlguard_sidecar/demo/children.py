"""The demo's two child processes, and that none of them outlives it."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mlguard_sidecar.demo.errors import DemoError

_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Child:
    """A running child process.

    Attributes:
        name: What a person calls it.
        log: The file that takes its standard error.
    """

    name: str
    process: Process
    log: Path

    async def line(self) -> bytes:
        """Return the next line of its standard output.

        Raises:
            DemoError: It ended instead.
        """
        if self.process.stdout is None:
            raise RuntimeError(f"the output of {self.name} is not read")
        text = await self.process.stdout.readline()
        if not text:
            await self.failed()
        return text

    async def failed(self) -> None:
        """Wait for its end, and raise a DemoError that says so with its last words."""
        status = await self.process.wait()
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        raise DemoError(f"{self.name} {how}: {_last_line(self.log)}")


@asynccontextmanager
async def child(
    name: str, command: Sequence[str], *, log: Path, env: dict[str, str], talks: bool = False
) -> AsyncIterator[Child]:
    """Run a command until the block ends, then stop it: gently at first, by force after 5 s.

    Its standard input is a pipe that closes with the demo, and its standard output can be read
    when it `talks`. It has a session of its own, so that Ctrl-C reaches the demo alone and
    the children end in order.
    """
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE if talks else DEVNULL,
            stderr=file,
            env=env,
            start_new_session=True,
        )
    try:
        yield Child(name=name, process=process, log=log)
    finally:
        await _stop(process)


async def _stop(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _PATIENCE_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it gave no reason")
