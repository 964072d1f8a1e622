"""Runs the courier and waits for it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import msgspec

from mlguard_rules.notify.delivery import DeliveryError

if TYPE_CHECKING:
    from mlguard_rules.notify.message import Message

SECONDS = 60.0
"""After which a receiver hangs."""

_REFUSALS = (400, 413, 422)
"""HTTP states that say that it is the message which is wrong."""


class _Answer(msgspec.Struct):
    reason: str
    status: int | None


async def carry(url: str, message: Message) -> None:
    """Send a message.

    Args:
        url: an Apprise URL.
        message: what to say.

    Raises:
        DeliveryError: it was not taken, as far as is known.
    """
    # the URL goes by standard input, as anybody may read a process's arguments
    job = msgspec.json.encode({"url": url, "message": message})
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # what lies in the working folder is not to be imported
            "-m",
            "mlguard_rules.courier",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise DeliveryError(f"no process could be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate(job)
    except TimeoutError as error:
        raise DeliveryError(f"it did not answer within {SECONDS:.0f} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        answer = msgspec.json.decode(output, type=_Answer)
    except msgspec.DecodeError as error:
        raise DeliveryError(f"the courier ended with status {process.returncode}") from error
    if answer.reason:
        raise DeliveryError(answer.reason, refused=answer.status in _REFUSALS)
