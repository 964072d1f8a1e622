"""Joining of outcomes with the predictions that are kept for them."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from mlguard_sidecar.histogram import merge_panes
from mlguard_sidecar.histogram.values import MAX_CATEGORY_LENGTH, as_number, plain_number
from mlguard_sidecar.models import JoinedOutcomes, Prediction
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.outcomes import Classes, Judged, Tally, sums_of, tally
from mlguard_sidecar.store.read import read_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlite_utils import Database

    from mlguard_sidecar.histogram import Pane
    from mlguard_sidecar.models import PendingOutcomes
    from mlguard_sidecar.wire import IdentifiedPrediction, ModelKey, OutcomeRow

_CHUNK = 500
# named, as SQLite would rather search all predictions of a model
_BY_ID = "INDEXED BY prediction_id WHERE model = ? AND id IN"
_BY_ID_SET = "INDEXED BY prediction_id SET body = NULL WHERE model = ? AND id IN"
_MAX_INTEGER = 2**63
_ROW_BYTES = 100
"""About what a stored prediction takes besides its content, with its index."""

_encode = msgspec.msgpack.Encoder().encode


class _Waiting(NamedTuple):
    """Stored prediction: when it was made, and its content; None once it has an outcome."""

    time: float
    body: bytes | None


class OutcomeJoiner:
    """Joins outcomes with stored predictions; only the thread of the database may use it.

    Predictions are known by a hash of their ID. Once its outcome is counted, a prediction stays
    without its content, so that a second outcome is recognized.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def join(
        self,
        model: int,
        key: ModelKey,
        pending: PendingOutcomes,
        prediction: Prediction | None,
        now: float,
        count: Callable[[int, str], None],
    ) -> JoinedOutcomes:
        """Store predictions, and count outcomes; within a transaction.

        Args:
            model: number of the model.
            key: its key.
            pending: the predictions and outcomes; predictions come first.
            prediction: type of `y_pred`.
            now: epoch seconds.
            count: counts IDs that are not kept, given their number and the reason.
        """
        classes = Classes(list(read_classes(self._db, key)))
        known = len(classes.names)
        days: dict[int, list[Pane]] = {}
        new = self._store(model, pending.predictions, count)
        for day, n in Counter(_day(time) for time in new).items():
            days.setdefault(day, []).append(tally({Tally.PREDICTIONS: n}))
        counted = Counter({Tally.PREDICTIONS: len(new)})
        covered: Counter[int] = Counter()
        judged = self._judge(model, pending.rows, now, counted, covered)
        self._trim(model, pending.settings.max_ids, count)
        for day, n in covered.items():
            days.setdefault(day, []).append(tally({Tally.COVERED: n}))
        counted[Tally.COVERED] = covered.total()
        arrived = [tally(counted)]
        # classes may turn out to be values: until then both are counted
        are_values = True if prediction is Prediction.VALUE else None
        for day, group in judged.items():
            sums = sums_of(
                group,
                classes,
                positive=pending.settings.positive_class,
                are_values=are_values,
            )
            arrived.append(sums)
            days.setdefault(day, []).append(sums)
        for i, name in enumerate(classes.names[known:], known + 1):
            self._db.execute("INSERT INTO outcome_class VALUES (?, ?, ?)", (model, i, name))
        start = int(now // pending.pane_seconds) * pending.pane_seconds
        return JoinedOutcomes(
            {start: merge_panes(arrived)},
            {day: merge_panes(panes) for day, panes in days.items()},
            tuple(classes.names),
        )

    def _store(
        self,
        model: int,
        predictions: Sequence[IdentifiedPrediction],
        count: Callable[[int, str], None],
    ) -> list[float]:
        """Store predictions, of an ID the first; return the times of those that are new."""
        if not predictions:
            return []
        first = {_hash(each.id): each for each in reversed(predictions)}
        known = self._find(model, list(first))
        new = {key: each for key, each in reversed(first.items()) if key not in known}
        repeated = len(predictions) - len(new)
        if repeated:
            count(repeated, "repeated")
        self._insert(model, [(key, p.time, _body(p.y_pred, p.y_proba)) for key, p in new.items()])
        return [each.time for each in new.values()]

    def _insert(self, model: int, rows: Sequence[tuple[bytes, float, bytes | None]]) -> None:
        last = self._last(model)
        self._db.conn.executemany(
            "INSERT INTO prediction VALUES (?, ?, ?, ?, ?)",
            [(model, last + i, *row) for i, row in enumerate(rows, 1)],
        )

    def _last(self, model: int) -> int:
        (last,) = self._db.execute(
            "SELECT max(seq) FROM prediction WHERE model = ?", (model,)
        ).fetchone()
        return last or 0

    def _trim(self, model: int, max_ids: int, count: Callable[[int, str], None]) -> None:
        """Delete the oldest predictions beyond the limit; the numbers of the others follow."""
        waiting = _delete(self._db, "model = ? AND seq <= ?", (model, self._last(model) - max_ids))
        if waiting:
            count(waiting, "full")

    def _find(self, model: int, keys: Sequence[bytes]) -> dict[bytes, _Waiting]:
        found: dict[bytes, _Waiting] = {}
        for chunk in _chunks(keys):
            marks = ", ".join("?" * len(chunk))
            rows = self._db.execute(
                f"SELECT id, time, body FROM prediction {_BY_ID} ({marks})",  # noqa: S608 - marks
                (model, *chunk),
            ).fetchall()
            found |= {key: _Waiting(time, body) for key, time, body in rows}
        return found

    def _judge(
        self,
        model: int,
        rows: Sequence[OutcomeRow],
        now: float,
        counted: Counter[Tally],
        covered: Counter[int],
    ) -> dict[int, list[Judged]]:
        """Return the predictions that have got a truth, with it, by their day.

        Args:
            model: number of the model.
            rows: outcomes.
            now: epoch seconds.
            counted: counts why others are not counted; changed.
            covered: counts the stored predictions that have got a truth, by their day; changed.
        """
        keys = [_hash(row.id) for row in rows]
        known = self._find(model, list(dict.fromkeys(keys)))
        used: dict[bytes, None] = {}
        given: list[tuple[bytes, float, None]] = []
        judged: dict[int, list[Judged]] = {}
        for key, row in zip(keys, rows, strict=True):
            waiting = known.get(key)
            if key in used or (waiting is not None and waiting.body is None):
                counted[Tally.REPEATED] += 1
                continue
            y_pred, y_proba = row.y_pred, row.y_proba
            if waiting is None and y_pred is None:
                counted[Tally.UNKNOWN_ID] += 1
                continue
            if waiting is not None and waiting.body is not None and y_pred is None:
                y_pred, y_proba = msgspec.msgpack.decode(waiting.body)
            used[key] = None
            day = _day(now if waiting is None else waiting.time)
            covered[day] += waiting is not None
            if waiting is None:
                given.append((key, now, None))
            if y_pred is None:
                counted[Tally.NO_PREDICTION] += 1
                continue
            judged.setdefault(day, []).append(Judged(_narrow(row.y_true), _narrow(y_pred), y_proba))
        self._insert(model, given)
        for chunk in _chunks([key for key in used if key in known]):
            marks = ", ".join("?" * len(chunk))
            self._db.execute(
                f"UPDATE prediction {_BY_ID_SET} ({marks})",
                (model, *chunk),
            )
        return judged


def forget_predictions(db: Database, before: float, max_bytes: int) -> dict[str, int]:
    """Delete old predictions, and the oldest ones while all take too much space.

    Args:
        db: the database.
        before: time from which they are kept, epoch seconds.
        max_bytes: space that they may take.

    Returns:
        Reason -> number of those that waited for their outcomes.
    """
    dropped = {"expired": _delete(db, "time < ?", (before,))}
    n, size, oldest, newest = db.execute(
        "SELECT count(*), sum(length(body)), min(time), max(time) FROM prediction"
    ).fetchone()
    while n and n * _ROW_BYTES + (size or 0) > max_bytes:
        oldest = (oldest + newest) / 2 if newest - oldest > 1 else newest + 1
        dropped["store_full"] = dropped.get("store_full", 0) + _delete(db, "time < ?", (oldest,))
        n, size = db.execute("SELECT count(*), sum(length(body)) FROM prediction").fetchone()
    return {reason: n for reason, n in dropped.items() if n}


def _delete(db: Database, where: str, values: tuple[float, ...]) -> int:
    """Delete some predictions; return how many of them waited."""
    # not by RETURNING, in which some SQLite take a column of such a table for not null
    (waiting,) = db.execute(f"SELECT count(body) FROM prediction WHERE {where}", values).fetchone()  # noqa: S608 - fixed
    db.execute(f"DELETE FROM prediction WHERE {where}", values)  # noqa: S608 - fixed
    return int(waiting)


def _hash(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()


def _body(y_pred: object, y_proba: Any) -> bytes:
    return _encode((_narrow(y_pred), y_proba))


def _narrow(value: object) -> object:
    """Return a value that can be stored: a short text, or a number of at most 64 bits."""
    if isinstance(value, str) and len(value) > MAX_CATEGORY_LENGTH:
        number = plain_number(value)
        return value[:MAX_CATEGORY_LENGTH] if number is None else as_number(number)
    if isinstance(value, int) and abs(value) >= _MAX_INTEGER:
        return as_number(value)
    return value


def _day(time: float) -> int:
    return int(time // DAY_SECONDS) * DAY_SECONDS


def _chunks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]
