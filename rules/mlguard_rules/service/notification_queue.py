"""The queue of all notifications, one queue for each receiver."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from mlguard_common.metrics import Families
from mlguard_rules import apprise_worker
from mlguard_rules.notify import Notification, ReceiverQueue
from mlguard_rules.service import metrics as m

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from mlguard_rules.service.state_store import StateStore

_DRAIN_SECONDS = 9.0
"""How long a notification in flight may take when the process ends."""

OUTCOMES = ("sent", "failed", "dropped")

log = logging.getLogger(__name__)


class LastAttempt(NamedTuple):
    """Last attempt to send to a receiver, of this process.

    Attributes:
        time: epoch seconds.
        outcome: one of OUTCOMES.
        reason: reason of a failure.
    """

    time: float
    outcome: str
    reason: str


class ReceiverState(NamedTuple):
    """How sending to a receiver goes.

    Attributes:
        name: its name.
        pending: number of notifications that wait.
        last: the last attempt; None before the first.
    """

    name: str
    pending: int
    last: LastAttempt | None


class NotificationQueue:
    """Keeps notifications until they are sent (a Collector).

    Args:
        store: where they are kept.
        urls: receiver -> its Apprise URL.
        clock: epoch seconds.

    Attributes:
        receivers: receiver -> its queue.
        counted: other receivers for which outcomes are counted.
    """

    def __init__(
        self, store: StateStore, urls: Mapping[str, str], clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._clock = clock
        self.receivers: dict[str, ReceiverQueue] = {}
        self.counted: tuple[str, ...] = ()
        self._urls: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._last: dict[str, LastAttempt] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._successors: dict[str, str] = {}
        self._running = False
        self._use(urls, [queued for _, queued in store.load("notification", Notification)])

    def use(self, urls: Mapping[str, str]) -> None:
        """Use other receivers.

        Notifications to a removed receiver go to the new receiver with its URL, as it was only
        renamed. Without one they are dropped, counted and logged.
        """
        self._use(urls, self._release_removed(urls))

    def _release_removed(self, urls: Mapping[str, str]) -> list[Notification]:
        """Stop the queues of removed receivers; return what they hold."""
        released = []
        added = {url: name for name, url in urls.items() if name not in self.receivers}
        for name in [name for name in self.receivers if name not in urls]:
            successor = added.get(self._urls[name])
            if successor is not None:
                self._successors[name] = successor
            for notification in self.receivers.pop(name).release():
                moved = notification
                if successor is not None:
                    moved = replace(notification, receiver=successor)
                    self._store.put("notification", moved.id, moved)
                released.append(moved)
            if name in self._tasks:
                task = self._tasks.pop(name)
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
        return released

    def _use(self, urls: Mapping[str, str], queued: list[Notification]) -> None:
        self._urls = dict(urls)
        for name, url in urls.items():
            send = partial(apprise_worker.send, url)
            if name in self.receivers:
                self.receivers[name].send = send
                continue
            own = [notification for notification in queued if notification.receiver == name]
            self.receivers[name] = ReceiverQueue(
                name, send, own, self._clock, self._done, self._failed
            )
            if self._running:
                self._tasks[name] = asyncio.create_task(self.receivers[name].run())
        for notification in queued:
            if notification.receiver not in urls:
                name, title = notification.receiver, notification.title
                log.error("%s is no receiver any more; dropped: %s", name, title)
                self._done(notification, "dropped")
        self._store.save_soon()

    def put(self, receivers: Iterable[str], notification: Notification) -> list[Notification]:
        """Return a notification addressed to each receiver, to be saved and then sent."""
        queued = [
            replace(notification, id=uuid4().hex, receiver=name, created_at=self._clock())
            for name in receivers
        ]
        for one in queued:
            self._store.put("notification", one.id, one)
        return queued

    def discard(self, queued: Iterable[Notification]) -> None:
        """Delete notifications that were put and are not to be sent."""
        for one in queued:
            self._store.put("notification", one.id, None)

    def send(self, queued: Iterable[Notification]) -> None:
        """Have notifications that were put sent."""
        for one in queued:
            receiver = self.receivers.get(one.receiver)
            if receiver is None:  # it was removed while the notification was saved
                self._done(one, "dropped")
            else:
                receiver.add(one)

    def start(self) -> None:
        """Start to send."""
        self._running = True
        for name, receiver in self.receivers.items():
            self._tasks[name] = asyncio.create_task(receiver.run())

    async def stop(self) -> None:
        """Finish what is in flight; the rest stays stored."""
        self._running = False
        for receiver in self.receivers.values():
            receiver.stop()
        tasks = [*self._tasks.values(), *self._ending]
        if tasks:
            await asyncio.wait(tasks, timeout=_DRAIN_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def states(self) -> list[ReceiverState]:
        """Return how sending to each receiver goes, in the order of the configuration."""
        return [
            ReceiverState(name, len(queue), self._last.get(name))
            for name, queue in self.receivers.items()
        ]

    def _attempted(self, receiver: str, outcome: str, reason: str = "") -> None:
        self._counts[receiver, outcome] += 1
        self._last[receiver] = LastAttempt(self._clock(), outcome, reason)

    def _done(self, notification: Notification, outcome: str) -> None:
        self._attempted(notification.receiver, outcome)
        self._store.put("notification", notification.id, None)
        self._store.save_soon()

    def _failed(self, notification: Notification) -> None:
        self._attempted(notification.receiver, "failed", notification.last_failure)
        self._failures[notification.receiver, notification.last_failure] += 1
        successor = self._successors.get(notification.receiver)
        if notification.receiver not in self.receivers and successor in self.receivers:
            # it was in flight when its receiver got another name
            notification = replace(notification, receiver=successor)
            self.receivers[successor].add(notification)
        self._store.put("notification", notification.id, notification)
        self._store.save_soon()

    def count(self, receiver: str, outcome: str) -> None:
        """Count an attempt of another receiver, which has no queue."""
        self._counts[receiver, outcome] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield the attempts by outcome, and the lengths of the queues."""
        families = Families(m.METRICS)
        families.declare(m.NOTIFICATIONS)
        families.declare(m.NOTIFICATIONS_PENDING)
        names = [*self.receivers, *self.counted]
        # 0 from the start, so that a first failure is an increase
        zeros = {(name, outcome): 0 for name in names for outcome in OUTCOMES}
        for labels, n in (zeros | dict(self._counts)).items():
            families.add(m.NOTIFICATIONS, labels, n)
        families.declare(m.NOTIFICATION_FAILURES)
        for labels, n in self._failures.items():
            families.add(m.NOTIFICATION_FAILURES, labels, n)
        for name, receiver in self.receivers.items():
            families.add(m.NOTIFICATIONS_PENDING, (name,), len(receiver))
        yield from families
