"""Whole hours of finest panes, merged once and kept, so that a long window is quick to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_sidecar.engine.levels import DAY, DAY_SECONDS, HOUR_SECONDS
from mlguard_sidecar.histogram import decode, encode
from mlguard_sidecar.store.read import read_panes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

    from mlguard_sidecar.engine.delta import PaneKey
    from mlguard_sidecar.histogram import Pane
    from mlguard_sidecar.wire import ModelKey


class Hours:
    """Reads windows. An hour that has passed is read from the database once, then remembered.

    Used by the database's thread alone.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._merged: dict[tuple[ModelKey, str, int], bytes] = {}  # encoded, a tenth of the memory

    def window(self, key: ModelKey, series: str, start: int, end: int) -> Pane:
        """Everything between two times, merged from the panes that lie wholly inside.

        Args:
            key: the model.
            series: TRAFFIC, or a baseline.
            start: epoch seconds, included.
            end: epoch seconds, left out; the present.
        """
        first = -(-start // HOUR_SECONDS) * HOUR_SECONDS
        last = end // HOUR_SECONDS * HOUR_SECONDS
        if first >= last:
            return read_panes(self._db, key, series, start, end)
        total = read_panes(self._db, key, series, start, first)
        for hour in range(first, last, HOUR_SECONDS):
            name = (key, series, hour)
            if name not in self._merged:
                self._merged[name] = encode(
                    read_panes(self._db, key, series, hour, hour + HOUR_SECONDS)
                )
            total = total.merged(decode(self._merged[name]))
        return total.merged(read_panes(self._db, key, series, last, end))

    def changed(self, key: ModelKey, series: str, panes: Iterable[PaneKey]) -> None:
        """Forget the hours that panes were added to."""
        for pane in panes:
            first = pane.start // HOUR_SECONDS * HOUR_SECONDS
            end = pane.start + (DAY_SECONDS if pane.level == DAY else 1)
            for hour in range(first, end, HOUR_SECONDS):
                self._merged.pop((key, series, hour), None)

    def forget(self) -> None:
        """Forget everything: panes were folded, or are too old for any window."""
        self._merged.clear()
