"""Windows: read from stored panes, and moved by the panes that enter and leave them."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

from mlguard_sidecar.histogram import (
    MAX_COUNT,
    Pane,
    encode,
    merge_moments,
    merge_panes,
    no_moments,
    subtract_outside,
)
from mlguard_sidecar.models.resolutions import HOUR_CACHE, HOUR_SECONDS
from mlguard_sidecar.store.read import read_pane, read_panes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from sqlite_utils import Database

    from mlguard_sidecar.models import Window
    from mlguard_sidecar.wire import ModelKey

    Moments = NDArray[np.float64]


class HourlyCache:
    """Cache of panes, merged by hour, from which windows are read.

    The panes of a past hour are merged once. The result is stored in the database, so that a
    restart is fast. Its moments stay in memory, so that a window can move. Only the thread of the
    database may use this class.

    A pane belongs to a window if its start lies in the window, whatever its width.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._hours: dict[tuple[ModelKey, str], dict[int, Moments]] = {}
        # of the hours at the ends of windows: start and moments of each pane
        self._edges: dict[tuple[ModelKey, str], dict[int, list[tuple[int, Moments]]]] = {}

    def read(self, key: ModelKey, binning: str, windows: Iterable[Window]) -> list[Window]:
        """Return windows with their content.

        Args:
            key: key of the model.
            binning: TRAFFIC, or the ID of a baseline.
            windows: empty windows that end with the current pane.
        """
        return [
            replace(window, pane=self._merged(key, binning, window.start, window.end))
            for window in windows
        ]

    def move(
        self, key: ModelKey, binning: str, windows: Sequence[Window], moved: Sequence[Window]
    ) -> list[Window]:
        """Return moved windows with their content.

        Counts of panes that entered are added, counts of panes that left are subtracted, which is
        exact. Moments cannot be subtracted: they are merged again.

        Args:
            key: key of the model.
            binning: TRAFFIC, or the ID of a baseline.
            windows: windows before the move, with content.
            moved: the same windows after the move, empty.
        """
        used: set[int] = set()
        found = []
        for was, now in zip(windows, moved, strict=True):
            is_step = was.start <= now.start <= was.end <= now.end
            if not is_step or was.pane.counts.max(initial=0) > MAX_COUNT // 2:
                found += self.read(key, binning, [now])
                continue
            entered = [pane for _, pane in read_panes(self._db, key, binning, was.end, now.end)]
            merged = merge_panes([was.pane, *entered])
            counts = merged.counts
            left = [pane for _, pane in read_panes(self._db, key, binning, was.start, now.start)]
            for pane in left:
                counts[: len(pane.counts)] -= pane.counts
            if not counts.any():
                found.append(replace(now, pane=Pane.zeros(0, 0)))
                continue
            # as wide as the counts, which keep columns of which nothing is left
            wide = no_moments(len(merged.moments))
            moments = merge_moments([wide, *self._moments(key, binning, now, used)])
            outside = subtract_outside(merged.outside, [pane.outside for pane in left])
            found.append(replace(now, pane=Pane(counts, moments, outside)))
        edges = self._edges.get((key, binning), {})
        for hour in edges.keys() - used:
            del edges[hour]
        return found

    def changed(self, key: ModelKey, binning: str, starts: Iterable[int]) -> None:
        """Invalidate the hours to which panes were added."""
        hours = self._hours.get((key, binning), {})
        edges = self._edges.get((key, binning), {})
        for hour in {start // HOUR_SECONDS * HOUR_SECONDS for start in starts}:
            hours.pop(hour, None)
            edges.pop(hour, None)

    def forget(self) -> None:
        """Invalidate everything, as panes were folded or deleted."""
        self._hours.clear()
        self._edges.clear()

    def _merged(self, key: ModelKey, binning: str, start: int, end: int) -> Pane:
        first, last = _whole_hours(start, end)
        parts = [pane for _, pane in read_panes(self._db, key, binning, start, first)]
        parts += [self._hour(key, binning, hour, end) for hour in range(first, last, HOUR_SECONDS)]
        parts += [pane for _, pane in read_panes(self._db, key, binning, last, end)]
        return merge_panes(parts)

    def _hour(self, key: ModelKey, binning: str, hour: int, end: int) -> Pane:
        """Return the merged panes of one hour; cache them if the hour has passed before `end`."""
        merged = read_pane(self._db, key, binning, HOUR_CACHE, hour)
        if merged is None:
            panes = read_panes(self._db, key, binning, hour, hour + HOUR_SECONDS)
            parts = [pane for _, pane in panes]
            merged = merge_panes(parts)
            if len(parts) > 1 and hour + HOUR_SECONDS < end:
                self._keep(key, binning, hour, merged)
        self._hours.setdefault((key, binning), {})[hour] = merged.moments
        return merged

    def _keep(self, key: ModelKey, binning: str, hour: int, pane: Pane) -> None:
        # a window can be read without it, as from a database that is full
        with contextlib.suppress(sqlite3.Error):
            self._db.execute(
                "INSERT OR REPLACE INTO pane SELECT id, ?, ?, ?, ? FROM model"
                " WHERE (project, model, endpoint) = (?, ?, ?)",
                (binning, HOUR_CACHE, hour, encode(pane), *key),
            )

    def _moments(
        self, key: ModelKey, binning: str, window: Window, used: set[int]
    ) -> list[Moments]:
        """Return the moments of the parts of a window; adds the hours at its ends to `used`."""
        start, end = window.start, window.end
        first, last = _whole_hours(start, end)
        hours = self._hours.setdefault((key, binning), {})
        parts = []
        for hour in range(first, last, HOUR_SECONDS):
            if hour not in hours:
                self._hour(key, binning, hour, end)
            parts.append(hours[hour])
        for a, b in ((start, first), (last, end)):
            if a < b:
                hour = a // HOUR_SECONDS * HOUR_SECONDS
                used.add(hour)
                panes = self._edge(key, binning, hour)
                parts += [moments for begin, moments in panes if a <= begin < b]
        return parts

    def _edge(self, key: ModelKey, binning: str, hour: int) -> list[tuple[int, Moments]]:
        edges = self._edges.setdefault((key, binning), {})
        if hour not in edges:
            panes = read_panes(self._db, key, binning, hour, hour + HOUR_SECONDS)
            edges[hour] = [(begin, pane.moments) for begin, pane in panes]
        return edges[hour]


def _whole_hours(start: int, end: int) -> tuple[int, int]:
    """Return start and end of the full hours between two times; `end` twice if there are none."""
    first = -(-start // HOUR_SECONDS) * HOUR_SECONDS
    last = end // HOUR_SECONDS * HOUR_SECONDS
    return (first, last) if first <= last else (end, end)
