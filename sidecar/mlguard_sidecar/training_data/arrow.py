"""Files with separated values, and Parquet files, with pyarrow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from mlguard_sidecar.histogram.encoded_column import EncodedColumn
from mlguard_sidecar.training_data.chunk import Chunk, DataFileError, missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mlguard_sidecar.histogram.encoded_column import Values

_BLOCK_BYTES = 1 << 20
_BATCH_ROWS = 1 << 16
_SAMPLE_ROWS = 1000
_EXACT = 2.0**53
_PLAIN = r"^[ \t\r\n\v\f]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t\r\n\v\f]*$"
_PADDED = r"^[ \t\r\n\v\f]*[+-]?0[0-9]"


class UnreadableByArrowError(Exception):
    """Pyarrow cannot read a file that the standard library may be able to read."""


def _quotes(path: Path) -> int:
    """Return the number of quotes in a file."""
    with path.open("rb") as file:
        return sum(block.count(b'"') for block in iter(lambda: file.read(_BLOCK_BYTES), b""))


def read_separated_by_arrow(path: Path, names: Sequence[str], separator: str) -> Iterator[Chunk]:
    """Yield the chunks of a file with separated values in UTF-8; its header must be checked before.

    Args:
        path: the file.
        names: names of its columns.
        separator: separates the values of a row.

    Raises:
        UnreadableByArrowError: pyarrow cannot read it, or a quote may not be closed, which only
            the standard library finds.
    """
    size = max(path.stat().st_size, 1)
    try:
        # a file of Arrow's own: with one of Python's, its threads may need an interpreter that ends
        with pa.OSFile(os.fsencode(path)) as file:
            reader = csv.open_csv(
                file,
                read_options=csv.ReadOptions(block_size=_BLOCK_BYTES),
                parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True),
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
            for batch in reader:
                columns = {
                    name: _text_parts(column)
                    for name, column in zip(names, batch.columns, strict=True)
                }
                yield Chunk(len(batch), columns, progress=file.tell() / size)
    except pa.ArrowException as error:
        raise UnreadableByArrowError(str(error)) from error
    if _quotes(path) % 2:
        raise UnreadableByArrowError("an odd number of quotes")


def read_parquet(path: Path) -> tuple[Iterator[Chunk], dict[str, str]]:
    """Return the chunks of a Parquet file, and its columns that cannot be watched, with why.

    Raises:
        DataFileError: it is no Parquet file.
        OSError: it cannot be opened.
    """
    from pyarrow import parquet  # noqa: PLC0415 - much memory, which other files do not need

    try:
        file = parquet.ParquetFile(path, memory_map=True, pre_buffer=False)
    except pa.ArrowException as error:
        raise DataFileError(f"{path}: not a Parquet file: {error}") from error
    schema = file.schema_arrow
    not_watched = {}
    for field in schema:
        why = _why_not(field)
        if why is not None:
            not_watched[field.name] = why
    names = [name for name in schema.names if name not in not_watched]
    for name in names:
        if names.count(name) > 1:
            raise DataFileError(f"{path}: the column {name!r} is there twice, expected it once")
    return _parquet_chunks(path, file, names), not_watched


def _parquet_chunks(path: Path, file: Any, names: list[str]) -> Iterator[Chunk]:
    rows, total = 0, max(file.metadata.num_rows, 1)
    try:
        for batch in file.iter_batches(_BATCH_ROWS, columns=names, use_threads=False):
            rows += len(batch)
            columns = {name: _parts(batch.column(name)) for name in names}
            yield Chunk(len(batch), columns, progress=rows / total)
    except pa.ArrowException as error:
        raise DataFileError(f"{path}: cannot be read: {error}") from error


def _why_not(field: Any) -> str | None:
    """Return why a column of this type cannot be watched; None if it can."""
    kind = field.type
    if field.name.startswith("__index_level_"):
        return "the index of a DataFrame"
    if pa.types.is_temporal(kind):
        return "dates, times or durations"
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    simple = (
        pa.types.is_boolean,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_null,
    )
    return None if any(is_type(kind) for is_type in simple) else "lists, objects or bytes"


def _parts(column: Any) -> list[Values]:
    """Return the values of a column of a Parquet file."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return [_encoded(column)]
    if pa.types.is_null(kind):
        return [missing(len(column))]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _text_parts(pc.cast(column, pa.large_string()))
    if pa.types.is_boolean(kind):
        return [_encoded(column.dictionary_encode())]
    if pa.types.is_integer(kind) and not _is_exact(column):
        return [column.to_pylist()]
    numbers = pc.cast(column, pa.float64(), safe=False)
    return [_as_array(pc.fill_null(numbers, np.nan))]


def _is_exact(column: Any) -> bool:
    ends = pc.min_max(column).as_py()
    return all(end is None or abs(end) <= _EXACT for end in ends.values())


def _text_parts(column: Any) -> list[Values]:
    """Return texts as numbers where they are plain ones, and as texts."""
    if pc.count_distinct(column.slice(0, _SAMPLE_ROWS)).as_py() < _SAMPLE_ROWS // 4:
        return [_encoded(column.dictionary_encode())]
    is_number = pc.and_(
        pc.match_substring_regex(column, _PLAIN),
        pc.invert(pc.match_substring_regex(column, _PADDED)),
    )
    texts = column.filter(pc.invert(is_number))
    numbers = _as_numbers(column.filter(is_number))
    rest = texts.drop_null()
    parts = [numbers, rest.to_pylist(), missing(len(column) - len(numbers) - len(rest))]
    return [part for part in parts if len(part)]


def _as_numbers(texts: Any) -> Values:
    numbers = pc.cast(pc.utf8_trim_whitespace(texts), pa.float64())
    found = _as_array(numbers)
    if np.abs(found).max(initial=0) <= _EXACT:
        return found
    exact: list[object] = texts.to_pylist()
    return exact


def _encoded(column: Any) -> EncodedColumn:
    values = column.dictionary.to_pylist()
    different = [
        float(value) if pa.types.is_decimal(column.dictionary.type) else value for value in values
    ]
    indices = pc.cast(column.indices, pa.int64())  # narrower ones may have no room for one more
    return EncodedColumn([*different, None], _as_array(pc.fill_null(indices, len(different))))


def _as_array(column: Any) -> NDArray[Any]:
    """Return numbers without nulls; the method of pyarrow for it would import pandas."""
    found: NDArray[Any] = np.from_dlpack(column)
    return found
