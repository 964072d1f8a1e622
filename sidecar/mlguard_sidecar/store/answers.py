"""Answers to requests with an `Idempotency-Key`, kept for their repetitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_sidecar.models import KeptAnswer

if TYPE_CHECKING:
    from sqlite_utils import Database

MAX_ANSWERS = 100_000
"""Answers that are kept; the oldest go first."""


def keep_answer(db: Database, answer: KeptAnswer, now: float) -> None:
    """Keep an answer."""
    number = db.execute(
        "INSERT INTO kept_answer (key, digest, status, body, seen) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, status = excluded.status,"
        " body = excluded.body, seen = excluded.seen RETURNING number",
        (answer.key, answer.digest, answer.status, answer.body, now),
    ).fetchone()[0]
    db.execute("DELETE FROM kept_answer WHERE number <= ?", (number - MAX_ANSWERS,))


def read_answer(db: Database, key: str) -> KeptAnswer | None:
    """Return the answer that is kept for a key, None if there is none."""
    row = db.execute(
        "SELECT digest, status, body FROM kept_answer WHERE key = ?", (key,)
    ).fetchone()
    return None if row is None else KeptAnswer(key, *row)


def delete_answers(db: Database, before: float) -> None:
    """Delete the answers that were kept before a time."""
    db.execute("DELETE FROM kept_answer WHERE seen < ?", (before,))
