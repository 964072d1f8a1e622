"""Files with separated values, with the standard library."""

from __future__ import annotations

import contextlib
import csv
import io
import sys
from itertools import chain
from typing import TYPE_CHECKING

from mlguard_sidecar.histogram.encoded_column import encoded
from mlguard_sidecar.training_data.chunk import Chunk, DataFileError
from mlguard_sidecar.training_data.text import check_header, decoding_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_ROWS = 20_000
_END = "\x00end of the file\x00"


def read_separated(path: Path, separator: str, encoding: str) -> Iterator[Chunk]:
    """Yield the chunks of a file whose first line holds the names of its columns.

    Raises:
        DataFileError: it cannot be read; the text names the line.
        OSError: it cannot be opened.
    """
    size = max(path.stat().st_size, 1)
    with (
        _large_cells(),
        path.open("rb") as raw,
        io.TextIOWrapper(raw, encoding, newline="") as file,
    ):
        # a line after the last one, which an open quote would swallow
        reader = csv.reader(chain(file, [_END]), delimiter=separator)
        try:
            names = next(reader, [])
            check_header(path, names if names != [_END] else [], separator)
            rows: list[list[str]] = []
            begin = reader.line_num + 1
            for row in reader:
                if row == [_END]:
                    break
                if row and row[-1].endswith(_END):
                    text = "a quote is not closed; close it, or double it"
                    raise DataFileError(f"{path}:{begin}: {text}")
                if row and len(row) != len(names):
                    raise _uneven(path, begin, len(row), len(names))
                if row:
                    rows.append(row)
                begin = reader.line_num + 1
                if len(rows) == CHUNK_ROWS:
                    yield _chunk(names, rows, raw.tell() / size)
                    rows = []
            if rows:
                yield _chunk(names, rows, 1.0)
        except csv.Error as error:
            raise DataFileError(f"{path}:{begin}: {error}") from error
        except UnicodeError as error:
            raise decoding_error(path, encoding) from error


@contextlib.contextmanager
def _large_cells() -> Iterator[None]:
    """Accept cells of any size meanwhile; the limit is that of the whole process."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _chunk(names: list[str], rows: list[list[str]], progress: float) -> Chunk:
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return Chunk(len(rows), {name: [encoded(cells)] for name, cells in columns}, progress=progress)


def _uneven(path: Path, line: int, found: int, expected: int) -> DataFileError:
    hint = "quote a cell that contains the separator" if found > expected else "fill the row"
    return DataFileError(f"{path}:{line}: found {found} values, expected {expected}; {hint}")
