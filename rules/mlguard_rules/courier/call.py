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


async def carry(url: str, message: Message) -> None:
    """Send a message.

    Args:
        url: an Apprise URL.
        message: what to say.

    Raises:
        DeliveryError: it was not taken, as far as is known.
    """
    await _run(url, message)


async def check_url(url: str) -> None:
    """See whether Apprise knows what to do with a URL.

    Raises:
        DeliveryError: it does not.
    """
    await _run(url, None)


async def _run(url: str, message: Message | None) -> None:
    # the URL goes by standard input, as anybody may read a process's arguments
    job = msgspec.json.encode({"url": url, "message": message})
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
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
        reason = msgspec.json.decode(output, type=str)
    except msgspec.DecodeError as error:
        raise DeliveryError(f"the courier ended with status {process.returncode}") from error
    if reason:
        raise DeliveryError(reason)
