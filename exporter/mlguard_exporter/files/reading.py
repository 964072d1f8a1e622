"""The lines of data files, added up."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Inexact, localcontext
from typing import TYPE_CHECKING, BinaryIO

from mlguard_exporter.files import cur, focus
from mlguard_exporter.files.errors import MonthError
from mlguard_exporter.files.parquet import parquet_table
from mlguard_exporter.files.table import BROKEN, Table, csv_table, reason
from mlguard_exporter.files.tags import owner_of
from mlguard_exporter.files.totals import EXACT, Totals
from mlguard_exporter.spend import Reading, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mlguard_exporter.config import TagsConfig
    from mlguard_exporter.files.line import Layout
    from mlguard_exporter.files.manifest import Month
    from mlguard_exporter.files.store import Found, Store

_AGAIN = "copy it again, or have AWS deliver the month again"


def read_month(
    store: Store, month: Month, files: Iterable[Found], tags: TagsConfig, version: str
) -> Reading:
    """Add up every line of a month.

    Raises:
        MonthError: a file is damaged or cannot be understood.
        SourceError: nothing can be read now.
    """
    totals = Totals(month.first, month.end)
    with localcontext(EXACT):
        for file in files:
            with store.open(file) as stream:
                _read(stream, file.name, store.where(file.name), tags, totals)
    as_of = month.manifest.modified
    return Reading(month.first, month.end, totals.days(), version, as_of)


def _read(stream: BinaryIO, name: str, where: str, tags: TagsConfig, totals: Totals) -> None:
    try:
        with _table(stream, name) as table:
            _add(table, where, tags, totals)
    except MonthError:
        raise
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from error
    except BROKEN as error:
        raise MonthError(f"{where}: {_said(error)}; {_AGAIN}") from error
    except ValueError as error:
        raise MonthError(f"{where}: {error}") from error


def _add(table: Table, where: str, tags: TagsConfig, totals: Totals) -> None:
    layout = _layout(table.header)
    owner = owner_of(tags, layout.tags)
    read, add = layout.read, totals.add
    try:
        for cells in table.rows(layout.columns):
            line = read(cells)
            if line is not None:
                add(line, owner(line.tags) if line.usage else None)
    except (ValueError, ArithmeticError, *BROKEN) as error:
        raise MonthError(f"{where}, {table.place}: {_said(error)}; {_AGAIN}") from error


@contextmanager
def _table(stream: BinaryIO, name: str) -> Iterator[Table]:
    lower = name.lower()
    if lower.endswith(".parquet"):
        with parquet_table(stream) as parquet:
            yield parquet
    elif lower.endswith((".csv", ".csv.gz")):
        with csv_table(stream, packed=lower.endswith(".gz")) as text:
            yield text
    else:
        raise ValueError("expected a name that ends in .csv.gz, .csv or .parquet")


def _layout(header: Sequence[str]) -> Layout:
    if cur.MARK in header:
        return cur.layout(header)
    if focus.MARK in header:
        return focus.layout(header)
    raise ValueError(
        f"its columns are {', '.join(header[:4])[:200]}, ...; expected those of CUR 2.0 or FOCUS, "
        "of AWS Data Exports"
    )


def _said(error: Exception) -> str:
    if isinstance(error, Inexact):
        return "an amount has too many digits"
    said = reason(error) if isinstance(error, BROKEN) else str(error)
    return " ".join(said.split())
