"""Files with a JSON object a line: flat rows, or events and batches of the wire format."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from mlguard_sidecar.histogram.encoded_column import encoded
from mlguard_sidecar.histogram.values import INVALID
from mlguard_sidecar.training_data.chunk import Chunk, DataFileError, Roles
from mlguard_sidecar.training_data.text import decoding_error
from mlguard_sidecar.wire import (
    Line,
    ModelKey,
    Positions,
    RejectedError,
    Rows,
    clean_text,
    decode_line,
    rows_of_batch,
    rows_of_events,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_ROWS = 5_000
_SCALARS = {int, float, bool, str, type(None)}


def read_json_lines(path: Path, encoding: str, roles: Roles) -> Iterator[Chunk]:
    """Yield the chunks of a file with a JSON object a line.

    A line with `features`, `columns`, or both `project_id` and `model_id` is an event or a batch of
    the wire format, and read as the sidecar would. Any other one is a row.

    Args:
        path: the file.
        encoding: its encoding.
        roles: which columns are predictions.

    Raises:
        DataFileError: it cannot be read; the text names the line.
        OSError: it cannot be opened.
    """
    size = max(path.stat().st_size, 1)
    parts = _Parts(path, roles)
    position = 0
    try:
        for number, line in enumerate(_lines(path, encoding), start=1):
            position += len(line)
            if not line.strip():
                continue
            parts.add(number, line)
            if parts.rows >= CHUNK_ROWS:
                yield from parts.chunks(min(position / size, 1.0))
    except UnicodeDecodeError as error:
        raise decoding_error(path, encoding) from error
    yield from parts.chunks(1.0)


def _lines(path: Path, encoding: str) -> Iterator[bytes]:
    """Yield the lines of a file in UTF-8."""
    if encoding == "utf-8":
        with path.open("rb") as file:
            yield from file
        return
    with path.open(encoding=encoding) as texts:
        for text in texts:
            yield text.encode()


@dataclass
class _Parts:
    """Lines that are decoded, but not yet columns."""

    path: Path
    roles: Roles
    flat: list[dict[str, Any]] = field(default_factory=list)
    events: list[tuple[int, Line]] = field(default_factory=list)
    rows: int = 0
    model: ModelKey | None = None

    def add(self, number: int, raw: bytes) -> None:
        self.rows += 1
        row = self._row(number, raw)
        if "features" in row or "columns" in row or ("project_id" in row and "model_id" in row):
            try:
                line = decode_line(raw)
            except RejectedError as error:
                raise DataFileError(f"{self.path}:{number}: {error}") from error
            # what the events are of does not matter, unless it is several models
            line.project_id, line.model_id = line.project_id or "-", line.model_id or "-"
            self.events.append((number, line))
            self.rows += 0 if line.columns is None else CHUNK_ROWS
        else:
            self.flat.append(row)

    def _row(self, number: int, raw: bytes) -> dict[str, Any]:
        try:
            row = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            row = self._odd_row(number, raw)
        if not isinstance(row, dict):
            found = "null" if row is None else type(row).__name__
            raise DataFileError(f"{self.path}:{number}: expected a JSON object, found {found}")
        return row

    def _odd_row(self, number: int, raw: bytes) -> Any:
        """Return a row with what only Python takes for JSON: NaN, or a lone surrogate."""
        try:
            row = json.loads(raw.decode())
        except UnicodeDecodeError as error:
            raise decoding_error(self.path, "utf-8") from error
        except (ValueError, RecursionError) as error:
            raise DataFileError(f"{self.path}:{number}: {error}") from error
        return {clean_text(k): _clean(v) for k, v in row.items()} if isinstance(row, dict) else row

    def chunks(self, progress: float) -> Iterator[Chunk]:
        """Yield the lines as columns, and forget them."""
        flat, events = self.flat, self.events
        self.flat, self.events, self.rows = [], [], 0
        if flat:
            names = dict.fromkeys(name for row in flat for name in row)
            columns = {
                name: [self._column([row.get(name) for row in flat], name)] for name in names
            }
            yield Chunk(len(flat), columns, progress=progress)
        single = [(number, line) for number, line in events if line.columns is None]
        lines = [line for _, line in single]
        found = rows_of_events(lines, Positions(lines), 0.0)
        for error in found.rejected:
            raise DataFileError(f"{self.path}:{single[error.indices[0]][0]}: {error}")
        for rows, _ in found.groups:
            yield self._chunk(rows, progress)
        for number, line in events:
            if line.columns is not None:
                try:
                    rows, _ = rows_of_batch(line, line.columns, 0.0)
                except RejectedError as error:
                    raise DataFileError(f"{self.path}:{number}: {error}") from error
                yield self._chunk(rows, progress)

    def _column(self, values: list[Any], name: str) -> Any:
        if not set(map(type, values)) <= _SCALARS:
            cell = _score if name == self.roles.y_proba else _cell
            values = [cell(value) for value in values]
        return encoded(values)

    def _chunk(self, rows: Rows, progress: float) -> Chunk:
        if self.model not in (None, rows.key):
            names = " and ".join("/".join(key) for key in (self.model, rows.key) if key)
            raise DataFileError(
                f"{self.path}: events of several models, such as {names}; expected those of one"
            )
        self.model = rows.key
        columns = {name: [values] for name, values in (rows.features or {}).items()}
        for name, values in (
            (self.roles.y_pred, rows.y_pred),
            (self.roles.y_proba, rows.raw_scores()),
        ):
            if any(value is not None for value in values):
                columns[name] = [values]
        if rows.features is None:
            return Chunk(0, columns, len(rows), progress)
        return Chunk(len(rows), columns, 0, progress)


def _cell(value: object) -> object:
    return value if type(value) in _SCALARS else INVALID


def _score(value: object) -> object:
    """Return the largest of the probabilities of classes."""
    if isinstance(value, dict):
        numbers = [part for part in value.values() if type(part) in {int, float}]
        return max(numbers) if numbers else INVALID
    return _cell(value)


def _clean(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value
