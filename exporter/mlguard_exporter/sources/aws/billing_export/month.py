"""The sums of one billing month, from its data files."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import (
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO

from mlguard_exporter.sources.aws.billing_export.formats import line_format
from mlguard_exporter.sources.aws.billing_export.line_items import BasisError
from mlguard_exporter.sources.aws.billing_export.storage import MonthError
from mlguard_exporter.sources.aws.billing_export.tables import (
    BROKEN,
    Table,
    csv_table,
    damage,
    parquet_table,
)
from mlguard_exporter.sources.aws.billing_export.tags import owner_of
from mlguard_exporter.sources.protocol import SourceError
from mlguard_exporter.spend import CostReport, Costs, CostSeries, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlguard_exporter.config import TagsConfig
    from mlguard_exporter.sources.aws.billing_export.line_items import LineItem
    from mlguard_exporter.sources.aws.billing_export.manifest import Month
    from mlguard_exporter.sources.aws.billing_export.storage import FileStorage, StoredFile
    from mlguard_exporter.sources.aws.billing_export.tags import Owner
    from mlguard_exporter.spend import Basis

log = logging.getLogger(__name__)

EXACT = Context(prec=200, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
"""The decimal context in which a sum is exact, or raises."""
Sums = list[Decimal | None]
_AGAIN = "copy the file again, or have AWS deliver the month again"


class LackingError(MonthError):
    """A month's files lack the columns of the configured basis."""


def read_month(
    storage: FileStorage,
    month: Month,
    files: Iterable[StoredFile],
    tags: TagsConfig,
    basis: Basis,
    version: str,
) -> CostReport:
    """Add up every line of a month, and return the costs of its days.

    Raises:
        LackingError: a file has no amounts on the basis.
        MonthError: a file is damaged or cannot be read.
        SourceError: the storage cannot be read now.
    """
    totals = MonthTotals(month.first, month.end)
    with localcontext(EXACT):
        for file in files:
            with storage.open(file) as stream:
                _read(stream, file.name, storage.where(file.name), tags, basis, totals)
    as_of = month.manifest.modified
    return CostReport(month.first, month.end, totals.days(), version, as_of)


def _read(
    stream: BinaryIO, name: str, where: str, tags: TagsConfig, basis: Basis, totals: MonthTotals
) -> None:
    with located(where), open_table(stream, name) as table:
        form = line_format(table.header)
        form.require(basis)
        if not form.tags:
            log.warning(
                "%s has no column of resource tags, and its spend counts as untagged; include"
                " resource tags in the export",
                where,
            )
        owner = owner_of(tags, form.tags)
        read, add = form.read, totals.add
        with located_row(where, table):
            for cells in table.rows(form.columns):
                item = read(cells)
                if item is not None:
                    add(item, owner(item.tags) if item.usage else None)


@contextmanager
def located(where: str) -> Iterator[None]:
    """Raise what is wrong with a file as an error that names it.

    Raises:
        LackingError: it has no amounts on the basis.
        MonthError: it is damaged, or cannot be read.
        SourceError: it cannot be read now.
    """
    try:
        yield
    except MonthError:
        raise
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from error
    except BROKEN as error:
        raise MonthError(f"{where}: {_reason(error)}; {_AGAIN}") from error
    except BasisError as error:
        raise LackingError(f"{where}: {error}") from error
    except ValueError as error:
        raise MonthError(f"{where}: {error}") from error


@contextmanager
def located_row(where: str, table: Table) -> Iterator[None]:
    """Raise what is wrong with a row as an error that names it.

    Raises:
        MonthError: it cannot be read.
    """
    try:
        yield
    except (ValueError, ArithmeticError, *BROKEN) as error:
        raise MonthError(f"{where}, {table.place}: {_reason(error)}; {_AGAIN}") from error


@contextmanager
def open_table(stream: BinaryIO, name: str) -> Iterator[Table]:
    """Open a file as the kind of table that its name says.

    Raises:
        ValueError: the name says neither CSV nor Parquet, or the file is damaged.
        SourceError: a package that it needs is not installed.
    """
    lower = name.lower()
    if lower.endswith(".parquet"):
        with parquet_table(stream) as parquet:
            yield parquet
    elif lower.endswith((".csv", ".csv.gz")):
        with csv_table(stream, packed=lower.endswith(".gz")) as text:
            yield text
    else:
        raise ValueError("expected a name that ends in .csv.gz, .csv or .parquet")


def _reason(error: Exception) -> str:
    if isinstance(error, Inexact):
        return "an amount has too many digits"
    text = damage(error) if isinstance(error, BROKEN) else str(error)
    return " ".join(text.split())


class MonthTotals:
    """Adds lines up by day and series.

    A billing month can hold lines that begin outside of it: usage of the last hour before, tax
    and refunds with the dates of the charges they belong to. They count on the month's first or
    last day, whichever is nearer, so that a new delivery replaces a month without losing a cent.

    Args:
        first: first day of the month.
        end: first day of the next.
    """

    def __init__(self, first: date, end: date) -> None:
        last = end - timedelta(days=1)

        @lru_cache(1 << 10)
        def day_of(text: str) -> date:
            return min(max(date.fromisoformat(text), first), last)

        self._day_of = day_of
        self._owners: dict[tuple[date, Owner, str], Sums] = {}
        self._named: dict[tuple[date, bool, str, str], Sums] = {}

    def add(self, line: LineItem, owner: Owner | None) -> None:
        """Add a line; `owner` is None for charges that are not usage.

        Raises:
            ValueError: it does not begin with a day.
            ArithmeticError: the sum cannot be exact.
        """
        start, usage, name, currency, unblended, amortized, net, _ = line
        try:
            day = self._day_of(start[:10])
        except ValueError:
            raise ValueError(f"the charge begins at {start!r}; expected a time") from None
        named = self._named.get(key := (day, usage, name, currency))
        if named is None:
            self._named[key] = [unblended, amortized, net]
        else:
            _add_costs(named, unblended, amortized, net)
        if owner is None:
            return
        owned = self._owners.get(whose := (day, owner, currency))
        if owned is None:
            self._owners[whose] = [unblended, amortized, net]
        else:
            _add_costs(owned, unblended, amortized, net)

    def days(self) -> Mapping[date, Mapping[CostSeries, Costs]]:
        """Return the costs of each day."""
        days: dict[date, dict[CostSeries, Costs]] = {}
        for (day, owner, currency), sums in self._owners.items():
            series = CostSeries(Kind.OWNER, *owner, currency=currency)
            days.setdefault(day, {})[series] = Costs(*sums)
        for (day, usage, name, currency), sums in self._named.items():
            kind = Kind.SERVICE if usage else Kind.OTHER
            series = CostSeries(kind, name=name, currency=currency)
            days.setdefault(day, {})[series] = Costs(*sums)
        return days


def _add_costs(
    sums: Sums, unblended: Decimal, amortized: Decimal | None, net: Decimal | None
) -> None:
    """Add amounts to sums; a basis that one line lacks is None from then on."""
    sums[0] += unblended  # type: ignore[operator]
    if sums[1] is not None:
        sums[1] = None if amortized is None else sums[1] + amortized
    if sums[2] is not None:
        sums[2] = None if net is None else sums[2] + net
