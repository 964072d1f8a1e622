"""Files with a JSON object a line: flat rows, or events and batches of the wire format."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
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
    read_score,
    rows_of_batch,
    rows_of_events,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_ROWS = 5_000
CHUNK_BYTES = 4 << 20
_IDS = {"project_id", "model_id"}
_CONTROL = {"hello", "stats"}
"""Lines of a recorded connection that are no events."""

_decoder = msgspec.json.Decoder(dict[str, Any])
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
    reader = _Reader(path, roles)
    number = position = 0
    try:
        for block in _blocks(_lines(path, encoding)):
            position += sum(map(len, block))
            yield from reader.chunks(number, block, min(position / size, 1.0))
            number += len(block)
    except UnicodeError as error:
        raise decoding_error(path, encoding) from error


def read_objects(path: Path, encoding: str) -> Iterator[tuple[list[dict[str, Any]], float]]:
    """Yield the objects of a file, in lists, and the share of the file that is read.

    Raises:
        DataFileError: it cannot be read; the text names the line.
        OSError: it cannot be opened.
    """
    size = max(path.stat().st_size, 1)
    reader = _Reader(path, Roles())
    number = position = 0
    try:
        for block in _blocks(_lines(path, encoding)):
            position += sum(map(len, block))
            objects = [row for _, row in reader.rows(number, block)]
            yield objects, min(position / size, 1.0)
            number += len(block)
    except UnicodeError as error:
        raise decoding_error(path, encoding) from error


def _blocks(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yield lists of lines, of at most CHUNK_ROWS lines and about CHUNK_BYTES."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line)
        if len(block) == CHUNK_ROWS or size > CHUNK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


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
class _Reader:
    """Turns lines into columns.

    Attributes:
        path: the file, for errors.
        roles: which columns are predictions.
        model: the model of the events so far.
    """

    path: Path
    roles: Roles
    model: ModelKey | None = None

    def chunks(self, before: int, lines: list[bytes], progress: float) -> Iterator[Chunk]:
        """Yield a block of lines as columns.

        Args:
            before: number of lines before the block.
            lines: the lines.
            progress: share of the file that is read with them.
        """
        flat: list[dict[str, Any]] = []
        events: list[tuple[int, Line]] = []
        for number, row in self.rows(before, lines):
            if row.keys() & _CONTROL and not row.keys() - _CONTROL:
                continue
            if "features" in row or "columns" in row or row.keys() >= _IDS:
                events.append((number, self._event(number, lines[number - before - 1])))
            else:
                flat.append(row)
        if flat:
            names = dict.fromkeys(name for row in flat for name in row)
            columns = {
                name: [self._column([row.get(name) for row in flat], name)] for name in names
            }
            yield Chunk(len(flat), columns, progress=progress)
        if events:
            yield from self._event_chunks(events, progress)

    def rows(self, before: int, lines: list[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the number of each line that is not blank, and its object."""
        try:  # fast, and fails if any line is odd, or blank
            rows = _decoder.decode_lines(b"".join(lines))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            rows = []
        if len(rows) == len(lines):
            yield from enumerate(rows, start=before + 1)
            return
        for number, raw in enumerate(lines, start=before + 1):
            if raw.strip():
                yield number, self._row(number, raw)

    def _row(self, number: int, raw: bytes) -> dict[str, Any]:
        try:
            row = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            row = self._odd_row(number, raw)
        if not isinstance(row, dict):
            found = "null" if row is None else type(row).__name__
            raise DataFileError(f"{self.path}:{number}: expected a JSON object, found {found}")
        return row

    def _event(self, number: int, raw: bytes) -> Line:
        try:
            line = decode_line(raw)
        except RejectedError as error:
            raise DataFileError(f"{self.path}:{number}: {error}") from error
        # what the events are of does not matter, unless it is several models
        line.project_id, line.model_id = line.project_id or "-", line.model_id or "-"
        return line

    def _odd_row(self, number: int, raw: bytes) -> Any:
        """Return a row with what only Python takes for JSON: NaN, or a lone surrogate."""
        try:
            row = json.loads(raw.decode())
        except UnicodeError as error:
            raise decoding_error(self.path, "utf-8") from error
        except (ValueError, RecursionError) as error:
            raise DataFileError(f"{self.path}:{number}: {error}") from error
        return {clean_text(k): _clean(v) for k, v in row.items()} if isinstance(row, dict) else row

    def _event_chunks(self, events: list[tuple[int, Line]], progress: float) -> Iterator[Chunk]:
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
    """Return a probability, the largest of those of classes, as in an event."""
    score = read_score(value)
    score = max(score.values()) if isinstance(score, dict) else score
    return INVALID if score is not None and not math.isfinite(score) else score


def _clean(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value
