"""The queue of one receiver: notifications that wait to be sent, with retries."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from mlguard_rules.errors import SendError, SendReason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from mlguard_rules.notify.render import Notification

MIN_RETRY_SECONDS = 5.0
MAX_RETRY_SECONDS = 300.0
MAX_QUEUED = 1000
"""Notifications that wait for one receiver; beyond it the oldest are dropped and counted."""

RETENTION_SECONDS = 7 * 86_400.0
"""How long a notification is retried."""

_MAX_REJECTIONS = 4
"""Of one notification, as others wait behind it; one more drops it."""

_MAX_UNKNOWN = 5
"""Failures for no known reason, after which others need not wait behind a notification."""

_PLAIN_AFTER_REJECTIONS = 2
"""The markup may be what is refused."""

_MIN_ATTEMPTS_BEFORE_EXPIRY = 100
"""A clock that was set ahead is not a week of retries."""

log = logging.getLogger(__name__)


class Send(Protocol):
    """Sends a notification to a receiver; raises SendError if it was not accepted."""

    def __call__(self, notification: Notification, *, plain: bool) -> Awaitable[None]:
        """Send it, without markup if plain."""


class ReceiverQueue:
    """Sends the notifications of one receiver in order, independently of other receivers.

    Args:
        name: of the receiver.
        send: sends a notification.
        queued: notifications that were stored.
        clock: epoch seconds.
        done: called with a notification that was sent or dropped, and the outcome.
        failed: called with a notification that will be tried again.
    """

    def __init__(
        self,
        name: str,
        send: Send,
        queued: Iterable[Notification],
        clock: Callable[[], float],
        done: Callable[[Notification, str], None],
        failed: Callable[[Notification], None],
    ) -> None:
        self.name = name
        self.send = send
        self._queue = deque(sorted(queued, key=lambda notification: notification.created_at))
        self._clock = clock
        self._done = done
        self._failed = failed
        self._wake = asyncio.Event()
        self._stopping = False
        self._in_flight: Notification | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, notification: Notification) -> None:
        """Queue a notification; beyond the limit the oldest one is dropped."""
        self._queue.append(notification)
        if len(self._queue) > MAX_QUEUED:
            oldest = next(i for i, n in enumerate(self._queue) if n is not self._in_flight)
            self._drop(oldest, f"{MAX_QUEUED} wait")
        self._wake.set()

    def _drop(self, index: int, reason: str) -> None:
        notification = self._queue[index]
        del self._queue[index]
        log.error(
            "a notification to %s is dropped, as %s: %s", self.name, reason, notification.title
        )
        self._done(notification, "dropped")

    async def run(self) -> None:
        """Send until stopped."""
        while not self._stopping:
            self._wake.clear()
            await self.send_due()
            # a clock that was set back must not delay it by more than the longest retry
            now = self._clock()
            waiting = [min(n.next_attempt_at - now, n.pause) for n in self._candidates()]
            wait = max(min(waiting), 0.0) if waiting else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    def _candidates(self) -> list[Notification]:
        """Return those that may be sent next: the first, and those that are set aside.

        What a receiver has refused, or what has failed often for no known reason, is tried again
        beside the others, which it must not hold up.
        """
        aside = [n for n in self._queue if _is_aside(n)]
        first = next((n for n in self._queue if not _is_aside(n)), None)
        return aside if first is None else [*aside, first]

    def stop(self) -> None:
        """Send nothing after the notification that is in flight."""
        self._stopping = True
        self._wake.set()

    def release(self) -> list[Notification]:
        """Stop, and return the notifications that are not in flight."""
        self.stop()
        released = [n for n in self._queue if n is not self._in_flight]
        for notification in released:
            self._queue.remove(notification)
        return released

    async def send_due(self) -> None:
        """Send what is due now, in order, up to the first that cannot be delivered."""
        while not self._stopping:
            now = self._clock()
            due = [
                notification
                for notification in self._candidates()
                if not now < notification.next_attempt_at <= now + notification.pause
            ]
            if not due:
                return
            notification = due[0]
            is_old = now - notification.created_at > RETENTION_SECONDS
            if is_old and notification.attempts > _MIN_ATTEMPTS_BEFORE_EXPIRY:
                self._drop(self._queue.index(notification), "it was tried for a week")
            elif not await self._send(notification):
                return

    async def _send(self, notification: Notification) -> bool:
        """Send one; return whether another one may be tried now."""
        self._in_flight = notification
        plain = notification.rejections >= _PLAIN_AFTER_REJECTIONS
        try:
            await self.send(notification, plain=plain)
        except SendError as error:
            return self._retry(notification, error)
        except Exception as error:  # noqa: BLE001 - its text may hold a secret
            return self._retry(notification, SendError(type(error).__name__))
        finally:
            self._in_flight = None
        self._queue.remove(notification)
        self._done(notification, "sent")
        return True

    def _retry(self, notification: Notification, error: SendError) -> bool:
        """Postpone or drop a notification; return whether another one may be tried now."""
        index = self._queue.index(notification)
        rejections = notification.rejections + error.rejected
        if rejections > _MAX_REJECTIONS:
            self._drop(index, f"it was refused {rejections} times, {error}")
            return True
        pause = min(MIN_RETRY_SECONDS * 2 ** min(notification.attempts, 10), MAX_RETRY_SECONDS)
        if error.retry_after is not None:
            pause = max(pause, error.retry_after)
        log.warning(
            "a notification was not accepted by %s, tried again in %.0f s: %s",
            self.name,
            pause,
            error,
        )
        postponed = replace(
            notification,
            attempts=notification.attempts + 1,
            rejections=rejections,
            next_attempt_at=self._clock() + pause,
            pause=pause,
            last_failure=error.reason,
        )
        self._queue[index] = postponed
        self._failed(postponed)
        return _is_aside(postponed)


def _is_aside(notification: Notification) -> bool:
    """Return whether a notification holds up no other any more."""
    is_odd = notification.last_failure == SendReason.UNKNOWN
    return bool(notification.rejections) or (is_odd and notification.attempts >= _MAX_UNKNOWN)
