"""The log of reported spikes, in SQLite, so that each is reported once, and late if not before."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlite_utils import Migrations

from mlguard_exporter.analysis import RECENT_DAYS, Scope, Subject
from mlguard_exporter.spend import CostSeries, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlite_utils import Database

    from mlguard_exporter.analysis import SubjectAnomalies

LATE_SECONDS = 72_000.0
"""Minimum time for which a late spike is shown; in fact until the first read after it."""
_SUBJECT = "scope, project, model, endpoint, name, currency"

migrations = Migrations("mlguard-anomalies")


@migrations()
def initial(db: Database) -> None:
    """Create the tables; `late_at` is in epoch seconds, and null for a spike reported in time."""
    db.execute(
        "CREATE TABLE anomaly_log (account TEXT NOT NULL, day TEXT NOT NULL, scope TEXT NOT NULL,"
        " project TEXT NOT NULL, model TEXT NOT NULL, endpoint TEXT NOT NULL, name TEXT NOT NULL,"
        " currency TEXT NOT NULL, excess REAL NOT NULL, late_at REAL,"
        f" PRIMARY KEY (account, day, {_SUBJECT})) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE anomaly_log_progress (account TEXT PRIMARY KEY, settings TEXT NOT NULL,"
        " last_day TEXT NOT NULL) STRICT"
    )


class ReportedSpike(NamedTuple):
    """How a spike was reported.

    Attributes:
        excess: the reported one.
        late_at: epoch seconds of a late report, None for one in time.
    """

    excess: float
    late_at: float | None


ReportedSpikes = dict[tuple[Subject, date], ReportedSpike]


class AnomalyLog:
    """The tables of reported spikes. Calls run in the caller's transaction.

    Args:
        db: with the migrations applied.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def record(
        self,
        account: str,
        anomalies: Sequence[SubjectAnomalies],
        settings: str | None,
        now: float,
    ) -> dict[Subject, float]:
        """Record the spikes of an account, and return which are reported late.

        A spike is late if it was not reported while its day was the judged one: the day was
        restated, or never was the judged one, as reading failed meanwhile. It counts as reported if
        reports of that day make up half of its excess: of the same subject, of its parents or
        parts, or of spend that was untagged or had other tags then.

        Args:
            account: its name.
            anomalies: of all its subjects.
            settings: identifies how the account is read and compared. After a change, days that
                were compared before are not reported late, as only the settings differ. None:
                nothing was read with these settings yet, and nothing is reported late.
            now: epoch seconds.

        Returns:
            The largest excess of each subject that is reported late now.
        """
        if not anomalies:
            return {}
        last = anomalies[0].latest.day
        reported = self._load(account)
        earlier = _EarlierReports(reported, anomalies)
        compared_until = self._compared_until(account, settings)
        added: ReportedSpikes = {}
        for each in anomalies:
            for day in each.reportable:
                excess = each.by_day[day].excess
                is_new = earlier.excess_of(each.subject, day) * 2 < excess
                if is_new and (day == last or settings is not None):
                    is_late = day < last and compared_until is not None and day > compared_until
                    added[each.subject, day] = ReportedSpike(excess, now if is_late else None)
        self._store(account, added, last)
        if settings is not None:
            self._db.execute(
                "INSERT OR REPLACE INTO anomaly_log_progress VALUES (?, ?, ?)",
                (account, settings, last.isoformat()),
            )
        reported |= added
        late: dict[Subject, float] = {}
        for each in anomalies:
            for day in each.reportable:
                spike = reported.get((each.subject, day))
                if (
                    spike
                    and spike.late_at is not None
                    and now - LATE_SECONDS < spike.late_at <= now
                ):
                    late[each.subject] = max(each.by_day[day].excess, late.get(each.subject, 0.0))
        return late

    def _compared_until(self, account: str, settings: str | None) -> date | None:
        """Return the last day that cannot be late; None where no day can."""
        found = self._db.execute(
            "SELECT settings, last_day FROM anomaly_log_progress WHERE account = ?", (account,)
        ).fetchone()
        if found is None or settings is None:
            return None
        return date.min if found[0] == settings else date.fromisoformat(found[1])

    def _load(self, account: str) -> ReportedSpikes:
        found = self._db.execute(
            f"SELECT day, excess, late_at, {_SUBJECT} FROM anomaly_log WHERE account = ?",  # noqa: S608 - constants
            (account,),
        )
        return {
            (_subject(Scope(scope), *names), date.fromisoformat(day)): ReportedSpike(
                excess, late_at
            )
            for day, excess, late_at, scope, *names in found
        }

    def _store(self, account: str, added: ReportedSpikes, last: date) -> None:
        """Store reported spikes, and delete those that are too old to be reported again."""
        for ((scope, series), day), spike in added.items():
            self._db.execute(
                "INSERT OR REPLACE INTO anomaly_log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (account, day.isoformat(), scope.value, *series[1:], *spike),
            )
        too_old = (last - timedelta(days=RECENT_DAYS)).isoformat()
        self._db.execute(
            "DELETE FROM anomaly_log WHERE account = ? AND day < ?", (account, too_old)
        )


class _EarlierReports:
    """Sums of the excesses that were reported of a day."""

    def __init__(self, reported: ReportedSpikes, anomalies: Sequence[SubjectAnomalies]) -> None:
        by_subject = {each.subject: each.by_day for each in anomalies}
        self._excess = {key: spike.excess for key, spike in reported.items()}
        self._with_parts = defaultdict[tuple[Subject, date], float](float)
        self._retagged = defaultdict[tuple[str, date], float](float)
        for (subject, day), excess in self._excess.items():
            for each in (subject, *subject.parents()):
                self._with_parts[each, day] += excess
            anomaly = by_subject.get(subject, {}).get(day)
            is_gone = anomaly is None or not anomaly.amount
            if subject.scope is not Scope.SERVICE and (is_gone or not subject.series.project):
                self._retagged[subject.series.currency, day] += excess

    def excess_of(self, subject: Subject, day: date) -> float:
        """Return the sum for a subject, its parts and parents, and spend with other tags."""
        if subject.scope is Scope.SERVICE:
            return self._with_parts[subject, day]
        parents = sum(self._excess.get((parent, day), 0.0) for parent in subject.parents())
        retagged = self._retagged[subject.series.currency, day] if subject.series.project else 0.0
        return self._with_parts[subject, day] + parents + retagged


def _subject(scope: str, *names: str) -> Subject:
    kind = Kind.SERVICE if scope == Scope.SERVICE else Kind.OWNER
    return Subject(Scope(scope), CostSeries(kind, *names))
