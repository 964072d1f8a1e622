"""Traffic, latency and predictions of a model over time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mlguard_sidecar.models.resolutions import DAY_SECONDS, HOUR_SECONDS
from mlguard_sidecar.statistics import Point, point_of_day, point_of_traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlguard_sidecar.history import DayRecorder
    from mlguard_sidecar.models import ModelView
    from mlguard_sidecar.store import Store
    from mlguard_sidecar.wire import ModelKey


class Range(StrEnum):
    """Length of a series, which ends now."""

    HOUR = "1h"
    DAY = "24h"
    MONTH = "30d"
    YEAR = "400d"


_STEPS = {Range.HOUR: 60, Range.DAY: 1200}
_POINTS = {Range.HOUR: 60, Range.DAY: 72, Range.MONTH: 30, Range.YEAR: 400}
_HOURS = 24


@dataclass(frozen=True)
class TrafficSeries:
    """Points of a model, without gaps.

    Attributes:
        step: seconds of a point.
        points: the points, the oldest first.
    """

    step: int
    points: Sequence[Point]


class SeriesReader:
    """Reads series from panes, and from recorded days.

    Args:
        store: the database.
        recorder: has the days.
        views: returns the committed state of each model.
        pane_seconds: width of the finest panes.
        clock: epoch seconds.
    """

    def __init__(
        self,
        store: Store,
        recorder: DayRecorder,
        views: Callable[[], Mapping[ModelKey, ModelView]],
        pane_seconds: int,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._views = views
        self._pane_seconds = pane_seconds
        self._clock = clock

    async def read(self, key: ModelKey, span: Range) -> TrafficSeries | None:
        """Return the series of a model; None without such a model.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        if span in _STEPS:
            step = max(_STEPS[span], self._pane_seconds)
            return await self._of_panes(key, step, _POINTS[span] * _STEPS[span] // step)
        days = await self._recorder.days(key, _POINTS[span])
        if days is None:
            return None
        known = {day.start: point_of_day(day) for day in days}
        end = (int(self._clock()) // DAY_SECONDS + 1) * DAY_SECONDS
        starts = range(end - _POINTS[span] * DAY_SECONDS, end, DAY_SECONDS)
        return TrafficSeries(DAY_SECONDS, [known.get(start) or Point(start) for start in starts])

    async def last_hours(self, key: ModelKey) -> TrafficSeries | None:
        """Return the last 24 hours of a model, hour by hour; None without such a model.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        return await self._of_panes(key, HOUR_SECONDS, _HOURS)

    async def _of_panes(self, key: ModelKey, step: int, count: int) -> TrafficSeries | None:
        view = self._views().get(key)
        if view is None:
            return None
        end = (int(self._clock()) // step + 1) * step
        begin = end - count * step
        found = await self._store.days.traffic(key, begin, end, step)
        pooled = bool(view.traffic.classes[-1])
        return TrafficSeries(
            step,
            [
                point_of_traffic(start, found[start], view.schema, pooled=pooled)
                if start in found
                else Point(start)
                for start in range(begin, end, step)
            ],
        )
