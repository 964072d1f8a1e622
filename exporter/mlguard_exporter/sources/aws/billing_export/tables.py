"""CSV and Parquet files as tables: a header, and rows of cells."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
import tempfile
import zlib
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from mlguard_exporter.sources.aws.billing_export.tags import pairs
from mlguard_exporter.sources.protocol import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlguard_exporter.sources.aws.billing_export.tags import Cell


class DamagedError(ValueError):
    """A file is not of the type that its name says."""


BROKEN = (DamagedError, csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error)
"""What reading a damaged file raises."""


class Table(Protocol):
    """A header, and rows of cells."""

    header: Sequence[str]

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
        """Yield the cells in some columns, row by row."""

    @property
    def place(self) -> str:
        """The place of the row that was yielded last, for error texts."""


@contextmanager
def csv_table(stream: BinaryIO, *, packed: bool) -> Iterator[CsvTable]:
    """Open a CSV file as a table, read as a stream.

    Args:
        stream: its bytes.
        packed: whether they are compressed with gzip.

    Raises:
        DamagedError: it has no header.
    """
    binary = gzip.GzipFile(fileobj=stream) if packed else stream
    with io.TextIOWrapper(binary, "utf-8-sig", newline="") as text:
        yield CsvTable(text)


class CsvTable:
    """The table in a CSV file.

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
        """Yield the cells in some columns, two or more."""
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


def damage(error: Exception) -> str:
    """Return the text for an error of a damaged file."""
    if isinstance(error, EOFError):
        return "it ends too early"
    return str(error) if isinstance(error, DamagedError) else f"it is damaged: {error}"


_BATCH = 1 << 14


@contextmanager
def parquet_table(stream: BinaryIO) -> Iterator[ParquetTable]:
    """Open a Parquet file as a table.

    Parquet is read from its end, so that a stream is first copied to an unnamed temporary file.

    Raises:
        SourceError: pyarrow is not installed.
        DamagedError: it is not a Parquet file.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise SourceError(
            "to read Parquet, install pyarrow (pip install pyarrow), "
            "or have the export delivered as gzip CSV"
        ) from error
    with ExitStack() as closing:
        file = stream
        if not stream.seekable():
            file = cast("BinaryIO", closing.enter_context(tempfile.TemporaryFile()))
            shutil.copyfileobj(stream, file)
            file.seek(0)
        try:
            parquet = closing.enter_context(pq.ParquetFile(file))
        except (pa.ArrowException, OSError) as error:
            raise DamagedError(f"it is damaged: {error}") from error
        yield ParquetTable(pa, parquet)


class ParquetTable:
    """The table in a Parquet file.

    Args:
        arrow: the module pyarrow.
        file: its ParquetFile.
    """

    def __init__(self, arrow: Any, file: Any) -> None:
        self._pa = arrow
        self._file = file
        self._row = 0
        self.header: Sequence[str] = file.schema_arrow.names

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
        """Yield the cells in some columns."""
        try:
            for batch in self._file.iter_batches(_BATCH, columns=list(columns)):
                cells = [self._texts(batch.column(name)) for name in columns]
                for row in zip(*cells, strict=True):
                    self._row += 1
                    yield row
        except (self._pa.ArrowException, OSError) as error:
            raise DamagedError(f"it is damaged: {error}") from error

    @property
    def place(self) -> str:
        """The row's number."""
        return f"row {self._row}"

    def _texts(self, column: Any) -> list[Cell]:
        """Return cells as a CSV file would hold them, but maps as pairs.

        Raises:
            ValueError: a map holds something else than texts, numbers, true or false.
        """
        types = self._pa.types
        if types.is_dictionary(column.type):
            column = column.dictionary_decode()
        kind = column.type
        if types.is_map(kind) or types.is_struct(kind) or types.is_list(kind):
            # a struct has a field for each key, and null in rows without it
            return [pairs(value) if value else () for value in column.to_pylist()]
        if types.is_timestamp(kind):
            column = column.cast(self._pa.date32())
        if types.is_floating(kind):
            return ["" if value is None else repr(value) for value in column.to_pylist()]
        return ["" if value is None else str(value) for value in column.to_pylist()]
