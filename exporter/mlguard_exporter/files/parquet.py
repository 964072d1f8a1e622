"""Parquet files as tables, by pyarrow, which is not installed everywhere."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from mlguard_exporter.files.table import DamagedError
from mlguard_exporter.spend import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlguard_exporter.files.tags import Cell

_BATCH = 1 << 14


@contextmanager
def parquet_table(stream: BinaryIO) -> Iterator[ParquetTable]:
    """A Parquet file as a table.

    It is read from its end; what comes as a stream is put into a temporary file without a name.

    Raises:
        SourceError: pyarrow is not installed.
        DamagedError: it is no Parquet file.
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
    """What a Parquet file holds.

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
        """The cells in some columns."""
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
        """Cells as a CSV file would hold them, but maps as pairs."""
        types = self._pa.types
        if types.is_dictionary(column.type):
            column = column.dictionary_decode()
        kind = column.type
        if types.is_map(kind):
            return [tuple(value) if value else () for value in column.to_pylist()]
        if types.is_timestamp(kind):
            column = column.cast(self._pa.date32())
        if types.is_floating(kind):
            return ["" if value is None else repr(value) for value in column.to_pylist()]
        return ["" if value is None else str(value) for value in column.to_pylist()]
