"""Child processes, which end with the demonstration."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mlguard_demo.errors import DemoError

_TERMINATE_SECONDS = 5.0


@dataclass(frozen=True)
class ChildProcess:
    """A running child process.

    Attributes:
        name: its name in messages.
        log: file with its standard error.
    """

    name: str
    process: Process
    log: Path

    async def read_line(self) -> bytes:
        """Return the next line of its standard output.

        Raises:
            DemoError: it ended instead.
        """
        if self.process.stdout is None:
            raise RuntimeError(f"the output of {self.name} is not read")
        line = await self.process.stdout.readline()
        if not line:
            await self.raise_when_ended()
        return line

    async def raise_when_ended(self) -> None:
        """Wait for its end, and raise a DemoError with its exit status and last log line."""
        status = await self.process.wait()
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        raise DemoError(f"{self.name} {how}: {_last_line(self.log)}")


@asynccontextmanager
async def child_process(
    name: str, command: Sequence[str], *, log: Path, env: dict[str, str], read_output: bool = False
) -> AsyncIterator[ChildProcess]:
    """Run a command until the block ends, then terminate it, and kill it after 5 s.

    Its standard input is a pipe that closes with the demonstration. It has its own session, so
    that Ctrl-C reaches the demonstration alone, which then ends the children in order.
    """
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE if read_output else DEVNULL,
            stderr=file,
            env=env,
            start_new_session=True,
        )
    try:
        yield ChildProcess(name=name, process=process, log=log)
    finally:
        await _stop(process)


async def _stop(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _TERMINATE_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")
