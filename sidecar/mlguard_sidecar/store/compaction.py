"""Compaction: minutes are folded to hours, hours to days, and old days are deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mlguard_sidecar.histogram import merge_panes
from mlguard_sidecar.models.resolutions import (
    DAY,
    DAY_SECONDS,
    HOUR,
    HOUR_CACHE,
    HOUR_SECONDS,
    MINUTE,
)
from mlguard_sidecar.store.answers import delete_answers
from mlguard_sidecar.store.id_retention import forget_predictions
from mlguard_sidecar.store.read import decode_row
from mlguard_sidecar.store.size import store_bytes
from mlguard_sidecar.store.write import put_pane
from mlguard_sidecar.wire import ModelKey

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlite_utils import Database

_CLIENT_SECONDS = 7 * DAY_SECONDS

_PREDICTIONS_SHARE = 0.5
"""Share of the database that predictions may take that are kept for their outcomes."""


@dataclass(frozen=True)
class Retention:
    """Ages of compaction, in seconds.

    Attributes:
        minutes: age at which the finest panes are folded to hours.
        hours: age at which hours are folded to days.
        days: age at which days are deleted.
        max_bytes: size of the database above which panes are folded earlier.
        predictions: age at which predictions are not kept for their outcomes any more.
    """

    minutes: float = 26 * HOUR_SECONDS
    hours: float = 35 * DAY_SECONDS
    days: float = 400 * DAY_SECONDS
    max_bytes: int = 256 << 20
    predictions: float = 30 * DAY_SECONDS


class Compacted(NamedTuple):
    """Result of a compaction.

    Attributes:
        forgotten: clients that were deleted after a week without a connection.
        models: models that were deleted, as their last panes are gone.
        folded: whether any pane was folded or deleted.
        dropped: predictions that are not kept for their outcomes any more, by reason.
    """

    forgotten: list[str]
    models: list[ModelKey]
    folded: bool
    dropped: dict[str, int]


def compact(
    db: Database,
    now: float,
    retention: Retention,
    connected: Collection[str] = (),
    in_use: Collection[ModelKey] = (),
) -> Compacted:
    """Fold and delete old panes; fold earlier, down to an hour, while the file is too large.

    Each hour and each day is folded in a transaction of its own, so that a crash in between
    changes no sum.

    Args:
        db: the database.
        now: epoch seconds.
        retention: ages of compaction.
        connected: clients that are connected.
        in_use: models that are kept though they have no panes.
    """
    with db.atomic():
        share = int(retention.max_bytes * _PREDICTIONS_SHARE)
        dropped = forget_predictions(db, now - retention.predictions, share)
    before = db.conn.total_changes
    minutes, hours, days = retention.minutes, retention.hours, retention.days
    _fold_all(db, now, minutes, hours, days)
    while store_bytes(db) > retention.max_bytes and (minutes > HOUR_SECONDS or days > hours):
        if minutes == HOUR_SECONDS:
            days = max(days / 2, hours)
        minutes = max(minutes / 2, HOUR_SECONDS)
        hours = max(hours / 2, 2 * DAY_SECONDS)
        _fold_all(db, now, minutes, hours, days)
    models = _delete_models(db, in_use, now - days)
    _delete_baselines(db)
    folded = db.conn.total_changes > before
    db.execute("PRAGMA incremental_vacuum").fetchall()
    with db.atomic():
        delete_answers(db, now - _CLIENT_SECONDS)
        for client in connected:
            db.execute("UPDATE client SET seen = ? WHERE id = ?", (now, client))
        clients = [
            client
            for (client,) in db.execute(
                "DELETE FROM client WHERE seen < ? RETURNING id", (now - _CLIENT_SECONDS,)
            ).fetchall()
        ]
    return Compacted(clients, models, folded, dropped)


def _delete_models(db: Database, in_use: Collection[ModelKey], oldest: float) -> list[ModelKey]:
    """Delete models without panes, except for running totals; return their keys.

    One that began after `oldest`, in epoch seconds, may have nothing but a baseline yet.
    """
    gone = [
        (number, ModelKey(*names))
        for number, *names in db.execute(
            "SELECT id, project, model, endpoint FROM model WHERE first_seen < ? AND NOT EXISTS"
            " (SELECT 1 FROM pane WHERE pane.model = model.id AND resolution <= ?)",
            (oldest, DAY),
        ).fetchall()
    ]
    gone = [(number, key) for number, key in gone if key not in in_use]
    for _, key in gone:
        delete_model(db, key)
    return [key for _, key in gone]


def _delete_baselines(db: Database) -> None:
    """Delete baselines in whose bins nothing but running totals is left, if no model uses them."""
    unused = (
        "SELECT baseline.model, baseline.id FROM baseline JOIN model ON model.id = baseline.model"
        " WHERE baseline.id IS NOT json_extract(CAST(schema AS TEXT), '$.baseline')"
        " AND baseline.id IS NOT json_extract(CAST(schema AS TEXT), '$.given')"
        " AND NOT EXISTS (SELECT 1 FROM pane WHERE pane.model = baseline.model"
        " AND binning = baseline.id AND resolution <= ?)"
    )
    for found in db.execute(unused, (DAY,)).fetchall():
        with db.atomic():
            db.execute("DELETE FROM pane WHERE (model, binning) = (?, ?)", found)
            db.execute("DELETE FROM baseline WHERE (model, id) = (?, ?)", found)


def delete_model(db: Database, key: ModelKey) -> bool:
    """Delete everything that is stored of a model; return whether there was one."""
    row = db.execute(
        "SELECT id FROM model WHERE (project, model, endpoint) = (?, ?, ?)", key
    ).fetchone()
    if row is None:
        return False
    with db.atomic():
        for table in (
            "pane",
            "training_rows",
            "baseline",
            "day",
            "day_column",
            "prediction",
            "outcome_class",
        ):
            db.execute(f"DELETE FROM {table} WHERE model = ?", row)  # noqa: S608 - fixed
        db.execute("DELETE FROM model WHERE id = ?", row)
    return True


def _fold_all(db: Database, now: float, minutes: float, hours: float, days: float) -> None:
    _fold(db, MINUTE, HOUR, HOUR_SECONDS, now - minutes)
    _fold(db, HOUR, DAY, DAY_SECONDS, now - hours)
    with db.atomic():
        db.execute("DELETE FROM pane WHERE resolution = ? AND start < ?", (DAY, int(now - days)))
        for table in ("day", "day_column"):
            db.execute(f"DELETE FROM {table} WHERE start < ?", (int(now - days),))  # noqa: S608 - fixed


def _fold(db: Database, fine: int, coarse: int, width: int, before: float) -> None:
    """Fold panes of one resolution into the next coarser one, up to a time.

    Args:
        db: the database.
        fine: resolution of the panes to fold.
        coarse: resolution of the result.
        width: width of the result, in seconds.
        before: epoch seconds, rounded down to a multiple of `width`.
    """
    end = int(before // width) * width
    groups = db.execute(
        "SELECT DISTINCT model, binning, start / ? * ? FROM pane"
        " WHERE resolution = ? AND start < ?",
        (width, width, fine, end),
    ).fetchall()
    for model, binning, start in groups:
        with db.atomic():
            where = (model, binning, fine, start, start + width)
            rows = db.execute(
                "SELECT * FROM pane"
                " WHERE model = ? AND binning = ? AND resolution = ? AND start >= ? AND start < ?",
                where,
            ).fetchall()
            rows += db.execute(
                "SELECT * FROM pane"
                " WHERE model = ? AND binning = ? AND resolution = ? AND start = ?",
                (model, binning, coarse, start),
            ).fetchall()
            total = merge_panes([decode_row(row) for row in rows])
            put_pane(db, model, binning, coarse, start, total)
            db.execute(
                "DELETE FROM pane"
                " WHERE model = ? AND binning = ? AND resolution = ? AND start >= ? AND start < ?",
                (model, binning, HOUR_CACHE, start, start + width),
            )
            db.execute(
                "DELETE FROM pane"
                " WHERE model = ? AND binning = ? AND resolution = ? AND start >= ? AND start < ?",
                where,
            )
