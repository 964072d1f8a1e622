"""Every day of spend that was ever read, in SQLite."""

from __future__ import annotations

import logging
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from sqlite_utils import Migrations

from mlguard_exporter.spend.calendar import days_between, is_settled, month_of
from mlguard_exporter.spend.model import Costs, Kind, Series

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlite_utils import Database

    from mlguard_exporter.spend.model import Reading

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
    """Make the tables: amounts as decimal texts, days as YYYY-MM-DD, times in epoch seconds."""
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


class Row(NamedTuple):
    """One kept amount.

    Attributes:
        day: the UTC day.
        series: whose it is.
        costs: on each basis.
        read_at: epoch seconds when it was first read as it is.
    """

    day: date
    series: Series
    costs: Costs
    read_at: float


class KnownDay(NamedTuple):
    """What is known of the reading of one day.

    Attributes:
        read_at: epoch seconds of what the source knew when it was read last.
        restatements: times it has changed after it was settled.
    """

    read_at: float
    restatements: int


class Ledger:
    """The tables of spend; calls belong into transactions of the caller's.

    Args:
        db: with the migrations applied, or read only.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def take(self, account: str, reading: Reading, now: float, *, anew: bool = False) -> int:
        """Let a reading replace what was known of its days.

        A day that it says nothing of has cost nothing if it lies between others with spend.
        Elsewhere it is not known yet, or stays as it was known where the reading may not be
        complete: AWS does not take back a whole day, and an answer that does is not to be believed.

        Args:
            account: its name.
            reading: of a range of days.
            now: epoch seconds.
            anew: whether days differ since they were asked for otherwise, which restates none.

        Returns:
            How many days were restated: settled, and now different by a cent or more.
        """
        restated, doubted = 0, []
        known = self.known_days(account)
        as_of = min(now, reading.as_of or now)
        spent = [*reading.days, *known]
        begun, last = min(spent, default=reading.end), max(reading.days, default=reading.first)
        for day in days_between(reading.first, reading.end):
            costs = reading.days.get(day, {})
            if day in known and not costs and not reading.version and self._has_spend(account, day):
                doubted.append(day)
            elif costs or day in known or begun < day < last:
                was_settled = day in known and is_settled(day, known[day].read_at)
                moved = self._take_day(account, day, costs, now, was_settled=was_settled)
                is_restated = moved and was_settled and not anew
                self._note_day(account, day, as_of, restated=is_restated)
                restated += is_restated
        if doubted:
            log.warning(
                "%s: nothing was told of %d days that had spend, from %s on; they are kept",
                account, len(doubted), doubted[0],
            )  # fmt: skip
        # what is kept is no delivery's any more
        self._db.execute(
            "DELETE FROM spend_versions WHERE account = ? AND first >= ? AND first < ?",
            (account, month_of(reading.first).isoformat(), reading.end.isoformat()),
        )
        if reading.version:
            self._db.execute(
                "INSERT INTO spend_versions VALUES (?, ?, ?)",
                (account, reading.first.isoformat(), reading.version),
            )
        return restated

    def _has_spend(self, account: str, day: date) -> bool:
        return next(self.rows(account, day, day), None) is not None

    def _take_day(
        self,
        account: str,
        day: date,
        costs: Mapping[Series, Costs],
        now: float,
        *,
        was_settled: bool,
    ) -> bool:
        """Whether any amount of the day has changed by a cent or more."""
        old = {row.series: row for row in self.rows(account, day, day)}
        changed = {s for s, c in costs.items() if s not in old or old[s].costs != c}
        gone = old.keys() - costs.keys()
        moved = {s for s in changed | gone if _differ(costs.get(s), old.get(s))}
        if was_settled:
            for series in moved & old.keys():
                row = old[series]
                self._insert("spend_superseded", account, row, now)
        for series in gone:
            self._delete(account, day, series)
        for series in changed:
            # a change below a cent is no news
            read_at = now if series in moved or series not in old else old[series].read_at
            self._insert("spend_costs", account, Row(day, series, costs[series], read_at))
        return bool(moved)

    def _note_day(self, account: str, day: date, as_of: float, *, restated: bool) -> None:
        self._db.execute(
            "INSERT INTO spend_days VALUES (?, ?, ?, 0) ON CONFLICT DO UPDATE"
            " SET read_at = excluded.read_at, restatements = restatements + ?",
            (account, day.isoformat(), as_of, int(restated)),
        )

    def _insert(self, table: str, account: str, row: Row, *more: float) -> None:
        values = (
            account, row.day.isoformat(), *map(str, row.series),
            *(None if c is None else str(c) for c in row.costs), row.read_at, *more,
        )  # fmt: skip
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", values)  # noqa: S608 - constants

    def _delete(self, account: str, day: date, series: Series) -> None:
        self._db.execute(
            "DELETE FROM spend_costs WHERE account = ? AND day = ? AND kind = ? AND project = ?"
            " AND model = ? AND endpoint = ? AND name = ? AND currency = ?",
            (account, day.isoformat(), *map(str, series)),
        )

    def rows(self, account: str, first: date, last: date) -> Iterator[Row]:
        """What is known of the days from the first to the last, day by day."""
        yield from map(
            _row,
            self._db.execute(
                _SELECT + "spend_costs WHERE account = ? AND day BETWEEN ? AND ? ORDER BY day",
                (account, first.isoformat(), last.isoformat()),
            ),
        )

    def known_days(self, account: str) -> dict[date, KnownDay]:
        """Every day that was ever read, in order."""
        found = self._db.execute(
            "SELECT day, read_at, restatements FROM spend_days WHERE account = ? ORDER BY day",
            (account,),
        )
        return {date.fromisoformat(day): KnownDay(*more) for day, *more in found}

    def accounts(self) -> list[str]:
        """Every account of which anything is known."""
        found = self._db.execute("SELECT DISTINCT account FROM spend_days ORDER BY account")
        return [account for (account,) in found]

    def versions(self, account: str) -> set[str]:
        """Marks of the ranges that are kept as their source has them."""
        found = self._db.execute("SELECT version FROM spend_versions WHERE account = ?", (account,))
        return {version for (version,) in found}


def _differ(new: Costs | None, old: Row | None) -> bool:
    """Whether two amounts differ by a cent or more, on any basis."""
    nothing = Costs(ZERO, ZERO, ZERO)
    pairs = zip(new or nothing, old.costs if old else nothing, strict=True)
    return any(
        (a is None) != (b is None) or (a != b and abs((a or ZERO) - (b or ZERO)) >= CENT)
        for a, b in pairs
    )


def _row(found: tuple[str, ...]) -> Row:
    day, kind, project, model, endpoint, name, currency, *costs, read_at = found
    return Row(
        date.fromisoformat(day),
        Series(Kind(kind), project, model, endpoint, name, currency),
        Costs(*(None if c is None else Decimal(c) for c in costs)),
        float(read_at),
    )
