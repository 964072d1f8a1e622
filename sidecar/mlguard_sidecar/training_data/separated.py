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
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

CHUNK_ROWS = 20_000
_END = "\x00end of the file\x00"


def read_separated(
    path: Path,
    separator: str,
    encoding: str,
    on_unfinished: Callable[[int], object] | None = None,
) -> Iterator[Chunk]:
    """Yield the chunks of a file whose first line holds the names of its columns.

    Args:
        path: the file.
        separator: separates the values of a row.
        encoding: encoding of the file.
        on_unfinished: called with the line of a last row without its line end, which then is left
            out; None to read it as any other.

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
        unfinished: list[str] = []
        lines = file if on_unfinished is None else _finished(file, unfinished)
        # a line after the last one, which an open quote would swallow
        reader = csv.reader(chain(lines, [_END]), delimiter=separator)
        try:
            names = next(reader, [])
            check_header(path, names if names != [_END] else [], separator)
            rows: list[list[str]] = []
            begin = reader.line_num + 1
            for row in reader:
                if row == [_END] or unfinished:
                    break
                if row:
                    _check(path, begin, row, len(names))
                    rows.append(row)
                begin = reader.line_num + 1
                if len(rows) == CHUNK_ROWS:
                    yield _chunk(names, rows, raw.tell() / size)
                    rows = []
            if rows:
                yield _chunk(names, rows, 1.0)
            if unfinished and on_unfinished is not None:
                on_unfinished(begin)
        except csv.Error as error:
            raise DataFileError(f"{path}:{begin}: {error}") from error
        except UnicodeError as error:
            raise decoding_error(path, encoding) from error


def _finished(lines: Iterable[str], unfinished: list[str]) -> Iterator[str]:
    """Yield lines with their ends; put a last one without it into a list."""
    for line in lines:
        if line.endswith(("\n", "\r")):
            yield line
        else:
            unfinished.append(line)


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


def _check(path: Path, line: int, row: list[str], expected: int) -> None:
    if row[-1].endswith(_END):
        raise DataFileError(f"{path}:{line}: a quote is not closed; close it, or double it")
    found = len(row)
    if found != expected:
        hint = "quote a cell that contains the separator" if found > expected else "fill the row"
        raise DataFileError(f"{path}:{line}: found {found} values, expected {expected}; {hint}")
