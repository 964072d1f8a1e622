"""Starts the worker process and waits for its result."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import TYPE_CHECKING

import msgspec

from mlguard_rules.errors import SendError, SendReason

if TYPE_CHECKING:
    from mlguard_rules.notify import Notification

TIMEOUT_SECONDS = 20.0
_EXIT_SECONDS = 5.0
_MAX_PROCESSES = 2
"""At the same time; each takes some 40 MiB."""

_slots = asyncio.Semaphore(_MAX_PROCESSES)

log = logging.getLogger(__name__)


class _Result(msgspec.Struct):
    reason: SendReason | None
    text: str
    retry_after: float | None
    sent_to_some: bool


async def send(url: str, notification: Notification, *, plain: bool = False) -> None:
    """Send a notification.

    If a URL has several targets and only some of them accept it, it counts as sent, as a retry
    would send it to those again.

    Args:
        url: an Apprise URL.
        notification: to send.
        plain: without markup.

    Raises:
        SendError: it was not accepted, as far as is known.
    """
    # the URL goes by standard input, as the arguments of a process are public
    job = msgspec.json.encode(
        {
            "url": url,
            "title": _encodable(notification.title),
            "body": _encodable(notification.body),
            "notify_type": notification.notify_type,
            "plain": plain,
        }
    )
    async with _slots:
        output = await _run(job)
    try:
        result = msgspec.json.decode(output, type=_Result)
    except msgspec.DecodeError as error:
        raise SendError("the process that sends it ended without a result") from error
    if result.reason and result.sent_to_some:
        log.error("a notification was accepted by some targets only: %s", result.text)
    elif result.reason:
        raise SendError(result.text, result.reason, result.retry_after)


def _encodable(text: str) -> str:
    """Replace lone surrogates."""
    return text.encode("utf-8", "replace").decode()


async def _run(job: bytes) -> bytes:
    """Return what the worker writes.

    Its standard input stays open meanwhile: the worker ends when it is closed, which is also how
    it learns that this process was killed.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing is imported from the working folder
            "-m",
            "mlguard_rules.apprise_worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # so that a signal to the daemon's group does not reach it
        )
    except OSError as error:
        raise SendError(f"no process could be started: {error.strerror}") from error
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    assert process.stdout is not None  # noqa: S101 - the same
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            process.stdin.write(job + b"\n")
            output = await process.stdout.read()
    except TimeoutError as error:
        text = f"it did not answer within {TIMEOUT_SECONDS:.0f} s"
        raise SendError(text, SendReason.TIMEOUT) from error
    finally:
        process.stdin.close()  # at which it ends by itself
        # to kill a process that has just ended is a race with asyncio, which waits for it too
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output
