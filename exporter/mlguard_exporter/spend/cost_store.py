"""The store of spend: every day that was ever read, in SQLite."""

from __future__ import annotations

import logging
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from sqlite_utils import Migrations

from mlguard_exporter.spend.calendar import days_between, is_settled, month_of
from mlguard_exporter.spend.costs import Costs, CostSeries, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlite_utils import Database

    from mlguard_exporter.spend.costs import CostReport

CENT = Decimal("0.01")
ZERO = Decimal(0)

log = logging.getLogger(__name__)

migrations = Migrations("mlguard-spend")

_SERIES = "kind, project, model, endpoint, name, currency"
_SELECT = f"SELECT day, {_SERIES}, unblended, amortized, net_unblended, read_at FROM "  # noqa: S608
_TYPES = """
    account TEXT NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL, project TEXT NOT NULL,
    model TEXT NOT NULL, endpoint TEXT NOT NULL, name TEXT NOT NULL, currency TEXT NOT NULL,
    unblended TEXT, amortized TEXT, net_unblended TEXT, read_at REAL NOT NULL"""


@migrations()
def initial(db: Database) -> None:
    """Create the tables: amounts as decimal texts, days as YYYY-MM-DD, times in epoch seconds."""
    db.execute(
        f"CREATE TABLE spend_costs ({_TYPES},"
        f" PRIMARY KEY (account, day, {_SERIES})) STRICT, WITHOUT ROWID"
    )
    db.execute(
        f"CREATE TABLE spend_superseded ({_TYPES}, superseded_at REAL NOT NULL,"
        f" PRIMARY KEY (account, day, {_SERIES}, superseded_at)) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE spend_days (account TEXT NOT NULL, day TEXT NOT NULL,"
        " read_at REAL NOT NULL, restatements INTEGER NOT NULL,"
        " PRIMARY KEY (account, day)) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE spend_versions (account TEXT NOT NULL, first TEXT NOT NULL,"
        " version TEXT NOT NULL, PRIMARY KEY (account, first)) STRICT, WITHOUT ROWID"
    )


class StoredCost(NamedTuple):
    """The costs of one series on one day.

    Attributes:
        day: the UTC day.
        series: what they are added up by.
        costs: on each basis.
        read_at: epoch seconds of the first read with these amounts.
    """

    day: date
    series: CostSeries
    costs: Costs
    read_at: float


class KnownDay(NamedTuple):
    """How a day was read.

    Attributes:
        read_at: epoch seconds of the source's knowledge at the last read.
        restatements: times it has changed after it was settled, by a cent or more.
    """

    read_at: float
    restatements: int


class CostStore:
    """The tables of spend. Calls run in the caller's transaction.

    Args:
        db: with the migrations applied, or read-only.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def store(
        self, account: str, report: CostReport, now: float, *, full_refresh: bool = False
    ) -> int:
        """Replace what is stored of a report's days.

        A day that is missing in the report has cost nothing if it lies between days with spend.
        Elsewhere it is unknown yet, or keeps its stored costs where the report has no version: AWS
        does not withdraw a whole day, so an answer without it is taken as incomplete.

        Args:
            account: its name.
            report: costs of a range of days.
            now: epoch seconds.
            full_refresh: whether the settings of the read have changed, so that differences are no
                restatements.

        Returns:
            The number of restated days: settled before, and now different by a cent or more.
        """
        restated, kept = 0, []
        known = self.known_days(account)
        as_of = min(now, report.as_of or now)
        spent = [*report.days, *known]
        begun, last = min(spent, default=report.end), max(report.days, default=report.first)
        for day in days_between(report.first, report.end):
            costs = report.days.get(day, {})
            if day in known and not costs and not report.version and self._has_spend(account, day):
                kept.append(day)
            elif costs or day in known or begun < day < last:
                was_settled = day in known and is_settled(day, known[day].read_at)
                changed = self._store_day(account, day, costs, now, was_settled=was_settled)
                is_restated = changed and was_settled and not full_refresh
                self._record_day(account, day, as_of, restated=is_restated)
                restated += is_restated
        if kept:
            log.warning(
                "%s: days with spend that the answer lacks: %d, from %s on; their costs are kept",
                account, len(kept), kept[0],
            )  # fmt: skip
        # what is stored now differs from what these versions stood for
        self._db.execute(
            "DELETE FROM spend_versions WHERE account = ? AND first >= ? AND first < ?",
            (account, month_of(report.first).isoformat(), report.end.isoformat()),
        )
        if report.version:
            self._db.execute(
                "INSERT INTO spend_versions VALUES (?, ?, ?)",
                (account, report.first.isoformat(), report.version),
            )
        return restated

    def _has_spend(self, account: str, day: date) -> bool:
        return next(self.rows(account, day, day), None) is not None

    def _store_day(
        self,
        account: str,
        day: date,
        costs: Mapping[CostSeries, Costs],
        now: float,
        *,
        was_settled: bool,
    ) -> bool:
        """Store one day's costs; return whether any amount has changed by a cent or more."""
        old = {row.series: row for row in self.rows(account, day, day)}
        changed = {s for s, c in costs.items() if s not in old or old[s].costs != c}
        gone = old.keys() - costs.keys()
        restated = {s for s in changed | gone if _differ(costs.get(s), old.get(s))}
        if was_settled:
            for series in restated & old.keys():
                row = old[series]
                self._insert("spend_superseded", account, row, now)
        for series in gone:
            self._delete(account, day, series)
        for series in changed:
            # a change below a cent keeps the time of the first read
            read_at = now if series in restated or series not in old else old[series].read_at
            self._insert("spend_costs", account, StoredCost(day, series, costs[series], read_at))
        return bool(restated)

    def _record_day(self, account: str, day: date, as_of: float, *, restated: bool) -> None:
        self._db.execute(
            "INSERT INTO spend_days VALUES (?, ?, ?, 0) ON CONFLICT DO UPDATE"
            " SET read_at = excluded.read_at, restatements = restatements + ?",
            (account, day.isoformat(), as_of, int(restated)),
        )

    def _insert(self, table: str, account: str, row: StoredCost, *more: float) -> None:
        values = (
            account, row.day.isoformat(), *map(str, row.series),
            *(None if c is None else str(c) for c in row.costs), row.read_at, *more,
        )  # fmt: skip
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", values)  # noqa: S608 - constants

    def _delete(self, account: str, day: date, series: CostSeries) -> None:
        self._db.execute(
            "DELETE FROM spend_costs WHERE account = ? AND day = ? AND kind = ? AND project = ?"
            " AND model = ? AND endpoint = ? AND name = ? AND currency = ?",
            (account, day.isoformat(), *map(str, series)),
        )

    def rows(self, account: str, first: date, last: date) -> Iterator[StoredCost]:
        """Yield the stored costs from `first` to `last`, in the order of days."""
        yield from map(
            _stored_cost,
            self._db.execute(
                _SELECT + "spend_costs WHERE account = ? AND day BETWEEN ? AND ? ORDER BY day",
                (account, first.isoformat(), last.isoformat()),
            ),
        )

    def known_days(self, account: str) -> dict[date, KnownDay]:
        """Return every day that was ever read, in order."""
        found = self._db.execute(
            "SELECT day, read_at, restatements FROM spend_days WHERE account = ? ORDER BY day",
            (account,),
        )
        return {date.fromisoformat(day): KnownDay(*more) for day, *more in found}

    def latest_usage(self, account: str) -> date | None:
        """Return the latest day with charges for usage, perhaps of zero; None where is none."""
        found = self._db.execute(
            "SELECT day FROM spend_costs WHERE account = ? AND kind = ? ORDER BY day DESC LIMIT 1",
            (account, str(Kind.SERVICE)),
        ).fetchone()
        return None if found is None else date.fromisoformat(found[0])

    def accounts(self) -> list[str]:
        """Return the name of every account with stored days."""
        found = self._db.execute("SELECT DISTINCT account FROM spend_days ORDER BY account")
        return [account for (account,) in found]

    def versions(self, account: str) -> set[str]:
        """Return the versions of the reports that are stored unchanged."""
        found = self._db.execute("SELECT version FROM spend_versions WHERE account = ?", (account,))
        return {version for (version,) in found}


def _differ(new: Costs | None, old: StoredCost | None) -> bool:
    """Return whether costs differ by a cent or more, on any basis."""
    nothing = Costs(ZERO, ZERO, ZERO)
    pairs = zip(new or nothing, old.costs if old else nothing, strict=True)
    return any(
        (a is None) != (b is None) or (a != b and abs((a or ZERO) - (b or ZERO)) >= CENT)
        for a, b in pairs
    )


def _stored_cost(found: tuple[str, ...]) -> StoredCost:
    day, kind, project, model, endpoint, name, currency, *costs, read_at = found
    return StoredCost(
        date.fromisoformat(day),
        CostSeries(Kind(kind), project, model, endpoint, name, currency),
        Costs(*(None if c is None else Decimal(c) for c in costs)),
        float(read_at),
    )
