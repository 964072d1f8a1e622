"""Days of models in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from mlguard_sidecar.models import OutcomeDays, References
from mlguard_sidecar.store.days import (
    SlidingSettings,
    read_recorded_days,
    read_reference,
    read_stored_day,
    unrecorded_days,
    write_day,
)
from mlguard_sidecar.store.read import (
    OUTCOMES_BY_DAY,
    StoredBaselines,
    read_classes,
    read_day,
    read_panes,
    read_schema,
)
from mlguard_sidecar.store.series import read_traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlite_utils import Database

    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.histogram import Pane, Traffic
    from mlguard_sidecar.models import Day, Schema, StoredDay
    from mlguard_sidecar.wire import ModelKey

    ComputeDay = Callable[[StoredDay, Schema, Mapping[str, Baseline]], Day]

T = TypeVar("T")


class Read(Protocol):
    """Runs a job that reads panes in the thread of the database."""

    async def __call__(self, job: Callable[[], T]) -> T:
        """Return what the job returns."""


class DayStore:
    """Recorded days, and days computed from panes.

    Args:
        db: the database.
        read: runs a job in its thread.
    """

    def __init__(self, db: Database, read: Read) -> None:
        self._db = db
        self._read = read

    async def unrecorded(
        self, before: int, key: ModelKey | None = None
    ) -> list[tuple[ModelKey, int]]:
        """Return the models and starts of the past days that are not recorded, in order.

        Args:
            before: start of the first day that is not past, epoch seconds.
            key: the model; all, retired ones too, without one.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self._read(lambda: unrecorded_days(self._db, before, key))

    async def compute(
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
            baselines = StoredBaselines(self._db, key)
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

    async def traffic(self, key: ModelKey, start: int, end: int, step: int) -> dict[int, Traffic]:
        """Return start of a step -> its traffic; steps without events are left out.

        Args:
            key: key of the model, retired or not.
            start: start of the first step, epoch seconds, a multiple of `step`.
            end: end of the last one.
            step: seconds.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self._read(lambda: read_traffic(self._db, key, start, end, step))

    async def feature_panes(self, key: ModelKey, start: int) -> list[tuple[Baseline, Pane]]:
        """Return the feature panes of one day of a model, each with the baseline of its bins.

        Args:
            key: key of the model, retired or not.
            start: start of the UTC day, epoch seconds.

        Raises:
            sqlite3.Error: the database cannot be read.
        """

        def job() -> list[tuple[Baseline, Pane]]:
            baselines = StoredBaselines(self._db, key)
            panes = [(name, read_day(self._db, key, name, start)) for name in baselines]
            return [(baselines[name], pane) for name, pane in panes if pane is not None]

        return await self._read(job)

    async def recorded(
        self, key: ModelKey, start: int, end: int, column: tuple[str, str] | None = None
    ) -> list[Day] | None:
        """Return the recorded days of a model, retired or not; None without such a model.

        Args:
            key: key of the model.
            start: start of the first day, epoch seconds.
            end: end of the last day, epoch seconds.
            column: role and name of the only column to return; all by default.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self._read(lambda: read_recorded_days(self._db, key, start, end, column))

    async def outcome_panes(self, key: ModelKey, start: int, end: int) -> dict[int, Pane]:
        """Return start of a UTC day -> sums of the outcomes of the predictions of that day.

        Args:
            key: key of the model, retired or not.
            start: start of the first day, epoch seconds.
            end: end of the last day, epoch seconds.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self._read(lambda: self._outcome_panes(key, start, end))

    def _outcome_panes(self, key: ModelKey, start: int, end: int) -> dict[int, Pane]:
        return dict(read_panes(self._db, key, OUTCOMES_BY_DAY, start, end))

    async def outcomes(self, key: ModelKey, start: int, end: int) -> OutcomeDays:
        """Return the outcomes of a model, retired or not, by the day of their predictions.

        Args:
            key: key of the model.
            start: start of the first day, epoch seconds.
            end: end of the last day, epoch seconds.

        Raises:
            sqlite3.Error: the database cannot be read.
        """

        def job() -> OutcomeDays:
            panes = self._outcome_panes(key, start, end)
            schema = read_schema(self._db, key, StoredBaselines(self._db, key))
            return OutcomeDays(read_classes(self._db, key), panes, schema)

        return await self._read(job)
