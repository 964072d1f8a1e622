"""Recording of days: at UTC midnight, and again whenever late events change a day."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import sqlite3
from typing import TYPE_CHECKING

from mlguard_sidecar import telemetry as t
from mlguard_sidecar.models import Schema
from mlguard_sidecar.models.resolutions import DAY_SECONDS, HOUR_SECONDS
from mlguard_sidecar.statistics import compute_day, quality_of_model
from mlguard_sidecar.store import SlidingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.models import Day, ModelRegistry, ModelView, StoredDay
    from mlguard_sidecar.outcomes import Quality
    from mlguard_sidecar.settings import CurrentSettings
    from mlguard_sidecar.store import Store
    from mlguard_sidecar.telemetry import Telemetry
    from mlguard_sidecar.wire import ModelKey

log = logging.getLogger(__name__)


class DayRecorder:
    """Records each past day of each model, and returns the days of one.

    A record is deleted in the transaction that changes the panes of its day, and made again from
    these. So it does not matter whether the process ran at midnight, or how late an event is.

    Args:
        store: the database.
        registry: holds the views, whose sliding references are renewed.
        settings: settings of the measurement of drift.
        telemetry: counts errors.
        clock: epoch seconds.
    """

    def __init__(
        self,
        store: Store,
        registry: ModelRegistry,
        settings: CurrentSettings,
        telemetry: Telemetry,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._registry = registry
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._requested = asyncio.Event()
        self._todays: dict[ModelKey, tuple[float, Day | None]] = {}

    async def run(self) -> None:
        """Record at once, at the start of every hour, and on request, until cancelled."""
        while True:
            self._requested.clear()
            await self.record()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HOUR_SECONDS - self._clock() % HOUR_SECONDS):
                    await self._requested.wait()

    def request(self) -> None:
        """Request that the references follow changed settings at once."""
        self._requested.set()

    async def record(self) -> None:
        """Record the past days of all models that are not recorded, and renew their references."""
        try:
            recorded = await self._store.days.unrecorded(self._today())
        except (sqlite3.Error, OSError) as error:
            self._report(error)
            return
        for key, start in recorded:
            await self._try(key, self._day(key, start, record=True))
        changed = {key for key, _ in recorded}
        for view in list(self._registry.views.values()):
            await self._try(view.key, self._renew_references(view, is_changed=view.key in changed))

    async def _try(self, key: ModelKey, job: Coroutine[object, object, object]) -> None:
        """Run a job; if it fails, it costs this model its day, and no other one."""
        try:
            await job
        except (sqlite3.Error, OSError) as error:
            self._report(error)
        except Exception:
            log.exception("a day of %s cannot be recorded", "/".join(key))
            self._telemetry.count(t.STORE_ERRORS)

    def _report(self, error: Exception) -> None:
        self._telemetry.count(t.STORE_ERRORS)
        log.error("a day cannot be recorded: %s", error)

    async def _renew_references(self, view: ModelView, *, is_changed: bool) -> None:
        """Read the sliding references that a model's windows need today, unless they are known."""
        baseline, known, sliding = view.schema.baseline, view.references, self._sliding(view.key)
        days = self._days_in_the_middle()
        if baseline is None or (
            known is not None
            and not is_changed
            and known.binning == baseline.id
            and known.reference is sliding.reference
            and known.counts.keys() >= days
        ):
            return
        found = await self._store.days.references(view.key, baseline, sorted(days), sliding)
        view.references = found
        view.version += 1

    def _days_in_the_middle(self) -> set[int]:
        """Return the days in which the middle of any window of features may lie until midnight."""
        today = self._today()
        middles = {
            end - span.seconds // 2
            for span in self._settings.now.feature_spans
            for end in (today, today + DAY_SECONDS)
        }
        return {middle // DAY_SECONDS * DAY_SECONDS for middle in middles}

    def _sliding(self, key: ModelKey) -> SlidingSettings:
        settings = self._settings.now.of(key)
        return SlidingSettings(settings.drift.sliding, settings.thresholds.get("drift_psi", 0.0))

    async def days(
        self,
        key: ModelKey,
        count: int,
        *,
        column: tuple[str, str] | None = None,
        max_age: float = 0.0,
    ) -> list[Day] | None:
        """Return the last days of a model with events, today included; None without such a model.

        Args:
            key: key of the model, retired or not.
            count: number of days.
            column: role and name of the only column to return; all by default.
            max_age: seconds for which today may be as it was when it was last asked for.

        Raises:
            sqlite3.Error: the database cannot be used.
        """
        today = self._today()
        for _, start in await self._store.days.unrecorded(today, key):
            await self._day(key, start, record=True)
        begin = today - (count - 1) * DAY_SECONDS
        found = await self._store.days.recorded(key, begin, today, column)
        if found is None:
            return None
        current = await self._current(key, today, max_age)
        return [*found, current.only(column) if column else current] if current else found

    async def _current(self, key: ModelKey, today: int, max_age: float) -> Day | None:
        now = self._clock()
        when, found = self._todays.get(key, (-math.inf, None))
        if not (0 <= now - when < max_age and when >= today):
            found = await self._day(key, today, record=False)
            kept = {k: v for k, v in self._todays.items() if k in self._registry.views}
            self._todays = kept | {key: (now, found)}
        return found

    async def quality(self, key: ModelKey, count: int) -> dict[int, Quality]:
        """Return start of a day -> quality of its predictions, as far as their truths have come.

        Args:
            key: key of the model, retired or not.
            count: number of days, today included.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        today = self._today()
        begin = today - (count - 1) * DAY_SECONDS
        found = await self._store.days.outcomes(key, begin, today + DAY_SECONDS)
        schema, settings = found.schema or Schema(), self._settings.now.of(key)
        return {
            start: quality_of_model(pane, found.classes, schema, settings)
            for start, pane in found.panes.items()
        }

    def _today(self) -> int:
        return int(self._clock() // DAY_SECONDS) * DAY_SECONDS

    async def _day(self, key: ModelKey, start: int, *, record: bool) -> Day | None:
        drift = self._settings.now.of(key).drift

        def compute(day: StoredDay, schema: Schema, baselines: Mapping[str, Baseline]) -> Day:
            return compute_day(day, schema, baselines, drift)

        return await self._store.days.compute(
            key, start, compute, self._sliding(key), record=record
        )
