"""Opening pages in the user's browser."""

import asyncio
import sys
from asyncio import Task
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

_OPEN = """
import sys, webbrowser
sys.exit(not all([webbrowser.open(url) for url in sys.argv[1:]]))
"""
_OPEN_SECONDS = 10.0


@asynccontextmanager
async def opening(urls: Sequence[str]) -> AsyncIterator[Task[bool]]:
    """Open pages while the block runs; the task returns False where there is no browser."""
    task = asyncio.create_task(_open(urls))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _open(urls: Sequence[str]) -> bool:
    # From a process without a terminal, which a browser in text mode would take. One that is
    # still running after a while has started a browser and waits for its end.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _OPEN, *urls,
        stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        return await asyncio.wait_for(process.wait(), _OPEN_SECONDS) == 0
    except TimeoutError:
        return True
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
