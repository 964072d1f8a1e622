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
from mlguard_sidecar.store.id_retention import delete_predictions
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
_MAX_INTEGER = 2**63

_encode = msgspec.msgpack.Encoder().encode


class _Waiting(NamedTuple):
    """Stored prediction.

    Attributes:
        seq: its number.
        time: when it was made, epoch seconds.
        body: its content; None once it has an outcome.
    """

    seq: int
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
        last = self._last(model) - max_ids
        deleted = delete_predictions(self._db, "model = ? AND seq <= ?", (model, last))
        for reason, n in (("full", deleted.waiting), ("used", deleted.used)):
            if n:
                count(n, reason)

    def _find(self, model: int, keys: Sequence[bytes]) -> dict[bytes, _Waiting]:
        found: dict[bytes, _Waiting] = {}
        for chunk in _chunks(keys):
            marks = ", ".join("?" * len(chunk))
            rows = self._db.execute(
                f"SELECT id, seq, time, body FROM prediction {_BY_ID} ({marks})",  # noqa: S608 - marks
                (model, *chunk),
            ).fetchall()
            found |= {key: _Waiting(*rest) for key, *rest in rows}
        return found

    def _mark_used(self, model: int, rows: Sequence[tuple[bytes, _Waiting]]) -> None:
        """Remove the content of predictions.

        They are inserted again, as an update would leave gaps in the pages that no other row fills.
        """
        self._db.conn.executemany(
            "DELETE FROM prediction WHERE model = ? AND seq = ?",
            [(model, row.seq) for _, row in rows],
        )
        self._db.conn.executemany(
            "INSERT INTO prediction VALUES (?, ?, ?, ?, NULL)",
            [(model, row.seq, key, row.time) for key, row in rows],
        )

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
        self._mark_used(model, [(key, known[key]) for key in used if key in known])
        return judged


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
