"""Traffic, latency and predictions of a model over time."""

from __future__ import annotations

import math
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

    MINUTES = "5m"
    HOUR = "1h"
    DAY = "24h"
    MONTH = "30d"
    YEAR = "400d"


_STEPS = {Range.MINUTES: 5, Range.HOUR: 60, Range.DAY: HOUR_SECONDS}
_POINTS = {Range.MINUTES: 60, Range.HOUR: 60, Range.DAY: 24, Range.MONTH: 30, Range.YEAR: 400}
_KEPT_SECONDS = 60.0


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
        self._kept: dict[ModelKey, tuple[float, TrafficSeries | None]] = {}

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

    def ranges(self) -> list[Range]:
        """Return the ranges that are worth showing: minutes only with panes of seconds."""
        fine = self._pane_seconds <= _STEPS[Range.MINUTES]
        return [each for each in Range if fine or each is not Range.MINUTES]

    def usual(self, key: ModelKey) -> Range:
        """Return the range in which a model is shown at first: an older one by the day."""
        view = self._views().get(key)
        age = self._clock() - view.first_seen if view is not None else math.inf
        young = [each for each in self.ranges() if each in (Range.MINUTES, Range.HOUR)]
        return next((each for each in young if age <= _STEPS[each] * _POINTS[each]), Range.DAY)

    async def recent(self, key: ModelKey) -> TrafficSeries | None:
        """Return the last 24 hours of a model by hour, of a young one less; None without a model.

        It is kept for a minute, as all models are shown at once.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        span, now = self.usual(key), self._clock()
        if span is not Range.DAY:
            return await self.read(key, span)
        when, found = self._kept.get(key, (-_KEPT_SECONDS, None))
        if not 0 <= now - when < _KEPT_SECONDS:
            found = await self.read(key, span)
            self._kept = {k: v for k, v in self._kept.items() if k in self._views()}
            self._kept[key] = now, found
        return found

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
