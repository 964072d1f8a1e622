"""Rules, alerts and notifications of one process, running."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from typing import TYPE_CHECKING

from mlguard_rules.alert import Alert
from mlguard_rules.notify import (
    RESOLVE_TIMEOUT_SECONDS,
    Dispatcher,
    GroupKey,
    GroupState,
    render,
)
from mlguard_rules.promql import Labels
from mlguard_rules.service.evaluator import RuleEvaluator
from mlguard_rules.service.forwarder import AlertForwarder
from mlguard_rules.service.notification_queue import NotificationQueue
from mlguard_rules.service.relayed import RelayedGroups
from mlguard_rules.service.silences import Silences
from mlguard_rules.service.state_store import RETRY_SECONDS, StateStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from prometheus_client.metrics_core import Metric
    from sqlite_utils import Database

    from mlguard_rules.notify import DispatchResult, Silence
    from mlguard_rules.service.evaluator import MetricSource
    from mlguard_rules.service.settings import Settings
    from mlguard_rules.service.state_store import Transact

_MAX_WAIT_SECONDS = 15.0

log = logging.getLogger(__name__)


class Alerting:
    """Evaluates rules, dispatches alerts and sends notifications (a Collector).

    Args:
        settings: rules, routes and receivers.
        db: with the stored state; read here, and written by `transact`.
        transact: runs a job on the database, in one transaction.
        metrics: called before each evaluation with the names of the samples that rules read. It
            returns at least the metrics that have such samples. A metric that has not changed
            since the last call may be the same object, which saves its evaluation; it must not
            be changed afterwards.
        clock: epoch seconds.
        explain: returns sentences for the annotation `explanation` of a firing alert, given its
            labels; empty for none.

    Attributes:
        store: the stored state, and changes that are not saved yet.
        queue: notifications that wait to be sent.
    """

    def __init__(
        self,
        settings: Settings,
        db: Database,
        transact: Transact,
        metrics: MetricSource,
        clock: Callable[[], float],
        explain: Callable[[Mapping[str, str]], str] = lambda _: "",
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.store = StateStore(db, transact)
        self._evaluator = RuleEvaluator(settings, self.store, metrics, explain)
        self._silences = Silences(self.store, settings.silences)
        groups = self.store.load("alert_group", GroupState, tuple[str, Labels])
        self._dispatcher = Dispatcher(
            settings.routes,
            [alert for _, alert in self.store.load("dispatched_alert", Alert)],
            {GroupKey(route, labels): group for (route, labels), group in groups},
            clock(),
        )
        self._dispatch_soon = asyncio.Event()
        self._reloaded = asyncio.Event()
        self.queue = NotificationQueue(self.store, settings.urls, clock)
        self._forwarder: AlertForwarder | None = None
        self._use_relay(settings)
        self._relayed = RelayedGroups(self.store, self.queue)

    async def run(self) -> None:
        """Run until cancelled; what was not sent stays stored."""
        self.queue.start()
        jobs = (self._evaluate_periodically(), self._dispatch_when_due(), self.store.run())
        tasks = [asyncio.ensure_future(job) for job in jobs]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            closing = asyncio.create_task(self._close(tasks))
            while not closing.done():
                # a daemon may cancel again while a notification is still in flight
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(closing)

    async def _close(self, tasks: Sequence[asyncio.Future[None]]) -> None:
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.queue.stop()
        await self.store.save()

    def use(self, settings: Settings) -> None:
        """Use other settings."""
        self._settings = settings
        self._evaluator.use(settings)
        self.queue.use(settings.urls)
        self._silences.configured = settings.silences
        self._dispatcher.use(settings.routes)
        self._use_relay(settings)
        self._reloaded.set()
        self._dispatch_soon.set()

    def _use_relay(self, settings: Settings) -> None:
        self._forwarder = AlertForwarder(settings.relay) if settings.relay else None
        self.queue.counted = ("relay",) if settings.relay else ()

    async def _evaluate_periodically(self) -> None:
        while True:
            self._reloaded.clear()
            try:
                await self.evaluate()
            except Exception:  # a fault here must not end the other jobs of the process
                log.exception("alerts cannot be dispatched")
            interval = self._settings.interval
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval - self._clock() % interval):
                    await self._reloaded.wait()

    async def evaluate(self) -> None:
        """Evaluate every rule, and dispatch or forward the alerts."""
        now = self._clock()
        self._evaluator.evaluate(now)
        alerts = self._evaluator.to_send(self._settings)
        if self._forwarder is not None:
            await self.store.save()
            self._forwarder.start(alerts, now, self._count_forwarded)
            return
        # four intervals, as an evaluation that is late does not resolve alerts
        expires_at = now + max(RESOLVE_TIMEOUT_SECONDS, 4 * self._settings.interval)
        for alert in alerts:
            self._dispatcher.receive(alert, now, expires_at)
        await self.dispatch()
        self._dispatch_soon.set()

    def _count_forwarded(self, outcome: str) -> None:
        self.queue.count("relay", outcome)

    async def receive(self, alerts: Sequence[tuple[Alert, float | None]]) -> None:
        """Receive alerts of other processes, each with the time at which it expires.

        Raises:
            sqlite3.Error: they are not stored; the sender should retry.
        """
        now = self._clock()
        for alert, expires_at in alerts:
            self._dispatcher.receive(alert, now, expires_at)
        await self._apply(self._dispatcher.take_changes(), strict=True)
        self._dispatch_soon.set()

    async def notify(self, alerts: Sequence[Alert], digest: str, omitted: int) -> None:
        """Notify of a group that an Alertmanager has made, unless it is a duplicate.

        Args:
            alerts: firing and resolved ones.
            digest: equal for duplicates.
            omitted: number of alerts of the group that are not among these.

        Raises:
            BusyError: a route has reached its limit; the sender should retry.
            sqlite3.Error: it is not stored; the sender should retry.
        """
        now = self._clock()
        silenced = self._silences.predicate(now)
        await self._relayed.notify(self._settings, alerts, digest, omitted, silenced, now)

    async def _dispatch_when_due(self) -> None:
        while True:
            wait = min(self._dispatcher.seconds_until_due(self._clock()), _MAX_WAIT_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._dispatch_soon.wait()
            self._dispatch_soon.clear()
            try:
                await self.dispatch()
            except Exception:
                log.exception("alerts cannot be dispatched")
                await asyncio.sleep(RETRY_SECONDS)

    async def dispatch(self) -> None:
        """Queue notifications of the groups that are due."""
        now = self._clock()
        await self._apply(self._dispatcher.step(now, self._silences.predicate(now)))

    async def _apply(self, result: DispatchResult, *, strict: bool = False) -> None:
        """Store what the dispatcher changed, then send notifications of the groups."""
        for key, group in result.groups.items():
            self.store.put("alert_group", (key.route, key.labels), group)
        for labels, alert in result.alerts.items():
            self.store.put("dispatched_alert", labels, alert)
        queued = []
        for due in result.due:
            notification = render(due, self._settings.links, self._clock())
            queued += self.queue.put(due.route.receivers, notification)
        try:
            await self.store.save(strict=strict)
        finally:
            # also if the database refuses, which may be what the notification is about
            self.queue.send(queued)

    @property
    def silences(self) -> list[Silence]:
        """Silences that have not ended."""
        return self._silences.active(self._clock())

    @property
    def forwards(self) -> bool:
        """Whether alerts are forwarded to a relay, which silences and sends them."""
        return self._forwarder is not None

    async def add_silence(self, silence: Silence) -> Silence:
        """Add a silence; return it with its id.

        Raises:
            sqlite3.Error: it is not stored, and has no effect.
        """
        added = self._silences.add(silence, self._clock())
        try:
            await self.store.save(strict=True)
        except (sqlite3.Error, OSError):
            self._silences.remove(added.id)
            raise
        return added

    async def end_silence(self, silence_id: str) -> bool:
        """End a silence; return whether there was one of this id."""
        if not self._silences.remove(silence_id):
            return False
        await self.store.save()
        self._dispatch_soon.set()
        return True

    @property
    def active(self) -> list[Alert]:
        """Pending and firing alerts of the process's own rules."""
        return self._evaluator.active

    @property
    def received(self) -> list[Alert]:
        """Firing alerts of other processes."""
        settings = self._settings
        own = {a.to_send(settings.labels, settings.generator_url).labels for a in self.active}
        return [a for a in self._dispatcher.alerts if not a.is_resolved and a.labels not in own]

    def collect(self) -> Iterator[Metric]:
        """Yield the alerts, and the metrics of rules and notifications."""
        yield from self._evaluator.collect()
        yield from self.queue.collect()
        yield from self.store.collect()
