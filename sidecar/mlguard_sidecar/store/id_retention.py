"""Deletion of predictions that are not kept for their outcomes any more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from mlguard_sidecar.store.size import store_bytes, table_bytes

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlite_utils import Database

_ROW_BYTES = 90
"""About what a stored prediction takes besides its content, with its index."""

_MAX_ROUNDS = 8


class Deleted(NamedTuple):
    """Numbers of deleted predictions.

    Attributes:
        waiting: those that waited for their outcomes.
        used: those that had them.
    """

    waiting: int
    used: int


def delete_predictions(db: Database, where: str, values: tuple[float, ...]) -> Deleted:
    """Delete the predictions that a condition selects."""
    # not by RETURNING, in which some SQLite take a column of such a table for not null
    every, waiting = db.execute(
        f"SELECT count(*), count(body) FROM prediction WHERE {where}",  # noqa: S608 - fixed
        values,
    ).fetchone()
    db.execute(f"DELETE FROM prediction WHERE {where}", values)  # noqa: S608 - fixed
    return Deleted(waiting, every - waiting)


def forget_predictions(db: Database, before: float, max_bytes: int) -> dict[str, int]:
    """Delete old predictions, and those that take too much space.

    Of these no more than is needed: the oldest of the model whose predictions take most, until
    they take as much as those of the next one, then of both.

    Args:
        db: the database.
        before: time from which they are kept, epoch seconds.
        max_bytes: space that all may take.

    Returns:
        Reason -> number of deleted predictions; an ID that expires with its outcome has none.
    """
    dropped = Counter({"expired": delete_predictions(db, "time < ?", (before,)).waiting})
    for _ in range(_MAX_ROUNDS):
        if store_bytes(db) <= max_bytes:  # so they are smaller too, and need no measurement
            break
        taken = table_bytes(db, "prediction")
        if taken <= max_bytes:
            break
        deleted = _shrink(db, max_bytes / taken)
        dropped += Counter({"store_full": deleted.waiting, "used": deleted.used})
    return dict(+dropped)


def _shrink(db: Database, ratio: float) -> Deleted:
    """Reduce the space of all predictions to a share of what they take."""
    sizes = dict(
        db.execute(
            "SELECT model, count(*) * ? + coalesce(sum(length(body)), 0) FROM prediction"
            " GROUP BY model",
            (_ROW_BYTES,),
        ).fetchall()
    )
    level = fair_level(sizes.values(), sum(sizes.values()) * ratio)
    waiting = used = 0
    for model in [model for model, size in sizes.items() if size > level]:
        (last,) = db.execute(
            "SELECT max(seq) FROM (SELECT seq, sum(? + coalesce(length(body), 0))"
            " OVER (ORDER BY seq DESC) AS kept FROM prediction WHERE model = ?) WHERE kept > ?",
            (_ROW_BYTES, model, level),
        ).fetchone()
        deleted = delete_predictions(db, "model = ? AND seq <= ?", (model, last))
        waiting, used = waiting + deleted.waiting, used + deleted.used
    return Deleted(waiting, used)


def fair_level(sizes: Collection[float], total: float) -> float:
    """Return the level to which the largest sizes must be cut for a sum of at most `total`."""
    left = total
    ascending = sorted(sizes)
    for i, size in enumerate(ascending):
        level = left / (len(ascending) - i)
        if size > level:
            return level
        left -= size
    return max(ascending, default=0.0)
