"""What is remembered of the attempts to read each account, in SQLite."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from sqlite_utils import Migrations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlite_utils import Database

migrations = Migrations("mlguard-reading")


@migrations()
def initial(db: Database) -> None:
    """Make the tables; times are epoch seconds."""
    db.execute(
        "CREATE TABLE reading_attempts (account TEXT PRIMARY KEY, attempted_with TEXT,"
        " attempted_at REAL, failures INTEGER NOT NULL DEFAULT 0, up INTEGER, settings TEXT,"
        " begun_at REAL, succeeded_at REAL, tags_asked_at REAL, history_first TEXT,"
        " history_asked_at REAL) STRICT"
    )
    db.execute(
        "CREATE TABLE reading_tags (account TEXT NOT NULL, tag TEXT NOT NULL,"
        " active INTEGER NOT NULL, PRIMARY KEY (account, tag)) STRICT, WITHOUT ROWID"
    )


class Attempts(NamedTuple):
    """What is remembered of one account.

    Attributes:
        attempted_with: a mark of everything configured at the last attempt.
        attempted_at: begin of the last attempt.
        failures: attempts since the last success, one that was killed included.
        up: whether the last attempt that ended succeeded.
        settings: a mark of what makes spend different, at the last success.
        begun_at: end of the first success with these settings.
        succeeded_at: end of the last success.
        tags_asked_at: when the tags' states were last asked for.
        history_first: from which day on it has been asked to read once more.
        history_asked_at: when that was asked.
    """

    attempted_with: str | None = None
    attempted_at: float | None = None
    failures: int = 0
    up: bool | None = None
    settings: str | None = None
    begun_at: float | None = None
    succeeded_at: float | None = None
    tags_asked_at: float | None = None
    history_first: date | None = None
    history_asked_at: float | None = None


def remembered(db: Database, account: str) -> Attempts:
    """The attempts to read an account."""
    found = db.execute(
        f"SELECT {', '.join(Attempts._fields)} FROM reading_attempts WHERE account = ?",  # noqa: S608 - constants
        (account,),
    ).fetchone()
    if found is None:
        return Attempts()
    attempts = Attempts(*found)
    first = attempts.history_first
    return attempts._replace(
        up=None if attempts.up is None else bool(attempts.up),
        history_first=None if first is None else date.fromisoformat(str(first)),
    )


def begin(db: Database, account: str, configured: str, now: float) -> None:
    """Note an attempt before it begins, as a failure until it succeeds: it may be killed."""
    changes = "attempted_at = ?, attempted_with = ?, failures = failures + 1"
    _note(db, account, changes, now, configured)


def succeed(db: Database, account: str, settings: str, now: float) -> None:
    """Note that an attempt has read everything."""
    changes = (
        "failures = 0, up = 1, succeeded_at = ?, settings = ?,"
        " begun_at = CASE WHEN settings = ? THEN begun_at ELSE ? END"
    )
    _note(db, account, changes, now, settings, settings, now)


def fail(db: Database, account: str) -> None:
    """Note that an attempt has ended without having read everything."""
    _note(db, account, "up = 0")


def note_tags(db: Database, account: str, active: Mapping[str, bool], now: float) -> None:
    """Note which tags are active; none where AWS did not say."""
    _note(db, account, "tags_asked_at = ?", now)
    db.execute("DELETE FROM reading_tags WHERE account = ?", (account,))
    for tag, is_active in active.items():
        db.execute("INSERT INTO reading_tags VALUES (?, ?, ?)", (account, tag, int(is_active)))


def tags(db: Database, account: str) -> dict[str, bool]:
    """Which tags were active when that was last asked for."""
    found = db.execute("SELECT tag, active FROM reading_tags WHERE account = ?", (account,))
    return {tag: bool(active) for tag, active in found}


def ask_for_history(db: Database, account: str, first: date, now: float) -> None:
    """Have days from the first on read again, until AWS has had time to put tags on them."""
    _note(db, account, "history_first = ?, history_asked_at = ?", first.isoformat(), now)


def forget_history(db: Database, account: str) -> None:
    """Read no more than usual again."""
    _note(db, account, "history_first = NULL, history_asked_at = NULL")


def _note(db: Database, account: str, changes: str, *values: object) -> None:
    db.execute("INSERT OR IGNORE INTO reading_attempts (account) VALUES (?)", (account,))
    db.execute(
        f"UPDATE reading_attempts SET {changes} WHERE account = ?",  # noqa: S608 - constants
        (*values, account),
    )
