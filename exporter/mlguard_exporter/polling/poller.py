"""The task that polls every account when it is due, stores its spend, and updates the figures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from datetime import UTC, datetime
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mlguard_exporter.polling import poll_state
from mlguard_exporter.polling.schedule import days_to_read, due_at, is_history_complete
from mlguard_exporter.sources import (
    DeniedError,
    SourceError,
    count_requests,
    open_source,
    sent_in_month,
)
from mlguard_exporter.spend.calendar import month_after, start_of, utc_day
from mlguard_exporter.spend.cost_store import CostStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import date

    from sqlite_utils import Database

    from mlguard_common.database import Transact
    from mlguard_exporter.config import AccountConfig, CostConfig
    from mlguard_exporter.polling.poll_state import PollState
    from mlguard_exporter.sources import CostSource
    from mlguard_exporter.spend import CostReport

TAGS_EVERY_SECONDS = 604_800.0
"""Between checks of the tags' states, as AWS may charge for them too."""
INACTIVE_TAGS_EVERY_SECONDS = 72_000.0
"""Between checks while a tag is inactive: with the first read of each day."""
MAX_WAIT_SECONDS = 60.0
"""Between looks at the clock, which may be changed meanwhile."""

ABSENT_DAYS = 14
"""Days without any charge for usage from which spend counts as absent."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class _Result(Enum):
    """How an attempt has ended."""

    READ = auto()
    ABSENT = auto()
    FAILED = auto()


class _AbsentError(SourceError):
    """Everything was read, and there is no recent usage in it."""


class _Account(NamedTuple):
    config: AccountConfig
    settings: str
    fingerprint: str
    source: CostSource


class CostPoller:
    """Polls one account at a time, in a thread that a stop of the daemon does not wait for.

    Args:
        cost: the accounts, and how they are read.
        transact: runs a job on the database in one transaction.
        clock: epoch seconds.
        refresh: computes the figures again.
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
        self._retry_now = False
        self._has_begun = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._use(cost)

    def _use(self, cost: CostConfig) -> None:
        self._cost = cost
        self._accounts = [
            _Account(
                account,
                poll_state.settings_fingerprint(account, cost),
                poll_state.config_fingerprint(account, cost),
                open_source(account, cost, self._wait_for, self._clock),
            )
            for account in cost.accounts
        ]

    def use(self, cost: CostConfig) -> None:
        """Continue with another configuration; failed accounts are retried at once."""
        self._use(cost)
        self._retry_now = True
        self._wake.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            self._wake.clear()
            wait = await self.tick()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)

    async def tick(self) -> float:
        """Poll the accounts that are due; return the seconds until the next look."""
        self._loop = asyncio.get_running_loop()
        is_first, self._has_begun = not self._has_begun, True
        retry_now, self._retry_now = self._retry_now, False
        if retry_now or is_first:
            await self._update_figures()  # from what is stored, before a read that may take long
        waits = [MAX_WAIT_SECONDS]
        for account in self._accounts:
            try:
                wait = await self._poll_if_due(account, retry_now=retry_now, is_first=is_first)
                waits.append(wait)
            except sqlite3.Error as error:
                log.error("%s: cannot be stored: %s", account.config.name, error)  # noqa: TRY400
        return max(min(waits), 0.0)

    async def _update_figures(self) -> None:
        try:
            await self._refresh()
        except Exception:
            log.exception("the figures of spend are not updated")

    async def _poll_if_due(self, account: _Account, *, retry_now: bool, is_first: bool) -> float:
        """Poll an account unless it is too early; return the seconds until it is due again."""
        name, now = account.config.name, self._clock()
        state = await self._transact(lambda db: poll_state.load_poll_state(db, name))
        full_refresh = state.settings != account.settings
        due = due_at(state, self._cost.interval.seconds, now)
        is_changed = state.attempted_config != account.fingerprint
        is_down = bool(state.failures) or state.up is False
        reads_now = (retry_now or is_changed) if is_down else full_refresh
        if reads_now:
            due = now
        if due > now:
            if is_first and state.failures:
                log.info(
                    "%s: the last read failed; the next is at %s, or after a reload",
                    name, f"{datetime.fromtimestamp(due, UTC):%Y-%m-%d %H:%M} UTC",
                )  # fmt: skip
            return due - now
        await self._transact(lambda db: poll_state.record_start(db, name, account.fingerprint, now))
        result = await self._read(account, state, now, full_refresh=full_refresh)
        done = self._clock()
        if result is _Result.READ:
            await self._transact(
                lambda db: poll_state.record_success(db, name, account.settings, done)
            )
            if is_history_complete(state, now):
                await self._transact(lambda db: poll_state.clear_history_request(db, name))
        elif result is _Result.ABSENT:
            await self._transact(
                lambda db: poll_state.record_absence(db, name, account.settings, done)
            )
        else:
            await self._transact(lambda db: poll_state.record_failure(db, name))
        await self._update_figures()
        return 0.0

    async def _read(
        self, account: _Account, state: PollState, now: float, *, full_refresh: bool
    ) -> _Result:
        """Read an account and store its reports."""
        first, end = days_to_read(state, now, full_refresh=full_refresh)
        name, source = account.config.name, account.source

        def work() -> tuple[int, int]:
            known = self._wait_for(lambda db: CostStore(db).versions(name))
            sent = self._wait_for(lambda db: count_requests(db, name).sent)
            reports = restated = 0
            for report in source.read(first, end, known):
                job = partial(_store, name, report, now, full_refresh)
                reports, restated = reports + 1, restated + self._wait_for(job)
            self._warn_of_limit(name, sent, now)
            if full_refresh or self._are_tags_due(name, state, now):
                self._check_tags(name, source, now)
            latest = self._wait_for(lambda db: CostStore(db).latest_usage(name))
            _refuse_absence(account.config, latest, utc_day(now))
            return reports, restated

        try:
            reports, restated = await _in_thread(work)
        except _AbsentError as error:
            log.warning("%s: %s", name, error)
            return _Result.ABSENT
        except SourceError as error:
            log.warning("%s: spend is not read: %s", name, error)
            return _Result.FAILED
        except sqlite3.Error as error:
            log.error("%s: spend cannot be stored: %s", name, error)  # noqa: TRY400
            return _Result.FAILED
        except OSError as error:
            log.error("%s: spend is not read: %s", name, error)  # noqa: TRY400
            return _Result.FAILED
        except Exception:
            log.exception("%s: spend is not read, because of a bug in ML Guard", name)
            return _Result.FAILED
        log.info(
            "%s: %s, days restated: %d", name,
            f"spend is read from {first} on" if reports else "spend has not changed", restated,
        )  # fmt: skip
        return _Result.READ

    def _check_tags(self, name: str, source: CostSource, now: float) -> None:
        active: Mapping[str, bool] | None
        try:
            active = source.active_tags()
        except SourceError as error:
            log.warning("%s: the states of the tags are not known: %s", name, error)
            if not isinstance(error, DeniedError):
                return  # the stored states stay, and the next read asks again
            active = {}
        if active is not None:
            states = active
            self._wait_for(lambda db: poll_state.record_tags(db, name, states, now))

    def _are_tags_due(self, name: str, state: PollState, now: float) -> bool:
        active = self._wait_for(lambda db: poll_state.active_tags(db, name))
        lasting = TAGS_EVERY_SECONDS if all(active.values()) else INACTIVE_TAGS_EVERY_SECONDS
        checked = state.tags_checked_at
        return checked is None or not now - lasting < checked <= now

    def _warn_of_limit(self, name: str, sent_before: int, now: float) -> None:
        """Log a warning where the limit of requests will be reached before the month ends."""
        limit, interval = self._cost.max_requests_per_month, self._cost.interval.seconds
        sent, in_month = self._wait_for(
            lambda db: (count_requests(db, name).sent - sent_before, sent_in_month(db, name, now))
        )
        to_come = (start_of(month_after(utc_day(now))) - now) // interval
        if sent and sent * to_come > limit - in_month:
            log.warning(
                "%s: a read took %d requests, and %d are to come this month, but only %d requests"
                " are left of cost.max_requests_per_month",
                name, sent, to_come, limit - in_month,
            )  # fmt: skip

    def _wait_for(self, job: Callable[[Database], T]) -> T:
        """Run a job on the database from the polling thread."""
        if self._loop is None:
            raise RuntimeError("polling has not begun")

        async def run() -> T:
            return await self._transact(job)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()


def _refuse_absence(account: AccountConfig, latest: date | None, today: date) -> None:
    """Raise an error where no usage was charged for weeks, not even with zero.

    Raises:
        _AbsentError: the text says since when, and what to check.
    """
    if latest is not None and (today - latest).days <= ABSENT_DAYS:
        return
    since = "on any day that was read" if latest is None else f"since {latest}"
    if account.export is None:
        where = "Cost Explorer answers, but without any charge for usage"
        advice = (
            "if there is spend, use credentials of the account that has it, or of the one that pays"
        )
    else:
        where = "the export is delivered, but holds no charge for usage"
        advice = "if there is spend, check of which account it is, and which days it holds"
    raise _AbsentError(f"spend is absent: {where} {since}; {advice}")


def _store(account: str, report: CostReport, now: float, full_refresh: bool, db: Database) -> int:
    return CostStore(db).store(account, report, now, full_refresh=full_refresh)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run a blocking job in a daemon thread, which a stop of the process does not wait for."""
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
        except BaseException as caught:  # noqa: BLE001 - passed on
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="polling", daemon=True).start()
    return await ended
