"""Groups that an Alertmanager has made, and posts to the relay's webhook."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from mlguard_rules.errors import BusyError
from mlguard_rules.notify import RateLimit, group_once, render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlguard_rules.alert import Alert
    from mlguard_rules.service.notification_queue import NotificationQueue
    from mlguard_rules.service.settings import Settings
    from mlguard_rules.service.state_store import StateStore

_DUPLICATE_SECONDS = 300.0
"""In which the same digest is a sender's retry, or its replica's; later it is a repetition."""


class NotificationLog:
    """Digests of recent notifications, with their times in epoch seconds."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._sent = dict(store.load("notification_log", float, str))

    def contains(self, digest: str, now: float) -> bool:
        """Return whether a digest was added in the last minutes."""
        old = [d for d, at in self._sent.items() if not 0 <= now - at < _DUPLICATE_SECONDS]
        for expired in old:
            self.remove(expired)
        return digest in self._sent

    def add(self, digest: str, now: float) -> None:
        """Add a digest."""
        self._sent[digest] = now
        self._store.put("notification_log", digest, now)

    def remove(self, digest: str) -> None:
        """Remove a digest."""
        del self._sent[digest]
        self._store.put("notification_log", digest, None)


class RelayedGroups:
    """Notifies of groups that are posted to this process, once each.

    Args:
        store: where the log is kept.
        queue: of notifications.
    """

    def __init__(self, store: StateStore, queue: NotificationQueue) -> None:
        self._store = store
        self._queue = queue
        self._log = NotificationLog(store)
        # apart from those of the dispatcher, so that neither delays the other
        self._rate_limits: dict[str, RateLimit] = {}

    async def notify(
        self,
        settings: Settings,
        alerts: Sequence[Alert],
        digest: str,
        omitted: int,
        silenced: Callable[[Mapping[str, str]], bool],
        now: float,
    ) -> None:
        """Notify of a group, unless it is a duplicate.

        Args:
            settings: with the routes.
            alerts: firing and resolved ones.
            digest: equal for duplicates.
            omitted: number of alerts of the group that are not among these.
            silenced: returns whether an alert with these labels is silenced.
            now: epoch seconds.

        Raises:
            BusyError: a route has reached its limit; the sender should retry.
            sqlite3.Error: it is not stored; the sender should retry.
        """
        if self._log.contains(digest, now):
            return
        groups = group_once(settings.routes, alerts, silenced, omitted)
        limits = [self._rate_limits.setdefault(g.route.name, RateLimit()) for g in groups]
        if any(limit.remaining(now) < 1 for limit in limits):
            raise BusyError("a route has reached its limit of notifications per minute")
        queued = []
        for group in groups:
            notification = render(group, settings.links, now)
            queued += self._queue.put(group.route.receivers, notification)
        self._log.add(digest, now)
        try:
            await self._store.save(strict=True)
        except (sqlite3.Error, OSError):
            self._log.remove(digest)
            self._queue.discard(queued)
            raise
        for limit in limits:
            limit.count(now, 1)
        self._queue.send(queued)
