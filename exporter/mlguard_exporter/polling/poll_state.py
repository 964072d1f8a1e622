"""The state of polling each account, in SQLite."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from sqlite_utils import Migrations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlite_utils import Database

    from mlguard_exporter.config import AccountConfig, CostConfig

migrations = Migrations("mlguard-polling")


@migrations()
def initial(db: Database) -> None:
    """Create the tables; times are epoch seconds."""
    db.execute(
        "CREATE TABLE poll_state (account TEXT PRIMARY KEY, attempted_config TEXT,"
        " attempted_at REAL, failures INTEGER NOT NULL DEFAULT 0, up INTEGER, settings TEXT,"
        " settings_since REAL, succeeded_at REAL, tags_checked_at REAL, history_first TEXT,"
        " history_requested_at REAL) STRICT"
    )
    db.execute(
        "CREATE TABLE poll_tags (account TEXT NOT NULL, tag TEXT NOT NULL,"
        " active INTEGER NOT NULL, PRIMARY KEY (account, tag)) STRICT, WITHOUT ROWID"
    )


class PollState(NamedTuple):
    """How polling one account has gone.

    Attributes:
        attempted_config: fingerprint of everything configured at the last attempt.
        attempted_at: begin of the last attempt.
        failures: attempts since the last success, one that was killed included.
        up: whether the last attempt that ended succeeded and found spend.
        settings: fingerprint of what determines the costs, at the last success.
        settings_since: end of the first success with these settings.
        succeeded_at: end of the last success.
        tags_checked_at: when the states of the tags were last requested.
        history_first: first day of a requested refresh of the history.
        history_requested_at: time of that request.
    """

    attempted_config: str | None = None
    attempted_at: float | None = None
    failures: int = 0
    up: bool | None = None
    settings: str | None = None
    settings_since: float | None = None
    succeeded_at: float | None = None
    tags_checked_at: float | None = None
    history_first: date | None = None
    history_requested_at: float | None = None


def settings_fingerprint(account: AccountConfig, cost: CostConfig) -> str:
    """Return a fingerprint of what determines the costs; a change needs a full refresh."""
    same = msgspec.structs.replace(account, external_id=None)
    return _fingerprint(same, cost.tags, *_basis(account, cost))


def config_fingerprint(account: AccountConfig, cost: CostConfig) -> str:
    """Return a fingerprint of everything configured; after a change a failed poll is retried."""
    return _fingerprint(account, cost.tags, cost.max_requests_per_month, *_basis(account, cost))


def _basis(account: AccountConfig, cost: CostConfig) -> tuple[str, ...]:
    """Return the basis where it matters to a read: an export may not carry it."""
    return () if account.export is None else (cost.basis.value,)


def _fingerprint(*settings: object) -> str:
    return hashlib.sha256(msgspec.json.encode(settings)).hexdigest()[:12]


def load_poll_state(db: Database, account: str) -> PollState:
    """Return the state of an account; of a new one, the defaults."""
    found = db.execute(
        f"SELECT {', '.join(PollState._fields)} FROM poll_state WHERE account = ?",  # noqa: S608 - constants
        (account,),
    ).fetchone()
    if found is None:
        return PollState()
    state = PollState(*found)
    first = state.history_first
    return state._replace(
        up=None if state.up is None else bool(state.up),
        history_first=None if first is None else date.fromisoformat(str(first)),
    )


def record_start(db: Database, account: str, config: str, now: float) -> None:
    """Record an attempt before it begins, as a failure until it succeeds: it may be killed."""
    changes = "attempted_at = ?, attempted_config = ?, failures = failures + 1"
    _record(db, account, changes, now, config)


def record_success(db: Database, account: str, settings: str, now: float) -> None:
    """Record that an attempt has read everything."""
    changes = (
        "failures = 0, up = 1, succeeded_at = ?, settings = ?,"
        " settings_since = CASE WHEN settings = ? THEN settings_since ELSE ? END"
    )
    _record(db, account, changes, now, settings, settings, now)


def record_absence(db: Database, account: str, settings: str, now: float) -> None:
    """Record that an attempt has read everything, and that spend is absent all the same.

    It is a success in everything but `up`.
    """
    record_success(db, account, settings, now)
    _record(db, account, "up = 0")


def record_failure(db: Database, account: str) -> None:
    """Record that an attempt has ended without having read everything."""
    _record(db, account, "up = 0")


def record_tags(db: Database, account: str, active: Mapping[str, bool], now: float) -> None:
    """Record which tags are active; an empty mapping where the source does not say."""
    _record(db, account, "tags_checked_at = ?", now)
    db.execute("DELETE FROM poll_tags WHERE account = ?", (account,))
    for tag, is_active in active.items():
        db.execute("INSERT INTO poll_tags VALUES (?, ?, ?)", (account, tag, int(is_active)))


def active_tags(db: Database, account: str) -> dict[str, bool]:
    """Return which tags were active at the last check."""
    found = db.execute("SELECT tag, active FROM poll_tags WHERE account = ?", (account,))
    return {tag: bool(active) for tag, active in found}


def request_history(db: Database, account: str, first: date, now: float) -> None:
    """Have days from `first` on read again, until AWS has had time to apply tags to them."""
    _record(db, account, "history_first = ?, history_requested_at = ?", first.isoformat(), now)


def clear_history_request(db: Database, account: str) -> None:
    """End a request for the history."""
    _record(db, account, "history_first = NULL, history_requested_at = NULL")


def _record(db: Database, account: str, changes: str, *values: object) -> None:
    db.execute("INSERT OR IGNORE INTO poll_state (account) VALUES (?)", (account,))
    db.execute(
        f"UPDATE poll_state SET {changes} WHERE account = ?",  # noqa: S608 - constants
        (*values, account),
    )
