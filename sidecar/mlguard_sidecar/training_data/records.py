"""Some columns of a data file, with the values of a row at the same place in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from mlguard_sidecar.histogram.values import as_number
from mlguard_sidecar.training_data.chunk import DataFileError
from mlguard_sidecar.training_data.json_lines import read_objects
from mlguard_sidecar.training_data.read import JSON_LINES, PARQUET, separated_format
from mlguard_sidecar.training_data.separated import read_separated
from mlguard_sidecar.training_data.text import encoding_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mlguard_sidecar.training_data.read import ReadOptions

_BATCH_ROWS = 10_000


class Records(NamedTuple):
    """Some rows of a data file.

    Attributes:
        columns: name -> its values; None for a column that no row has.
        rows: number of rows.
        progress: share of the file that is read, 0 to 1.
    """

    columns: Mapping[str, Sequence[Any] | None]
    rows: int
    progress: float


def read_records(path: Path, options: ReadOptions, names: Sequence[str]) -> Iterator[Records]:
    """Yield columns of a CSV, TSV, NDJSON or Parquet file.

    Raises:
        DataFileError: it cannot be read; the text is one line.
        OSError: it cannot be opened.
    """
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        yield from _parquet(path, names)
    elif suffix in JSON_LINES:
        for objects, progress in read_objects(path, encoding_of(path, options.encoding)):
            known = {name for each in objects for name in each}
            columns = {
                name: [each.get(name) for each in objects] if name in known else None
                for name in names
            }
            yield Records(columns, len(objects), progress)
    else:
        separator, encoding = separated_format(path, options)
        for chunk in read_separated(path, separator, encoding):
            parts = chunk.columns
            columns = {name: list(parts[name][0]) if name in parts else None for name in names}
            yield Records(columns, chunk.rows, chunk.progress)


def read_proba(value: object) -> float | dict[str, float] | None:
    """Return a probability, or the JSON object with those of classes; None if it is neither."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return msgspec.json.decode(value, type=dict[str, float])
        except msgspec.MsgspecError:
            return None
    if isinstance(value, dict):
        numbers = {str(name): as_number(p) for name, p in value.items()}
        return {name: p for name, p in numbers.items() if p is not None}
    number = as_number(value)
    return number if number is not None and number == number else None  # noqa: PLR0124 - NaN


def _parquet(path: Path, names: Sequence[str]) -> Iterator[Records]:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415 - rarely installed
    except ImportError:
        raise DataFileError(f"{path}: reading Parquet needs pyarrow: pip install pyarrow") from None
    try:
        file = parquet.ParquetFile(path, memory_map=True, pre_buffer=False)
        known = [name for name in names if name in file.schema_arrow.names]
        rows, total = 0, max(file.metadata.num_rows, 1)
        for batch in file.iter_batches(_BATCH_ROWS, columns=known, use_threads=False):
            rows += len(batch)
            columns = {n: batch.column(n).to_pylist() if n in known else None for n in names}
            yield Records(columns, len(batch), rows / total)
    except ArrowException as error:
        raise DataFileError(f"{path}: not a Parquet file: {error}") from error
