"""Letters to all receivers."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from mlguard_common.metrics import Families
from mlguard_rules.courier import carry
from mlguard_rules.notify import Delivery, Letter
from mlguard_rules.service import metrics as m

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from mlguard_rules.notify import Message
    from mlguard_rules.service.ledger import Ledger

_LAST_SECONDS = 9.0
"""That a message which is under way may still take when the process ends."""

log = logging.getLogger(__name__)

OUTCOMES = ("sent", "failed", "dropped")


class Outbox:
    """Keeps letters until they are sent (a Collector).

    Args:
        ledger: where letters are kept.
        urls: receiver -> its Apprise URL.
        clock: epoch seconds.
        changed: called when there is something to save.

    Attributes:
        counted: what else messages go to, not by letter.
    """

    def __init__(
        self,
        ledger: Ledger,
        urls: Mapping[str, str],
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._changed = changed
        self._deliveries: dict[str, Delivery] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting = [letter for _, letter in ledger.take("letter", Letter)]
        self._counts: Counter[tuple[str, str]] = Counter()
        self._running = False
        self._urls: dict[str, str] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self.counted: tuple[str, ...] = ()
        self.use(urls)

    def use(self, urls: Mapping[str, str]) -> None:
        """Send to these receivers.

        Letters to one that is gone go to the new one with its URL, where it only has another name
        now; else they are dropped, counted and told.
        """
        new = {url: name for name, url in urls.items() if name not in self._deliveries}
        for name in [name for name in self._deliveries if name not in urls]:
            heir = new.get(self._urls[name])
            for letter in self._deliveries.pop(name).release():
                self._waiting.append(letter if heir is None else replace(letter, receiver=heir))
                if heir is not None:
                    self._ledger.put("letter", letter.id, self._waiting[-1])
            if name in self._tasks:
                task = self._tasks.pop(name)
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
        self._urls = dict(urls)
        for name, url in urls.items():
            if name in self._deliveries:
                self._deliveries[name].send = partial(carry, url)
                continue
            mine = [letter for letter in self._waiting if letter.receiver == name]
            self._deliveries[name] = Delivery(
                name, partial(carry, url), mine, self._clock, self._done, self._tried
            )
            if self._running:
                self._tasks[name] = asyncio.create_task(self._deliveries[name].run())
        for letter in self._waiting:
            if letter.receiver not in urls:
                name, title = letter.receiver, letter.message.title
                log.error("%s is no receiver any more; dropped: %s", name, title)
                self._done(letter, "dropped")
        self._waiting.clear()
        self._changed()

    def write(self, receivers: Iterable[str], message: Message) -> list[Letter]:
        """Letters with a message to some receivers, to be saved and then posted."""
        letters = [Letter(uuid4().hex, name, message, self._clock()) for name in receivers]
        for letter in letters:
            self._ledger.put("letter", letter.id, letter)
        return letters

    def post(self, letters: Iterable[Letter]) -> None:
        """Have letters sent."""
        for letter in letters:
            delivery = self._deliveries.get(letter.receiver)
            if delivery is None:  # the receiver went while the letter was saved
                self._done(letter, "dropped")
            else:
                delivery.add(letter)

    def start(self) -> None:
        """Begin to send."""
        self._running = True
        for name, delivery in self._deliveries.items():
            self._tasks[name] = asyncio.create_task(delivery.run())

    async def stop(self) -> None:
        """Send no more than what is under way; what waits is kept."""
        self._running = False
        for delivery in self._deliveries.values():
            delivery.stop()
        tasks = [*self._tasks.values(), *self._ending]
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def deliveries(self) -> Mapping[str, Delivery]:
        """One for each receiver."""
        return self._deliveries

    def _done(self, letter: Letter, outcome: str) -> None:
        self._counts[letter.receiver, outcome] += 1
        self._ledger.put("letter", letter.id, None)
        self._changed()

    def _tried(self, letter: Letter) -> None:
        self._counts[letter.receiver, "failed"] += 1
        self._ledger.put("letter", letter.id, letter)
        self._changed()

    def count(self, receiver: str, outcome: str) -> None:
        """Count an attempt that did not go by letter."""
        self._counts[receiver, outcome] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield what became of the messages to each receiver."""
        families = Families(m.METRICS)
        families.declare(m.NOTIFICATIONS)
        families.declare(m.NOTIFICATIONS_PENDING)
        names = [*self._deliveries, *self.counted]
        # at 0 from the start, so that a first failure is seen as an increase
        known = {(name, outcome): 0 for name in names for outcome in OUTCOMES}
        for labels, n in (known | dict(self._counts)).items():
            families.add(m.NOTIFICATIONS, labels, n)
        for name, delivery in self._deliveries.items():
            families.add(m.NOTIFICATIONS_PENDING, (name,), delivery.waiting)
        yield from families
