"""Rules, alerts and notifications of one process, running."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from typing import TYPE_CHECKING

from mlguard_common.metrics import Families
from mlguard_rules.alert import Alert
from mlguard_rules.notify import (
    RESOLVE_SECONDS,
    Budget,
    Dispatcher,
    Group,
    GroupKey,
    compose,
    grouped,
)
from mlguard_rules.promql import Labels
from mlguard_rules.service import metrics as m
from mlguard_rules.service.handover import Handover
from mlguard_rules.service.judge import Judge
from mlguard_rules.service.ledger import Ledger
from mlguard_rules.service.news import News
from mlguard_rules.service.outbox import Outbox
from mlguard_rules.service.silences import Silences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric
    from sqlite_utils import Database

    from mlguard_rules.alerting import ActiveAlert
    from mlguard_rules.notify import Silence, Step
    from mlguard_rules.service.ledger import Transact
    from mlguard_rules.service.settings import Settings

_LONGEST_NAP_SECONDS = 15.0
_SAVE_RETRY_SECONDS = 5.0

log = logging.getLogger(__name__)


class BusyError(Exception):
    """So much was told in the last minute that more has to wait."""


class Alerting:
    """Evaluates rules, dispatches alerts, sends messages (a Collector).

    Args:
        settings: what to judge and whom to tell.
        db: where alerts and letters are kept; read here, and written by `transact`.
        transact: runs a job on the database, in one transaction.
        figures: what rules read.
        clock: epoch seconds.

    Attributes:
        ledger: what is kept, and changes that wait to be.
        outbox: messages that wait to be sent.
    """

    def __init__(
        self,
        settings: Settings,
        db: Database,
        transact: Transact,
        figures: Callable[[], Iterable[Metric]],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.ledger = Ledger(db, transact)
        self._judge = Judge(settings, self.ledger, figures)
        self._silences = Silences(self.ledger, settings.silences)
        now = clock()
        self._dispatcher = Dispatcher(
            settings.routes,
            [alert for _, alert in self.ledger.take("told", Alert)],
            {
                GroupKey(route, labels): group
                for (route, labels), group in self.ledger.take("group", Group, tuple[str, Labels])
            },
            now,
        )
        self._save_soon = asyncio.Event()
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self.outbox = Outbox(self.ledger, settings.urls, clock, self._save_soon.set)
        self._handover: Handover | None = None
        self._handing_over: asyncio.Task[None] | None = None
        self._use_relay(settings)
        self._news = News(self.ledger)
        self._relayed: dict[str, Budget] = {}
        self._save_errors = 0

    async def run(self) -> None:
        """Go on until cancelled; what waits is kept."""
        self.outbox.start()
        jobs = (self._evaluate_for_ever(), self._dispatch_for_ever(), self._save_for_ever())
        tasks = [asyncio.ensure_future(job) for job in jobs]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            closing = asyncio.create_task(self._close(tasks))
            while not closing.done():
                # a daemon may cancel again while a message is still under way
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(closing)
            closing.result()

    async def _close(self, tasks: list[asyncio.Task[None]]) -> None:
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.outbox.stop()
        await self.save()

    def use(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings
        self._judge.use(settings)
        self.outbox.use(settings.urls)
        self._silences.configured = settings.silences
        self._dispatcher.use(settings.routes)
        self._use_relay(settings)
        self._changed.set()
        self._wake.set()

    def _use_relay(self, settings: Settings) -> None:
        self._handover = Handover(settings.relay) if settings.relay else None
        self.outbox.counted = ("relay",) if settings.relay else ()

    async def _evaluate_for_ever(self) -> None:
        while True:
            self._changed.clear()
            try:
                await self.evaluate()
            except Exception:  # a fault of ours must not end what else the process does
                log.exception("alerts cannot be passed on")
            interval = self._settings.interval
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval - self._clock() % interval):
                    await self._changed.wait()

    async def evaluate(self) -> None:
        """Evaluate every rule, and pass on what fires."""
        now = self._clock()
        self._judge.evaluate(now)
        told = self._judge.told(self._settings)
        if self._handover is not None:
            await self.save()
            self._hand_over(self._handover, told, now)
            return
        # four intervals, as a process that is late has not resolved anything
        expires_at = now + max(RESOLVE_SECONDS, 4 * self._settings.interval)
        for alert in told:
            self._dispatcher.receive(alert, now, expires_at)
        await self.dispatch()
        self._wake.set()

    def _hand_over(self, handover: Handover, told: list[Alert], now: float) -> None:
        """Begin to hand alerts over, unless that is still under way: rules do not wait for it."""

        async def hand_over() -> None:
            taken = await handover.offer(told, now)
            if taken is not None:
                self.outbox.count("relay", "sent" if taken else "failed")

        if self._handing_over is None or self._handing_over.done():
            self._handing_over = asyncio.create_task(hand_over())

    async def receive(self, alerts: Sequence[tuple[Alert, float | None]]) -> None:
        """Take in alerts of others, each with when it is over unless it is told again.

        Raises:
            sqlite3.Error: they are not stored; the sender should try again.
        """
        now = self._clock()
        for alert, expires_at in alerts:
            self._dispatcher.receive(alert, now, expires_at)
        await self._apply(self._dispatcher.take_changes(), strict=True)
        self._wake.set()

    async def tell(self, alerts: Sequence[Alert], digest: str, omitted: int) -> None:
        """Tell what another has already grouped; what was told in the last minutes is not repeated.

        Args:
            alerts: firing and resolved ones.
            digest: the same for the same news.
            omitted: alerts of the group that are not among these.

        Raises:
            BusyError: a route has no message left in this minute; the sender should try again.
            sqlite3.Error: it is not stored; the same.
        """
        now = self._clock()
        if not self._news.is_new(digest, now):
            return
        silenced = self._silences.test(now)
        news = grouped(self._settings.routes, alerts, silenced, omitted)
        # apart from that of the groups here, so that neither keeps the other waiting
        budgets = [self._relayed.setdefault(told.route.name, Budget()) for told in news]
        if any(budget.left(now) < 1 for budget in budgets):
            raise BusyError
        letters = []
        for told in news:
            message = compose(told, self._settings.links, now)
            letters += self.outbox.write(told.route.receivers, message)
        self._news.add(digest, now)
        try:
            await self.save(strict=True)
        except (sqlite3.Error, OSError):
            self._news.forget(digest)
            for letter in letters:
                self.ledger.put("letter", letter.id, None)
            raise
        for budget in budgets:
            budget.spend(now, 1)
        self.outbox.post(letters)

    async def _dispatch_for_ever(self) -> None:
        while True:
            nap = min(self._dispatcher.due_in(self._clock()), _LONGEST_NAP_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(nap):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.dispatch()
            except Exception:
                log.exception("alerts cannot be dispatched")
                await asyncio.sleep(_SAVE_RETRY_SECONDS)

    async def dispatch(self) -> None:
        """Tell what is due."""
        now = self._clock()
        await self._apply(self._dispatcher.step(now, self._silences.test(now)))

    async def _apply(self, step: Step, *, strict: bool = False) -> None:
        """Keep what a step changed, then have its messages sent."""
        for key, group in step.groups.items():
            self.ledger.put("group", (key.route, key.labels), group)
        for labels, alert in step.alerts.items():
            self.ledger.put("told", labels, alert)
        letters = []
        for notification in step.notifications:
            message = compose(notification, self._settings.links, self._clock())
            letters += self.outbox.write(notification.route.receivers, message)
        try:
            await self.save(strict=strict)
        finally:
            # a database that refuses must not keep people from being told, perhaps of just that
            self.outbox.post(letters)

    async def save(self, *, strict: bool = False) -> None:
        """Save what changed; what the database refuses is counted, and tried again.

        Raises:
            sqlite3.Error: it refused, where strict.
        """
        try:
            await self.ledger.save()
        except (sqlite3.Error, OSError) as error:
            if not self._save_errors:
                log.error("alerts cannot be stored, trying on: %s", error)  # noqa: TRY400
            self._save_errors += 1
            self._save_soon.set()
            if strict:
                raise

    async def _save_for_ever(self) -> None:
        while True:
            await self._save_soon.wait()
            self._save_soon.clear()
            await self.save()
            if self.ledger.unsaved:
                await asyncio.sleep(_SAVE_RETRY_SECONDS)
                self._save_soon.set()

    @property
    def silences(self) -> list[Silence]:
        """Silences that are not over."""
        return self._silences.active(self._clock())

    @property
    def hands_over(self) -> bool:
        """Whether alerts go to a relay, which silences and sends."""
        return self._handover is not None

    async def add_silence(self, silence: Silence) -> Silence:
        """Silence alerts; the silence with its id.

        Raises:
            sqlite3.Error: it is not stored, and does not hold.
        """
        made = self._silences.add(silence, self._clock())
        try:
            await self.save(strict=True)
        except (sqlite3.Error, OSError):
            self._silences.end(made.id)
            raise
        return made

    async def end_silence(self, name: str) -> bool:
        """End a silence; whether there was one of that id."""
        if not self._silences.end(name):
            return False
        await self.save()
        self._wake.set()
        return True

    @property
    def active(self) -> list[ActiveAlert]:
        """Alerts of the process's own rules that are pending or fire."""
        return self._judge.active

    @property
    def received(self) -> list[Alert]:
        """Alerts of others that fire."""
        own = {
            alert.told(self._settings.labels, self._settings.source).labels for alert in self.active
        }
        return [
            alert
            for alert in self._dispatcher.alerts
            if alert.ends_at is None and alert.labels not in own
        ]

    def collect(self) -> Iterator[Metric]:
        """Yield the alerts, and the figures of rules and messages."""
        yield from self._judge.collect()
        yield from self.outbox.collect()
        families = Families((m.SAVE_ERRORS,))
        families.add(m.SAVE_ERRORS, (), self._save_errors)
        yield from families
