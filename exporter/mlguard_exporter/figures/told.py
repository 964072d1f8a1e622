"""What was told of spikes, in SQLite, so that each is told once, and late where it was not yet."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlite_utils import Migrations

from mlguard_exporter.figures.subject import Scope, Subject
from mlguard_exporter.figures.verdicts import RECENT_DAYS
from mlguard_exporter.spend import Kind, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlite_utils import Database

    from mlguard_exporter.figures.verdicts import Judged

LATE_SECONDS = 72_000.0
"""How long a spike of an earlier day is shown: until the next day's read, or a little less."""
Told = dict[tuple[Subject, date], float | None]
"""When each spike was told as late; None for in time."""
_SUBJECT = "scope, project, model, endpoint, name, currency"

migrations = Migrations("mlguard-told")


@migrations()
def initial(db: Database) -> None:
    """Make the tables; late_at is in epoch seconds, and empty for what was told in time."""
    db.execute(
        "CREATE TABLE told_spikes (account TEXT NOT NULL, day TEXT NOT NULL, scope TEXT NOT NULL,"
        " project TEXT NOT NULL, model TEXT NOT NULL, endpoint TEXT NOT NULL, name TEXT NOT NULL,"
        f" currency TEXT NOT NULL, late_at REAL, PRIMARY KEY (account, day, {_SUBJECT}))"
        " STRICT, WITHOUT ROWID"
    )
    db.execute("CREATE TABLE told_as (account TEXT PRIMARY KEY, judged_as TEXT NOT NULL) STRICT")


def note_told(
    db: Database, account: str, judged: Sequence[Judged], judged_as: str | None, now: float
) -> dict[Subject, float]:
    """Note the spikes that are worth telling, and say which are told late.

    Late is a spike of a day before the judged one that was not told before: the day was restated,
    or was never the judged one, as reading failed meanwhile. A spike of what holds it, or is held
    by it, counts as the same.

    Args:
        db: with the migrations applied, in a transaction.
        account: its name.
        judged: its subjects.
        judged_as: a mark of the settings. Under another one nothing is told as late, as days only
            look different now. None: spend has not been read to the end yet.
        now: epoch seconds.

    Returns:
        The largest excess of each subject that is told late now.
    """
    known = _known(db, account)
    may_be_late = _judged_as(db, account) == judged_as is not None
    held = {(holder, day) for told, day in known for holder in told.holders()}
    noted: Told = {}
    for one in judged:
        for day in one.told:
            if (one.subject, day) not in known:
                is_known = (one.subject, day) in held or any(
                    (holder, day) in known for holder in one.subject.holders()
                )
                is_late = may_be_late and day < one.verdict.day and not is_known
                noted[one.subject, day] = now if is_late else None
    _keep(db, account, noted, judged_as)
    for one in judged[:1]:
        _forget(db, account, one.verdict.day - timedelta(days=RECENT_DAYS))
    all_told = known | noted
    late: dict[Subject, float] = {}
    for one in judged:
        for day in one.told:
            told_at = all_told[one.subject, day]
            if told_at is not None and told_at > now - LATE_SECONDS:
                late[one.subject] = max(one.verdicts[day].excess, late.get(one.subject, 0.0))
    return late


def _judged_as(db: Database, account: str) -> str | None:
    found = db.execute("SELECT judged_as FROM told_as WHERE account = ?", (account,)).fetchone()
    return None if found is None else str(found[0])


def _known(db: Database, account: str) -> Told:
    found = db.execute(
        f"SELECT day, late_at, {_SUBJECT} FROM told_spikes WHERE account = ?",  # noqa: S608 - constants
        (account,),
    )
    return {
        (_subject(Scope(scope), *names), date.fromisoformat(day)): late_at
        for day, late_at, scope, *names in found
    }


def _subject(scope: Scope, *names: str) -> Subject:
    return Subject(scope, Series(Kind.SERVICE if scope is Scope.SERVICE else Kind.OWNER, *names))


def _keep(db: Database, account: str, noted: Told, judged_as: str | None) -> None:
    for ((scope, series), day), late_at in noted.items():
        db.execute(
            "INSERT INTO told_spikes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (account, day.isoformat(), scope.value, *series[1:], late_at),
        )
    if judged_as is not None:
        db.execute("INSERT OR REPLACE INTO told_as VALUES (?, ?)", (account, judged_as))


def _forget(db: Database, account: str, before: date) -> None:
    db.execute(
        "DELETE FROM told_spikes WHERE account = ? AND day < ?", (account, before.isoformat())
    )
