"""Runs the courier and waits for it."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING

import msgspec

from mlguard_rules.notify.delivery import DeliveryError

if TYPE_CHECKING:
    from mlguard_rules.notify.message import Message

SECONDS = 20.0
"""After which a receiver hangs."""

_REFUSALS = (400, 413, 422)
"""HTTP states that say that it is the message which is wrong."""


_MOST_AT_ONCE = 2
"""Processes; each takes some 40 MiB."""

_turn = asyncio.Semaphore(_MOST_AT_ONCE)

log = logging.getLogger(__name__)


class _Answer(msgspec.Struct):
    reason: str
    status: int | None
    partly: bool


async def carry(url: str, message: Message, *, plain: bool = False) -> None:
    """Send a message.

    Where a URL has several targets and only some of them take it, it counts as sent: the others
    are not worth telling those twice.

    Args:
        url: an Apprise URL.
        message: what to say.
        plain: without markup.

    Raises:
        DeliveryError: it was not taken, as far as is known.
    """
    # the URL goes by standard input, as anybody may read a process's arguments
    job = msgspec.json.encode({"url": url, "message": message, "plain": plain})
    async with _turn:
        output = await _run(job)
    try:
        answer = msgspec.json.decode(output, type=_Answer)
    except msgspec.DecodeError as error:
        raise DeliveryError("the process that sends it broke off") from error
    if answer.reason and answer.partly:
        log.error("a message was taken by some targets of a receiver only: %s", answer.reason)
    elif answer.reason:
        raise DeliveryError(answer.reason, refused=answer.status in _REFUSALS)


async def _run(job: bytes) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # what lies in the working folder is not to be imported
            "-m",
            "mlguard_rules.courier",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # a signal to the daemon's group is not for it
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
    return output
