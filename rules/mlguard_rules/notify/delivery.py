"""The outbox: letters that wait for their receivers, and the sending of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from mlguard_rules.notify.message import Message  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

FIRST_RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 300.0
MOST_LETTERS = 1000
"""That wait for one receiver; the oldest go beyond that, and are counted."""

_MOST_REFUSALS = 4
"""Of a message that a receiver does not want, as others wait behind it; one more is the end."""

_PLAIN_AFTER_REFUSALS = 2
"""It may be the markup."""

_MANY_ATTEMPTS = 100
"""As a clock that was set ahead is not a week of trying."""

KEEP_SECONDS = 7 * 86_400.0
"""How long a letter is tried."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Letter:
    """A message to one receiver.

    Attributes:
        id: of its own.
        receiver: name of the receiver.
        message: what it says.
        created_at: epoch seconds.
        attempts: how often it was tried.
        refusals: how often it was the message that the receiver did not want.
        next_at: when it is tried next, epoch seconds.
    """

    id: str
    receiver: str
    message: Message
    created_at: float
    attempts: int = 0
    refusals: int = 0
    next_at: float = 0.0


class DeliveryError(Exception):
    """A message was not taken; one line without a secret.

    Attributes:
        refused: whether the message itself is what the receiver does not want.
    """

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class Send(Protocol):
    """Hands a message to a receiver; a DeliveryError says that it was not taken."""

    def __call__(self, message: Message, *, plain: bool) -> Awaitable[None]:
        """Hand it over, without markup where plain."""


class Delivery:
    """Sends the letters of one receiver one after the other, so that it holds up no other.

    Args:
        name: of the receiver.
        send: hands it a message.
        letters: that wait from before.
        clock: epoch seconds.
        done: called with a letter that is sent or given up, and the outcome.
        tried: called with a letter that must wait longer.
    """

    def __init__(
        self,
        name: str,
        send: Send,
        letters: Iterable[Letter],
        clock: Callable[[], float],
        done: Callable[[Letter, str], None],
        tried: Callable[[Letter], None],
    ) -> None:
        self.name = name
        self.send = send
        self._letters = deque(sorted(letters, key=lambda letter: letter.created_at))
        self._clock = clock
        self._done = done
        self._tried = tried
        self._wake = asyncio.Event()
        self._stopping = False
        self._under_way = False

    @property
    def waiting(self) -> int:
        """How many letters wait."""
        return len(self._letters)

    @property
    def letters(self) -> list[Letter]:
        """Those that wait, the oldest first."""
        return list(self._letters)

    def add(self, letter: Letter) -> None:
        """Send a letter after those that wait; beyond the limit the oldest is given up."""
        self._letters.append(letter)
        if len(self._letters) > MOST_LETTERS:
            # not the first, as it may be under way
            self._give_up(1, f"{MOST_LETTERS} wait")
        self._wake.set()

    def _give_up(self, index: int, why: str) -> None:
        letter = self._letters[index]
        del self._letters[index]
        log.error("a message to %s is given up, as %s: %s", self.name, why, letter.message.title)
        self._done(letter, "dropped")

    async def run(self) -> None:
        """Send until it is told to stop."""
        while not self._stopping:
            self._wake.clear()
            await self.attempt()
            # a clock that was set back must not make it wait longer than a retry does
            left = self._letters[0].next_at - self._clock() if self._letters else None
            wait = None if left is None else min(max(left, 0.0), LONGEST_RETRY_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    def stop(self) -> None:
        """Send no more than what is under way."""
        self._stopping = True
        self._wake.set()

    def release(self) -> list[Letter]:
        """Stop, and give back what is not under way."""
        self.stop()
        rest = self.letters[1 if self._under_way else 0 :]
        for letter in rest:
            self._letters.remove(letter)
        return rest

    async def attempt(self) -> None:
        """Send what is due now, up to the first letter that is not taken."""
        while self._letters and not self._stopping:
            letter, now = self._letters[0], self._clock()
            if now < letter.next_at <= now + LONGEST_RETRY_SECONDS:
                return
            if now - letter.created_at > KEEP_SECONDS and letter.attempts > _MANY_ATTEMPTS:
                self._give_up(0, "it was tried for a week")
                continue
            if not await self._send(letter):
                return

    async def _send(self, letter: Letter) -> bool:
        self._under_way = True
        try:
            await self.send(letter.message, plain=letter.refusals >= _PLAIN_AFTER_REFUSALS)
        except DeliveryError as error:
            return self._not_taken(letter, str(error), refused=error.refused)
        except Exception as error:  # noqa: BLE001 - its text may hold a secret
            return self._not_taken(letter, type(error).__name__, refused=False)
        finally:
            self._under_way = False
        self._letters.popleft()
        self._done(letter, "sent")
        return True

    def _not_taken(self, letter: Letter, why: str, *, refused: bool) -> bool:
        """Have a letter wait, or give it up; whether the next one may be tried now."""
        refusals = letter.refusals + refused
        if refusals > _MOST_REFUSALS:
            self._give_up(0, f"it was refused {refusals} times, {why}")
            return True
        pause = min(FIRST_RETRY_SECONDS * 2 ** min(letter.attempts, 10), LONGEST_RETRY_SECONDS)
        log.warning(
            "a message was not taken by %s, tried again in %.0f s: %s", self.name, pause, why
        )
        later = replace(
            letter,
            attempts=letter.attempts + 1,
            refusals=refusals,
            next_at=self._clock() + pause,
        )
        self._letters[0] = later
        self._tried(later)
        return False
