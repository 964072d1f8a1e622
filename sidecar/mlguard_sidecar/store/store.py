"""Asynchronous interface of the database."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from mlguard_common.database import DatabaseThread
from mlguard_sidecar.models import OutcomeDays, References
from mlguard_sidecar.store.compaction import (
    Compacted,
    Retention,
    compact,
    delete_model,
    store_bytes,
)
from mlguard_sidecar.store.days import (
    SlidingSettings,
    read_recorded_days,
    read_reference,
    read_stored_day,
    unrecorded_days,
    write_day,
)
from mlguard_sidecar.store.read import (
    OUTCOMES,
    OUTCOMES_BY_DAY,
    TRAFFIC,
    UnreadablePaneError,
    load_model,
    read_baselines,
    read_classes,
    read_day,
    read_panes,
    read_schema,
    read_total,
)
from mlguard_sidecar.store.windows import HourlyCache
from mlguard_sidecar.store.write import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlite_utils import Database

    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.histogram import Pane
    from mlguard_sidecar.models import Day, Delta, Schema, StoredDay, StoredModel, Window
    from mlguard_sidecar.wire import ModelKey

    ComputeDay = Callable[[StoredDay, Schema, Mapping[str, Baseline]], Day]

T = TypeVar("T")
log = logging.getLogger(__name__)


class Store:
    """The sidecar's database, used in a thread of its own.

    Attributes:
        thread: the thread and the database.
        lock: held while the database is changed, and until the views are updated, so that views and
            database always agree.
        panes_dropped: number of stored panes that could not be read, and were deleted.
    """

    def __init__(self, db: Database) -> None:
        self.thread = DatabaseThread(db)
        self.lock = asyncio.Lock()
        self.panes_dropped = 0
        self._db = db
        self._writer = Writer(db)
        self._hourly = HourlyCache(db)

    async def commit(self, delta: Delta) -> None:
        """Store a delta; if this raises, nothing is stored.

        Raises:
            sqlite3.Error: the transaction failed.
        """

        def job() -> None:
            self._writer.commit(delta)
            for key, gained in delta.models.items():
                self._hourly.changed(key, TRAFFIC, (pane.start for pane in gained.traffic))
                for binning, panes in gained.features.items():
                    self._hourly.changed(key, binning, (pane.start for pane in panes))
                if gained.outcomes is not None and gained.outcomes.joined is not None:
                    self._hourly.changed(key, OUTCOMES, gained.outcomes.joined.arrived)

        await self.thread.run(job)

    async def read_windows(
        self, key: ModelKey, binning: str, windows: Sequence[Window]
    ) -> list[Window]:
        """Return windows with their content.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self._read(lambda: self._hourly.read(key, binning, windows))

    async def move_windows(
        self, key: ModelKey, binning: str, windows: Sequence[Window], moved: Sequence[Window]
    ) -> list[Window]:
        """Return moved windows with their content, given the windows before.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        dropped = self.panes_dropped
        found = await self._read(lambda: self._hourly.move(key, binning, windows, moved))
        if self.panes_dropped > dropped:  # the windows may have held what could not be read
            return await self.read_windows(key, binning, moved)
        return found

    async def unrecorded_days(
        self, before: int, key: ModelKey | None = None
    ) -> list[tuple[ModelKey, int]]:
        """Return the models and starts of the past days that are not recorded, in order.

        Args:
            before: start of the first day that is not past, epoch seconds.
            key: the model; all, retired ones too, without one.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self.thread.run(lambda: unrecorded_days(self._db, before, key))

    async def day(
        self,
        key: ModelKey,
        start: int,
        compute: ComputeDay,
        sliding: SlidingSettings,
        *,
        record: bool,
    ) -> Day | None:
        """Return one day of a model, computed from its panes; None without events.

        Args:
            key: key of the model, retired or not.
            start: start of the day, epoch seconds.
            compute: computes the day from panes, schema and stored baselines.
            sliding: settings of its sliding reference.
            record: whether to store the result, as the day is past.

        Raises:
            sqlite3.Error: the database cannot be read or written.
        """

        def job() -> Day | None:
            baselines = read_baselines(self._db, key)
            schema = read_schema(self._db, key, baselines)
            stored = read_stored_day(self._db, key, start, baselines, sliding)
            if schema is None or stored is None:
                return None
            day = compute(stored, schema, baselines)
            if record:
                write_day(self._db, key, day)
            return day

        return await self._read(job)

    async def references(
        self, key: ModelKey, baseline: Baseline, days: Sequence[int], sliding: SlidingSettings
    ) -> References:
        """Return the sliding references of days, in the bins of a baseline.

        Args:
            key: key of the model.
            baseline: the baseline.
            days: starts of the days, epoch seconds.
            sliding: which days belong to them.

        Raises:
            sqlite3.Error: the database cannot be read.
        """

        def job() -> References:
            counts = {day: read_reference(self._db, key, baseline, day, sliding) for day in days}
            return References(baseline.id, sliding.reference, counts)

        return await self._read(job)

    async def feature_panes(self, key: ModelKey, start: int) -> list[tuple[Baseline, Pane]]:
        """Return the feature panes of one day of a model, each with the baseline of its bins.

        Args:
            key: key of the model, retired or not.
            start: start of the UTC day, epoch seconds.

        Raises:
            sqlite3.Error: the database cannot be read.
        """

        def job() -> list[tuple[Baseline, Pane]]:
            found = [
                (baseline, read_day(self._db, key, name, start))
                for name, baseline in read_baselines(self._db, key).items()
            ]
            return [(baseline, pane) for baseline, pane in found if pane is not None]

        return await self._read(job)

    async def recorded_days(self, key: ModelKey, start: int, end: int) -> list[Day] | None:
        """Return the recorded days of a model, retired or not; None without such a model.

        Args:
            key: key of the model.
            start: start of the first day, epoch seconds.
            end: end of the last day, epoch seconds.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self.thread.run(lambda: read_recorded_days(self._db, key, start, end))

    async def read_outcome_days(self, key: ModelKey, start: int, end: int) -> OutcomeDays:
        """Return the outcomes of a model, retired or not, by the day of their predictions.

        Args:
            key: key of the model.
            start: start of the first day, epoch seconds.
            end: end of the last day, epoch seconds.

        Raises:
            sqlite3.Error: the database cannot be read.
        """

        def job() -> OutcomeDays:
            panes = dict(read_panes(self._db, key, OUTCOMES_BY_DAY, start, end))
            return OutcomeDays(read_classes(self._db, key), panes)

        return await self._read(job)

    async def read_total(self, key: ModelKey, binning: str) -> Pane:
        """Return the running totals of a binning.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self._read(lambda: read_total(self._db, key, binning))

    def recall(self, key: ModelKey) -> StoredModel | None:
        """Return the stored state of a model; None if there is none, or it cannot be read.

        It waits for the thread, as few models ever return.
        """
        try:
            return self.thread.run_and_wait(lambda: load_model(self._db, key))
        except (sqlite3.Error, ValueError, LookupError, msgspec.MsgspecError) as error:
            log.error("the state of %s cannot be read: %s", "/".join(key), error)  # noqa: TRY400
            return None

    async def forget(self, key: ModelKey) -> bool:
        """Delete everything that is stored of a model; return whether there was one.

        Raises:
            sqlite3.Error: the database cannot be changed.
        """

        def job() -> bool:
            found = delete_model(self._db, key)
            self._forget()
            return found

        return await self.thread.run(job)

    async def compact(
        self,
        now: float,
        retention: Retention,
        connected: Collection[str],
        in_use: Collection[ModelKey],
    ) -> Compacted:
        """Fold and delete old panes.

        Args:
            now: epoch seconds.
            retention: ages of compaction.
            connected: clients that are connected.
            in_use: models that are kept though they have no panes.

        Raises:
            sqlite3.Error: the database cannot be read.
        """

        def job() -> Compacted:
            try:
                done = compact(self._db, now, retention, connected, in_use)
            except sqlite3.Error:  # some panes may be folded
                self._forget()
                raise
            if done.folded:
                self._forget()
            return done

        dropped = self.panes_dropped
        done = await self._read(job)
        return done._replace(folded=done.folded or self.panes_dropped > dropped)

    async def _read(self, job: Callable[[], T]) -> T:
        """Run a job that reads panes; one that cannot be read is dropped, logged and counted."""
        while True:
            try:
                return await self.thread.run(job)
            except UnreadablePaneError as error:
                log.error("a pane is dropped: %s", error)  # noqa: TRY400
                await self.thread.run(partial(self._drop, error.place))
                self.panes_dropped += 1

    def _drop(self, place: tuple[int, str, int, int]) -> None:
        self._db.execute(
            "DELETE FROM pane WHERE (model, binning, resolution, start) = (?, ?, ?, ?)", place
        )
        self._forget()

    def _forget(self) -> None:
        self._hourly.forget()
        self._writer.forget()

    async def size(self) -> int | None:
        """Return the size of the used part of the database in bytes, None if it cannot be read."""

        def job() -> int | None:
            try:
                return store_bytes(self._db)
            except sqlite3.Error:
                return None

        return await self.thread.run(job)

    def close(self) -> None:
        """Finish all jobs and close the database."""
        self.thread.close()
