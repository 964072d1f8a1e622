"""Reading of training data: CSV, NDJSON, and Parquet if pyarrow is installed."""

from __future__ import annotations

import csv
import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_MISSING_TEXTS = {"", "NA", "NaN", "nan", "null", "NULL", "None"}


def read_table(path: Path) -> dict[str, list[Any]]:
    """Return the columns of a data file, by name.

    A column of a CSV file is numeric if each of its values is a number or missing.

    Raises:
        ValueError: the suffix is unknown, the content does not match it, or there are no rows.
        OSError: the file cannot be opened.
    """
    readers = {
        ".csv": _read_csv,
        ".ndjson": _read_ndjson,
        ".jsonl": _read_ndjson,
        ".parquet": _read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: expected a name that ends in {', '.join(sorted(readers))}")
    table = reader(path)
    if not table or not next(iter(table.values())):
        raise ValueError(f"{path}: no rows")
    return table


def _read_csv(path: Path) -> dict[str, list[Any]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        names = next(rows, [])
        table: dict[str, list[Any]] = {name: [] for name in names}
        for row in rows:
            if len(row) != len(names):
                raise ValueError(
                    f"{path}:{rows.line_num}: found {len(row)} values, expected {len(names)}"
                )
            for name, text in zip(names, row, strict=True):
                table[name].append(None if text in _MISSING_TEXTS else text)
    return {name: _as_numbers(values) for name, values in table.items()}


def _as_numbers(texts: list[str | None]) -> list[Any]:
    try:
        return [None if t is None else _number(t) for t in texts]
    except ValueError:
        return list(texts)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _read_ndjson(path: Path) -> dict[str, list[Any]]:
    """Read flat objects, or events with nested features."""
    table: dict[str, list[Any]] = {}
    count = 0
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"{path}:{number}: expected a JSON object")  # noqa: TRY004
            if isinstance(row.get("features"), dict):
                row = row["features"] | {k: row[k] for k in ("y_pred", "y_proba") if k in row}
            for name, value in row.items():
                column = table.setdefault(name, [None] * count)
                column.append(_scalar(value))
            count += 1
            for column in table.values():
                if len(column) < count:
                    column.append(None)
    return table


def _scalar(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict) and value:  # probabilities of classes: the largest is the score
        return max(value.values())
    return value if isinstance(value, int | float | str | bool) else None


def _read_parquet(path: Path) -> dict[str, list[Any]]:
    try:
        from pyarrow import parquet  # noqa: PLC0415 - heavy, and rarely installed
    except ImportError:
        raise ValueError(f"{path}: reading Parquet needs pyarrow: pip install pyarrow") from None
    try:
        table = parquet.read_table(path).to_pydict()
    except ValueError as error:
        raise ValueError(f"{path}: not a Parquet file: {error}") from error
    return {name: [_scalar(v) for v in values] for name, values in table.items()}
