"""Commits: everything received since the last one, in one transaction."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from mlguard_sidecar.histogram import Pane, decode, encode, merge_panes
from mlguard_sidecar.models import UNBINNED, PaneKey, Schema, dump_schema
from mlguard_sidecar.models.resolutions import DAY, HOUR_CACHE, HOUR_SECONDS, MINUTE, TOTAL
from mlguard_sidecar.store.answers import keep_answer
from mlguard_sidecar.store.days import delete_days
from mlguard_sidecar.store.outcomes import OutcomeJoiner
from mlguard_sidecar.store.read import (
    LABEL_SEPARATOR,
    OUTCOMES,
    OUTCOMES_BY_DAY,
    TRAFFIC,
    TrainingRows,
)
from mlguard_sidecar.wire import Reason

if TYPE_CHECKING:
    from sqlite_utils import Database

    from mlguard_sidecar.models import Delta, ModelDelta, PendingOutcomes
    from mlguard_sidecar.wire import ModelKey


_MAX_COUNTER = 2**53
_MAX_KEPT_STARTS = 2
_NOTE_SECONDS = 60.0

IDS_DROPPED = "outcome_ids_dropped"
"""Counter of predictions that are not kept for their outcomes, by reason; commits count them."""

log = logging.getLogger(__name__)

_Place = tuple[int, str, int, int]
"""Model, binning, resolution and start of a pane."""


class Writer:
    """Writes deltas to the database; only the thread of the database may use it.

    It caches the panes that it wrote last, as the next commit mostly changes the same ones.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._joiner = OutcomeJoiner(db)
        self._models: dict[ModelKey, tuple[int, Schema, float]] = {}
        self._panes: dict[tuple[int, str, int], dict[int, Pane]] = {}
        self._noted: dict[int, float] = {}

    def commit(self, delta: Delta) -> None:
        """Store a delta; if this raises, nothing is stored.

        If an error concerns one model only, its events are counted as rejected.

        Raises:
            sqlite3.Error: the transaction failed.
        """
        try:
            with self._db.atomic():
                self._commit(delta)
        except BaseException:
            self.forget()
            for name in [n for n in delta.counters.counts if n[0] == IDS_DROPPED]:
                del delta.counters.counts[name]  # the next commit counts them
            raise

    def forget(self) -> None:
        """Clear the cache, as the database was changed by others."""
        self._models.clear()
        self._panes.clear()
        self._noted.clear()

    def _commit(self, delta: Delta) -> None:
        db = self._db
        for key, gained in list(delta.models.items()):
            try:
                with db.atomic():
                    number = self._model_id(key, gained, delta.now)
                    self._commit_model(number, gained)
                    if gained.outcomes is not None:
                        self._join(number, key, gained.outcomes, delta)
                    if gained.events or (gained.outcomes and gained.outcomes.rows):
                        self._note_event(number, delta.now)
            except (sqlite3.Error, OSError, MemoryError):
                raise
            except Exception:  # an invalid pane, for example, must affect that model only
                log.exception("events of %s cannot be stored", "/".join(key))
                delta.reject_model(key, Reason.INTERNAL)
                self.forget()
        for key in delta.retired:
            self._models.pop(key, None)
            db.execute(
                "UPDATE model SET retired = 1 WHERE (project, model, endpoint) = (?, ?, ?)", key
            )
        for client, last_seq in delta.sequences.items():
            db.execute(
                "INSERT INTO client VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
                " SET last_seq = excluded.last_seq, seen = excluded.seen",
                (client, last_seq, delta.now),
            )
        for answer in delta.answers_to_keep():
            keep_answer(db, answer, delta.now)
        for name, n in delta.counters.counts.items():
            db.execute(
                "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
                " SET value = min(value + excluded.value, ?)",
                (LABEL_SEPARATOR.join(name), min(n, _MAX_COUNTER), _MAX_COUNTER),
            )

    def _model_id(self, key: ModelKey, gained: ModelDelta, now: float) -> int:
        first_seen = gained.first_seen(now)
        number, schema, known_since = self._models.get(key, (0, None, 0.0))
        if schema is gained.schema and known_since <= first_seen:
            return number
        (number, since) = self._db.execute(
            "INSERT INTO model (project, model, endpoint, first_seen, schema)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET schema = excluded.schema, retired = 0,"
            " first_seen = min(first_seen, excluded.first_seen) RETURNING id, first_seen",
            (*key, first_seen, dump_schema(gained.schema)),
        ).fetchone()
        self._models[key] = (int(number), gained.schema, since)
        return int(number)

    def _note_event(self, model: int, now: float) -> None:
        """Store when events came last, to the minute, as few commits should write more."""
        if abs(now - self._noted.get(model, 0.0)) >= _NOTE_SECONDS:
            self._db.execute("UPDATE model SET last_event = ? WHERE id = ?", (now, model))
            self._noted[model] = now

    def _commit_model(self, model: int, gained: ModelDelta) -> None:
        for baseline in gained.schema.baselines:
            self._db.execute(
                "INSERT OR IGNORE INTO baseline VALUES (?, ?, ?)",
                (model, baseline.id, baseline.body),
            )
        if gained.training_restarted:
            self._db.execute("DELETE FROM training_rows WHERE model = ?", (model,))
        if gained.baseline_built:
            self._db.execute("DELETE FROM pane WHERE model = ? AND binning = ?", (model, UNBINNED))
            self._panes = {k: v for k, v in self._panes.items() if k[:2] != (model, UNBINNED)}
        for rows in gained.training_rows:
            self._db.execute(
                "INSERT INTO training_rows (model, body) VALUES (?, ?)",
                (model, msgspec.json.encode(TrainingRows.of(rows))),
            )
        delete_days(self._db, model, gained.days())
        self._add_panes(model, TRAFFIC, {k: t.pane for k, t in gained.traffic.items()})
        for binning, panes in gained.features.items():
            self._add_panes(model, binning, panes)

    def _join(self, model: int, key: ModelKey, outcomes: PendingOutcomes, delta: Delta) -> None:
        """Join outcomes with their predictions, and add the sums."""

        def count(n: int, reason: str) -> None:
            delta.counters.add(n, IDS_DROPPED, reason)

        prediction = delta.models[key].schema.prediction
        joined = self._joiner.join(model, key, outcomes, prediction, delta.now, count)
        arrived = {PaneKey(MINUTE, start): pane for start, pane in joined.arrived.items()}
        self._add_panes(model, OUTCOMES, arrived)
        for start, pane in joined.days.items():
            self._add((model, OUTCOMES_BY_DAY, DAY, start), pane)
        outcomes.joined = joined

    def _add_panes(self, model: int, binning: str, panes: dict[PaneKey, Pane]) -> None:
        if not panes:
            return
        for (resolution, start), pane in panes.items():
            self._add((model, binning, resolution, start), pane)
        for hour in {key.start // HOUR_SECONDS * HOUR_SECONDS for key in panes}:
            self._db.execute(
                "DELETE FROM pane WHERE model = ? AND binning = ? AND resolution = ? AND start = ?",
                (model, binning, HOUR_CACHE, hour),
            )
        self._add((model, binning, TOTAL, 0), merge_panes(list(panes.values())))

    def _add(self, place: _Place, pane: Pane) -> None:
        """Merge a pane into the stored one."""
        start = place[3]
        kept = self._panes.setdefault((place[0], place[1], place[2]), {})
        known = kept.pop(start, None)
        if known is None:
            row = self._db.execute(
                "SELECT body FROM pane"
                " WHERE model = ? AND binning = ? AND resolution = ? AND start = ?",
                place,
            ).fetchone()
            known = decode(row[0]) if row else None
        # a copy, as the panes of one fold share their memory
        merged = pane.copy() if known is None else known.merged(pane)
        put_pane(self._db, *place, merged)
        kept[start] = merged
        while len(kept) > _MAX_KEPT_STARTS:
            del kept[next(iter(kept))]


def put_pane(
    db: Database, model: int, binning: str, resolution: int, start: int, pane: Pane
) -> None:
    """Store a pane, replacing an existing one."""
    db.execute(
        "INSERT OR REPLACE INTO pane VALUES (?, ?, ?, ?, ?)",
        (model, binning, resolution, start, encode(pane)),
    )
