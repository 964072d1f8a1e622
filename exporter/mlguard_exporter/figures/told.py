"""What was told of spikes, in SQLite, so that each is told once, and late where it was not yet."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlite_utils import Migrations

from mlguard_exporter.figures.subject import Scope, Subject
from mlguard_exporter.figures.verdicts import RECENT_DAYS
from mlguard_exporter.spend import Kind, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlite_utils import Database

    from mlguard_exporter.figures.verdicts import Judged

LATE_SECONDS = 72_000.0
"""How long a spike of an earlier day is shown at least; until the read after that, in fact."""
_SUBJECT = "scope, project, model, endpoint, name, currency"

migrations = Migrations("mlguard-told")


@migrations()
def initial(db: Database) -> None:
    """Make the tables; late_at is in epoch seconds, and empty for what was told in time."""
    db.execute(
        "CREATE TABLE told_spikes (account TEXT NOT NULL, day TEXT NOT NULL, scope TEXT NOT NULL,"
        " project TEXT NOT NULL, model TEXT NOT NULL, endpoint TEXT NOT NULL, name TEXT NOT NULL,"
        " currency TEXT NOT NULL, excess REAL NOT NULL, late_at REAL,"
        f" PRIMARY KEY (account, day, {_SUBJECT})) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE told_as (account TEXT PRIMARY KEY, judged_as TEXT NOT NULL,"
        " until TEXT NOT NULL) STRICT"
    )


class Told(NamedTuple):
    """How a spike was told.

    Attributes:
        excess: that was told.
        late_at: when, if that was late.
    """

    excess: float
    late_at: float | None


Memory = dict[tuple[Subject, date], Told]


def note_told(
    db: Database, account: str, judged: Sequence[Judged], judged_as: str | None, now: float
) -> dict[Subject, float]:
    """Note the spikes that are worth telling, and say which are told late.

    Late is a spike of a day before the judged one that was not told before: the day was restated,
    or was never the judged one, as reading failed meanwhile. What was told that day of the same, of
    what holds it or is held by it, or of what carried no tag or other tags then, counts as the same
    if it makes up half of the excess.

    Args:
        db: with the migrations applied, in a transaction.
        account: its name.
        judged: its subjects.
        judged_as: a mark of the settings. Under another one days that were judged before are not
            told as late, as they only look different now. None: spend has not been read to the end
            with these settings; nothing is told as late.
        now: epoch seconds.

    Returns:
        The largest excess of each subject that is told late now.
    """
    if not judged:
        return {}
    last = judged[0].verdict.day
    memory = _remembered(db, account)
    before = _ToldBefore(memory, judged)
    until = _judged_until(db, account, judged_as)
    noted: Memory = {}
    for one in judged:
        for day in one.told:
            excess = one.verdicts[day].excess
            is_new = before.of(one.subject, day) * 2 < excess
            if is_new and (day == last or judged_as is not None):
                is_late = day < last and until is not None and day > until
                noted[one.subject, day] = Told(excess, now if is_late else None)
    _note(db, account, noted, last)
    if judged_as is not None:
        db.execute(
            "INSERT OR REPLACE INTO told_as VALUES (?, ?, ?)",
            (account, judged_as, last.isoformat()),
        )
    memory |= noted
    late: dict[Subject, float] = {}
    for one in judged:
        for day in one.told:
            told = memory.get((one.subject, day))
            if told and told.late_at is not None and now - LATE_SECONDS < told.late_at <= now:
                late[one.subject] = max(one.verdicts[day].excess, late.get(one.subject, 0.0))
    return late


class _ToldBefore:
    """Sums of what was told of a day."""

    def __init__(self, memory: Memory, judged: Sequence[Judged]) -> None:
        verdicts = {one.subject: one.verdicts for one in judged}
        self._told = {key: told.excess for key, told in memory.items()}
        self._held = defaultdict[tuple[Subject, date], float](float)
        self._retagged = defaultdict[tuple[str, date], float](float)
        for (subject, day), excess in self._told.items():
            for each in (subject, *subject.holders()):
                self._held[each, day] += excess
            verdict = verdicts.get(subject, {}).get(day)
            is_gone = verdict is None or not verdict.amount
            if subject.scope is not Scope.SERVICE and (is_gone or not subject.series.project):
                self._retagged[subject.series.currency, day] += excess

    def of(self, subject: Subject, day: date) -> float:
        """Of it, of what it holds and is held by, and of what carried no tag or other ones."""
        if subject.scope is Scope.SERVICE:
            return self._held[subject, day]
        holders = sum(self._told.get((holder, day), 0.0) for holder in subject.holders())
        retagged = self._retagged[subject.series.currency, day] if subject.series.project else 0.0
        return self._held[subject, day] + holders + retagged


def _judged_until(db: Database, account: str, judged_as: str | None) -> date | None:
    """The last day that may not be told as late; None where none may."""
    found = db.execute(
        "SELECT judged_as, until FROM told_as WHERE account = ?", (account,)
    ).fetchone()
    if found is None or judged_as is None:
        return None
    return date.min if found[0] == judged_as else date.fromisoformat(found[1])


def _remembered(db: Database, account: str) -> Memory:
    found = db.execute(
        f"SELECT day, excess, late_at, {_SUBJECT} FROM told_spikes WHERE account = ?",  # noqa: S608 - constants
        (account,),
    )
    return {
        (_subject(Scope(scope), *names), date.fromisoformat(day)): Told(excess, late_at)
        for day, excess, late_at, scope, *names in found
    }


def _subject(scope: Scope, *names: str) -> Subject:
    return Subject(scope, Series(Kind.SERVICE if scope is Scope.SERVICE else Kind.OWNER, *names))


def _note(db: Database, account: str, noted: Memory, last: date) -> None:
    """Keep what is noted, and forget what is too old to be told again."""
    for ((scope, series), day), told in noted.items():
        db.execute(
            "INSERT OR REPLACE INTO told_spikes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (account, day.isoformat(), scope.value, *series[1:], *told),
        )
    too_old = (last - timedelta(days=RECENT_DAYS)).isoformat()
    db.execute("DELETE FROM told_spikes WHERE account = ? AND day < ?", (account, too_old))
