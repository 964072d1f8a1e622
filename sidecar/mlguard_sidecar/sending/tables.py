"""Rows of a CSV or TSV file to events, whose values are sent as they are written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from mlguard_sidecar.histogram.values import as_number
from mlguard_sidecar.sending.lines import Block, Refusal, SendError
from mlguard_sidecar.training_data import read_proba, read_table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from mlguard_sidecar.training_data import ReadOptions

_IDENTITY = ("project_id", "model_id", "endpoint")


@dataclass(frozen=True)
class Fields:
    """Which column is which field of an event; all other columns are features.

    Attributes:
        identity: project_id, model_id and endpoint of all rows; those that are not there are in the
            columns of these names.
        columns: field of an event -> name of its column.
        required: fields whose columns were named, and must be there.
        dropped: columns that are not sent.
    """

    identity: dict[str, str]
    columns: dict[str, str]
    required: Collection[str] = ()
    dropped: Collection[str] = ()


def read_rows(
    path: Path, options: ReadOptions, fields: Fields, *, is_whole: bool = False
) -> Iterator[Block]:
    """Yield the rows of a file as events.

    A last row without its line end is left for the next time: a part of a row may look like a row.

    Args:
        path: the file.
        options: how to read it.
        fields: which column is what.
        is_whole: whether nothing can be added to the file, so that its last row is complete.

    Raises:
        SendError: a column is missing.
        DataFileError: it cannot be read; the text is one line.
        OSError: it cannot be opened.
    """
    unfinished: list[int] = []
    for chunk in read_table(path, options, None if is_whole else unfinished.append):
        columns = {name: list(parts[0]) for name, parts in chunk.columns.items()}
        _check(path, columns, fields)
        events = _events(columns, fields)
        yield Block([msgspec.json.encode(event) for event in events], chunk.progress)
    for line in unfinished:
        text = "the last row has no line feed and may be incomplete; end it and send the file again"
        yield Block([], 1.0, (Refusal("incomplete_line", f"{path}:{line}: {text}"),))


def _check(path: Path, names: Collection[str], fields: Fields) -> None:
    for field in _IDENTITY[:2]:
        if field not in fields.identity and field not in names:
            option = field.removesuffix("_id")
            raise SendError(f"{path}: no column {field}; give --{option}")
    for field in fields.required:
        column = fields.columns[field]
        if column not in names:
            known = ", ".join(list(names)[:20])
            raise SendError(f"{path}: no column {column}; found {known}")
    for column in fields.dropped:
        if column not in names:
            raise SendError(f"{path}: --drop: no column {column}")


def _events(columns: dict[str, list[Any]], fields: Fields) -> Iterator[dict[str, Any]]:
    special = {column: field for field, column in fields.columns.items()}
    roles: list[tuple[str, Sequence[Any]]] = []
    features: list[tuple[str, Sequence[Any]]] = []
    for name, values in columns.items():
        if name in fields.dropped:
            continue
        if name in special:
            roles.append((special[name], [_READERS[special[name]](v) for v in values]))
        elif name in _IDENTITY:
            if name not in fields.identity:
                roles.append((name, [value or None for value in values]))
        else:
            features.append((name, [None if v == "" else v for v in values]))
    for i in range(len(next(iter(columns.values()), ()))):
        event: dict[str, Any] = dict(fields.identity)
        event |= {field: values[i] for field, values in roles if values[i] is not None}
        if features:
            event["features"] = {name: values[i] for name, values in features}
        yield event


def _text(value: Any) -> Any:
    return None if value == "" else value


def _number(value: Any) -> Any:
    """Return a number; what is none is left to the sidecar, which says what is wrong."""
    if value == "":
        return None
    number = as_number(value)
    if number is None:
        return value
    return number if math.isfinite(number) else None


def _probability(value: Any) -> Any:
    found = _number(value)
    return found if not isinstance(found, str) else read_proba(found) or found


_READERS = {
    "timestamp": _number,
    "latency_ms": _number,
    "y_pred": _text,
    "y_proba": _probability,
    "id": _text,
}
