"""Reads the spend of every account when it is due, keeps it, and has figures made of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mlguard_exporter.aws import AwsErrors, code, count_requests, explain, sent_in_month
from mlguard_exporter.reading import attempts as memory
from mlguard_exporter.reading.schedule import days_to_read, due_at, history_is_read
from mlguard_exporter.reading.sources import configured_mark, settings_mark, source_of
from mlguard_exporter.spend import SourceError
from mlguard_exporter.spend.calendar import begins, month_after, utc_day
from mlguard_exporter.spend.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlite_utils import Database

    from mlguard_common.database import Transact
    from mlguard_exporter.config import AccountConfig, CostConfig
    from mlguard_exporter.reading.attempts import Attempts
    from mlguard_exporter.reading.sources import AccountSource
    from mlguard_exporter.spend import Reading

TAGS_EVERY_SECONDS = 604_800.0
"""The tags' states are asked for once a week, as AWS may charge for that too."""
INACTIVE_TAGS_EVERY_SECONDS = 72_000.0
"""While one is not active, with the first read of each day."""
LONGEST_WAIT_SECONDS = 60.0
"""Between looks at the clock, which may be set meanwhile."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class _Account(NamedTuple):
    config: AccountConfig
    settings: str
    configured: str
    found: AccountSource


class Reader:
    """The task that reads; one account at a time, in a thread that nothing waits for at the end.

    Args:
        cost: what to read.
        transact: runs a job on the database in one transaction.
        clock: epoch seconds.
        refresh: has figures made anew.
    """

    def __init__(
        self,
        cost: CostConfig,
        transact: Transact,
        clock: Callable[[], float],
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        self._transact = transact
        self._clock = clock
        self._refresh = refresh
        self._wake = asyncio.Event()
        self._impatient = False
        self._has_begun = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._use(cost)

    def _use(self, cost: CostConfig) -> None:
        self._cost = cost
        self._accounts = [
            _Account(
                account,
                settings_mark(account, cost),
                configured_mark(account, cost),
                source_of(account, cost, self._wait_for, self._clock),
            )
            for account in cost.accounts
        ]

    def use(self, cost: CostConfig) -> None:
        """Go on with another configuration; what has failed is tried again at once."""
        self._use(cost)
        self._impatient = True
        self._wake.set()

    async def run(self) -> None:
        """Read for ever."""
        while True:
            self._wake.clear()
            wait = await self.tick()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)

    async def tick(self) -> float:
        """Read the accounts that are due; the seconds until the next look."""
        self._loop = asyncio.get_running_loop()
        is_first, self._has_begun = not self._has_begun, True
        impatient, self._impatient = self._impatient, False
        if impatient or is_first:
            await self._make_figures()  # what is known, before a read that may take its time
        waits = [LONGEST_WAIT_SECONDS]
        for account in self._accounts:
            try:
                wait = await self._read_if_due(account, impatient=impatient, is_first=is_first)
                waits.append(wait)
            except sqlite3.Error as error:
                log.error("%s: cannot be kept: %s", account.config.name, error)  # noqa: TRY400
        return max(min(waits), 0.0)

    async def _make_figures(self) -> None:
        try:
            await self._refresh()
        except Exception:
            log.exception("figures of spend are not made")

    async def _read_if_due(self, account: _Account, *, impatient: bool, is_first: bool) -> float:
        """Read an account unless it is too early; the seconds until it is due again."""
        name, now = account.config.name, self._clock()
        tried = await self._transact(lambda db: memory.remembered(db, name))
        anew = tried.settings != account.settings
        due = due_at(tried, self._cost.interval.seconds, now)
        is_changed = tried.attempted_with != account.configured
        reads_now = (impatient or is_changed) if tried.failures else anew
        if reads_now:
            due = now
        if due > now:
            if is_first and tried.failures:
                log.info(
                    "%s: the last read failed; the next is at %s, or after a reload",
                    name, f"{datetime.fromtimestamp(due, UTC):%Y-%m-%d %H:%M} UTC",
                )  # fmt: skip
            return due - now
        await self._transact(lambda db: memory.begin(db, name, account.configured, now))
        up = await self._read(account, tried, now, anew=anew)
        done = self._clock()
        if up:
            await self._transact(lambda db: memory.succeed(db, name, account.settings, done))
            if history_is_read(tried, now):
                await self._transact(lambda db: memory.forget_history(db, name))
        else:
            await self._transact(lambda db: memory.fail(db, name))
        await self._make_figures()
        return 0.0

    async def _read(self, account: _Account, tried: Attempts, now: float, *, anew: bool) -> bool:
        first, end = days_to_read(tried, now, anew=anew)
        name, source = account.config.name, account.found.source

        def work() -> tuple[int, int]:
            known = self._wait_for(lambda db: Ledger(db).versions(name))
            sent = self._wait_for(lambda db: count_requests(db, name).sent)
            readings = restated = 0
            for reading in source.read(first, end, known):
                take = partial(_take, name, reading, now, anew)
                readings, restated = readings + 1, restated + self._wait_for(take)
            if account.found.active_tags is not None:
                self._tell_of_limit(name, sent, now)
                if anew or self._are_tags_old(name, tried, now):
                    self._ask_tags(name, account.found.active_tags, now)
            return readings, restated

        try:
            readings, restated = await _in_thread(work)
        except SourceError as error:
            log.warning("%s: spend is not read: %s", name, error)
            return False
        except (sqlite3.Error, OSError) as error:
            log.error("%s: spend cannot be kept: %s", name, error)  # noqa: TRY400
            return False
        except Exception:
            log.exception("%s: spend is not read, by a fault of ML Guard", name)
            return False
        log.info(
            "%s: %s, days restated: %d", name,
            f"spend is read from {first} on" if readings else "spend has not changed", restated,
        )  # fmt: skip
        return True

    def _ask_tags(self, name: str, ask: Callable[[], dict[str, bool]], now: float) -> None:
        try:
            active = ask()
        except (SourceError, *AwsErrors) as error:
            log.warning("%s: the tags' states are not known: %s", name, explain(error))
            if code(error) != "denied":
                return  # what was known stays, and is asked for with the next read
            active = {}
        self._wait_for(lambda db: memory.note_tags(db, name, active, now))

    def _are_tags_old(self, name: str, tried: Attempts, now: float) -> bool:
        active = self._wait_for(lambda db: memory.tags(db, name))
        lasting = TAGS_EVERY_SECONDS if all(active.values()) else INACTIVE_TAGS_EVERY_SECONDS
        asked = tried.tags_asked_at
        return asked is None or not now - lasting < asked <= now

    def _tell_of_limit(self, name: str, sent_before: int, now: float) -> None:
        """Warn where the month's limit will end the reading before the month ends."""
        limit, interval = self._cost.max_requests_per_month, self._cost.interval.seconds
        sent, in_month = self._wait_for(
            lambda db: (count_requests(db, name).sent - sent_before, sent_in_month(db, name, now))
        )
        to_come = (begins(month_after(utc_day(now))) - now) // interval
        if sent * to_come > limit - in_month:
            log.warning(
                "%s: a read took %d requests, and %d are to come this month, but only %d requests"
                " are left of cost.max_requests_per_month",
                name, sent, to_come, limit - in_month,
            )  # fmt: skip

    def _wait_for(self, job: Callable[[Database], T]) -> T:
        """Run a job on the database from the reading thread."""
        if self._loop is None:
            raise RuntimeError("reading has not begun")

        async def run() -> T:
            return await self._transact(job)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()


def _take(account: str, reading: Reading, now: float, anew: bool, db: Database) -> int:
    return Ledger(db).take(account, reading, now, anew=anew)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run what blocks; a process that ends does not wait for it, unlike for an executor's."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if ended.cancelled():
            return
        if error is not None:
            ended.set_exception(error)
        else:
            ended.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as caught:  # noqa: BLE001 - handed over
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="reading", daemon=True).start()
    return await ended
