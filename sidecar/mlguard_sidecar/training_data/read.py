"""Opening of data files, by the end of their names."""

from __future__ import annotations

import csv
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlguard_sidecar.training_data.chunk import DataFileError, Roles
from mlguard_sidecar.training_data.json_lines import read_json_lines
from mlguard_sidecar.training_data.separated import read_separated
from mlguard_sidecar.training_data.text import check_header, decoding_error, encoding_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from mlguard_sidecar.training_data.chunk import Chunk

_SEPARATED = {".csv": ",", ".tsv": "\t"}
JSON_LINES = {".ndjson", ".jsonl"}
PARQUET = {".parquet"}


@dataclass(frozen=True)
class ReadOptions:
    """How to read a data file.

    Attributes:
        separator: separates the values of a row; None for that of the file's type.
        encoding: encoding of a text file; None to find out.
        roles: which columns are predictions.
    """

    separator: str | None = None
    encoding: str | None = None
    roles: Roles = field(default_factory=Roles)


@dataclass(frozen=True)
class DataFile:
    """A data file that can be read several times.

    Attributes:
        chunks: returns an iterator of its chunks, from the beginning; it raises DataFileError.
        not_watched: columns whose type cannot be watched -> why.
    """

    chunks: Callable[[], Iterator[Chunk]]
    not_watched: Mapping[str, str] = field(default_factory=dict)


def open_data_file(path: Path, options: ReadOptions) -> DataFile:
    """Open a CSV, TSV, NDJSON or Parquet file.

    Raises:
        DataFileError: it cannot be read; the text is one line.
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise DataFileError(f"{path}: not a regular file")
    suffix = path.suffix.lower()
    if suffix in _SEPARATED:
        return _open_separated(path, options)
    if suffix in JSON_LINES:
        encoding = encoding_of(path, options.encoding)
        return DataFile(lambda: read_json_lines(path, encoding, options.roles))
    if suffix in PARQUET:
        return _open_parquet(path)
    raise _unknown_type(path)


def _unknown_type(path: Path) -> DataFileError:
    known = ", ".join(sorted(_SEPARATED | dict.fromkeys(JSON_LINES | PARQUET)))
    return DataFileError(f"{path}: expected a name that ends in {known}")


def separated_format(path: Path, options: ReadOptions) -> tuple[str, str]:
    """Return separator and encoding of a file with separated values.

    Raises:
        DataFileError: it is of no known type, or the separator is none; the text is one line.
    """
    suffix = path.suffix.lower()
    if suffix not in _SEPARATED:
        raise _unknown_type(path)
    separator = options.separator or _SEPARATED[suffix]
    if len(separator) != 1:
        raise DataFileError(f"--sep: found {separator!r}, expected one character")
    return separator, encoding_of(path, options.encoding)


def read_table(
    path: Path, options: ReadOptions, on_unfinished: Callable[[int], object] | None = None
) -> Iterator[Chunk]:
    """Yield the chunks of a file with separated values, whatever its name ends in.

    Args:
        path: the file.
        options: how to read it.
        on_unfinished: see `read_separated`.

    Raises:
        DataFileError: it cannot be read; the text is one line.
        OSError: it cannot be opened.
    """
    separator = options.separator or _SEPARATED.get(path.suffix.lower(), ",")
    if len(separator) != 1:
        raise DataFileError(f"--sep: found {separator!r}, expected one character")
    encoding = encoding_of(path, options.encoding)
    yield from read_separated(path, separator, encoding, on_unfinished)


def _open_separated(path: Path, options: ReadOptions) -> DataFile:
    separator, encoding = separated_format(path, options)
    names = _header(path, separator, encoding)

    def chunks() -> Iterator[Chunk]:
        if encoding not in {"utf-8", "utf-8-sig"} or not separator.isascii():
            yield from read_separated(path, separator, encoding)
            return
        try:
            from mlguard_sidecar.training_data import arrow  # noqa: PLC0415 - rarely installed
        except ImportError:
            yield from read_separated(path, separator, encoding)
            return
        seen = 0
        try:
            for chunk in arrow.read_separated_by_arrow(path, names, separator):
                seen += chunk.rows
                yield chunk
        except arrow.UnreadableByArrowError:
            # the same rows again, for those that pyarrow cannot read, or for the error's line
            yield from _after(read_separated(path, separator, encoding), seen)

    return DataFile(chunks)


def _header(path: Path, separator: str, encoding: str) -> list[str]:
    try:
        with path.open(newline="", encoding=encoding) as file:
            names = next(csv.reader(file, delimiter=separator), [])
    except UnicodeError as error:
        raise decoding_error(path, encoding) from error
    except csv.Error as error:
        raise DataFileError(f"{path}:1: {error}") from error
    check_header(path, names, separator)
    return names


def _after(chunks: Iterator[Chunk], rows: int) -> Iterator[Chunk]:
    """Yield the chunks without their first rows."""
    for chunk in chunks:
        left_out = min(rows, chunk.rows)
        rows -= left_out
        if left_out < chunk.rows:
            yield chunk.without_first(left_out)


def _open_parquet(path: Path) -> DataFile:
    try:
        from mlguard_sidecar.training_data import arrow  # noqa: PLC0415 - rarely installed
    except ImportError:
        raise DataFileError(f"{path}: reading Parquet needs pyarrow: pip install pyarrow") from None
    _, not_watched = arrow.read_parquet(path)
    return DataFile(lambda: arrow.read_parquet(path)[0], not_watched)
