"""Traffic over time, from stored panes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_sidecar.histogram import Traffic, merge_panes
from mlguard_sidecar.models.resolutions import DAY, HOUR, HOUR_CACHE, HOUR_SECONDS, MINUTE
from mlguard_sidecar.store.read import SELECT_PANES, TRAFFIC, decode_row

if TYPE_CHECKING:
    from sqlite_utils import Database

    from mlguard_sidecar.histogram import Pane
    from mlguard_sidecar.wire import ModelKey

_SELECT = f"{SELECT_PANES} AND resolution = ? AND start >= ? AND start < ?"


def read_traffic(
    db: Database, key: ModelKey, start: int, end: int, step: int
) -> dict[int, Traffic]:
    """Return start of a step -> its traffic; steps without events are left out.

    Args:
        db: the database.
        key: key of the model.
        start: start of the first step, epoch seconds, a multiple of `step`.
        end: end of the last one.
        step: seconds; whole hours are read faster, as they are cached.
    """
    found: dict[int, list[Pane]] = {}

    def read(resolution: int, begin: int, until: int) -> set[int]:
        rows = db.execute(_SELECT, (*key, TRAFFIC, resolution, begin, until)).fetchall()
        for row in rows:
            found.setdefault(row[3] // step * step, []).append(decode_row(row))
        return {row[3] for row in rows}

    for resolution in (HOUR, DAY):
        read(resolution, start, end)
    if step % HOUR_SECONDS:
        read(MINUTE, start, end)
    else:
        cached = read(HOUR_CACHE, start, end)
        for hour in range(start, end, HOUR_SECONDS):
            if hour not in cached:
                read(MINUTE, hour, hour + HOUR_SECONDS)
    empty = Traffic.zeros()
    return {
        begin: empty.merged(Traffic(merge_panes(panes))) for begin, panes in sorted(found.items())
    }
