"""Files as tables: a header, and rows of cells."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlguard_exporter.files.tags import Cell


class DamagedError(ValueError):
    """A file is not what its name says."""


BROKEN = (DamagedError, csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error)
"""What a damaged file raises while it is read."""


class Table(Protocol):
    """What a file holds."""

    header: Sequence[str]

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
        """The cells in some columns, of each row in turn."""

    @property
    def place(self) -> str:
        """Where the row stands that was given last."""


@contextmanager
def csv_table(stream: BinaryIO, *, packed: bool) -> Iterator[CsvTable]:
    """A CSV file as a table, read as a stream.

    Args:
        stream: its bytes.
        packed: whether they are gzip's.

    Raises:
        DamagedError: it has no header.
    """
    binary = gzip.GzipFile(fileobj=stream) if packed else stream
    with io.TextIOWrapper(binary, "utf-8-sig", newline="") as text:
        yield CsvTable(text)


class CsvTable:
    """What a CSV file holds.

    Args:
        text: the file.

    Raises:
        DamagedError: it has no header.
    """

    def __init__(self, text: io.TextIOBase) -> None:
        self._reader = csv.reader(text, strict=True)
        self.header: Sequence[str] = next(self._reader, [])
        if not self.header:
            raise DamagedError("it is empty; expected a line with the names of the columns")

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
        """The cells in some columns, two or more."""
        pick = itemgetter(*(self.header.index(name) for name in columns))
        width = len(self.header)
        for row in self._reader:
            if len(row) != width:
                raise ValueError(f"found {len(row)} cells; expected {width}, as in the first line")
            yield pick(row)

    @property
    def place(self) -> str:
        """The line's number; cells may hold further lines."""
        return f"line {self._reader.line_num}"


def reason(error: Exception) -> str:
    """What a damaged file's error means."""
    if isinstance(error, EOFError):
        return "it ends too early"
    return str(error) if isinstance(error, DamagedError) else f"it is damaged: {error}"
