"""Data capture files of SageMaker endpoints to events."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from mlguard_sidecar.histogram.values import as_number
from mlguard_sidecar.sending.json_lines import split_lines
from mlguard_sidecar.sending.lines import Block, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlguard_sidecar.sending.places import StoredFile

BAD_CAPTURE = "bad_capture"
_ROWS = ("instances", "inputs", "data", "predictions", "outputs", "results", "scores")
"""Keys of JSON objects whose value has the rows."""

_FEATURES = ("features", "values", "data")
_PREDICTIONS = ("y_pred", "predicted_label", "prediction", "label", "class")
_SCORES = ("y_proba", "score", "probability", "probabilities")


class CaptureError(ValueError):
    """A record cannot be read; the text says why."""


@dataclass
class CaptureReader:
    """Reads records of data capture.

    Attributes:
        identity: project_id, model_id and endpoint of all events.
        feature_names: names of the columns of rows that have none; f0, f1 and so on beyond them.
        output: y_pred or y_proba, for outputs that are numbers; None to decide by the first one.
    """

    identity: Mapping[str, str]
    feature_names: Sequence[str] = ()
    output: str | None = None
    _names: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def blocks(self, file: StoredFile) -> Iterator[Block]:
        """Yield the records of a file as events."""
        number = 0
        for block in split_lines(file.chunks(), file.size):
            lines: list[bytes] = []
            refused = list(block.refused)
            for raw in block.lines:
                number += 1
                try:
                    lines += [msgspec.json.encode(event) for event in self.events(raw)]
                except CaptureError as error:
                    text = f"{file.name}:{number}: {error}"
                    refused.append(Refusal(BAD_CAPTURE, text))
            yield Block(lines, block.progress, tuple(refused))

    def events(self, raw: bytes) -> list[dict[str, Any]]:
        """Return the events of a record, one for each row.

        Raises:
            CaptureError: it is no record, or its rows cannot be read.
        """
        record = _object(raw)
        capture = record.get("captureData")
        if not isinstance(capture, dict):
            raise CaptureError("no captureData; expected a record of SageMaker's data capture")
        metadata = record.get("eventMetadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        inputs = _rows(capture.get("endpointInput"), "endpointInput")
        outputs = _rows(capture.get("endpointOutput"), "endpointOutput")
        if outputs is not None and inputs is not None and len(outputs) != len(inputs):
            if (
                len(outputs) == 1
                and isinstance(outputs[0], list)
                and len(outputs[0]) == len(inputs)
            ):
                outputs = [[each] for each in outputs[0]]  # one line for all rows
            else:
                text = f"{len(inputs)} rows in, {len(outputs)} out; expected as many"
                raise CaptureError(text)
        n = len(inputs if inputs is not None else outputs or ())
        shared: dict[str, Any] = dict(self.identity)
        if metadata.get("inferenceTime") is not None:
            shared["timestamp"] = metadata["inferenceTime"]
        name = metadata.get("eventId")
        events = []
        for i in range(n):
            event = dict(shared)
            if name is not None:
                event["id"] = name if n == 1 else f"{name}-{i}"
            if outputs is not None:
                event |= self._prediction(outputs[i])
            if inputs is not None:
                event["features"] = self._features(inputs[i])
            events.append(event)
        return events

    def _features(self, row: object) -> dict[str, Any]:
        if isinstance(row, dict):
            inner = next((row[k] for k in _FEATURES if isinstance(row.get(k), dict | list)), row)
            if isinstance(inner, dict):
                return {str(name): _cell(value) for name, value in inner.items()}
            row = inner
        cells = row if isinstance(row, list) else [row]
        names = self._names.get(len(cells))
        if names is None:
            given = tuple(self.feature_names[: len(cells)])
            names = given + tuple(f"f{i}" for i in range(len(given), len(cells)))
            self._names[len(cells)] = names
        return {name: _cell(value) for name, value in zip(names, cells, strict=True)}

    def _prediction(self, row: object) -> dict[str, Any]:
        if isinstance(row, dict):
            found: dict[str, Any] = {}
            for key, known in (("y_pred", _PREDICTIONS), ("y_proba", _SCORES)):
                value = next((row[name] for name in known if row.get(name) is not None), None)
                if isinstance(value, list):
                    value = value[0] if len(value) == 1 else _classes(value)
                if value is not None:
                    found[key] = value
            if not found:
                known_keys = ", ".join((*_PREDICTIONS, *_SCORES))
                raise CaptureError(f"an output with none of the keys {known_keys}")
            return found
        cells = row if isinstance(row, list) else [row]
        if len(cells) != 1:
            return {"y_proba": _classes(cells)}
        value = _cell(cells[0])
        number = as_number(value)
        if number is None or not math.isfinite(number):
            return {"y_pred": value}
        if self.output is None:
            self.output = "y_proba" if 0 < number < 1 else "y_pred"
        return {self.output: number if self.output == "y_proba" else value}


def _classes(cells: Sequence[object]) -> dict[str, float]:
    """Return several outputs of a row as the probabilities of classes 0, 1 and so on."""
    numbers = [as_number(cell) for cell in cells]
    scores = [n for n in numbers if n is not None and 0 <= n <= 1]
    if len(scores) != len(cells):
        text = f"{len(cells)} outputs of a row, expected one, or probabilities"
        raise CaptureError(text)
    return {str(i): score for i, score in enumerate(scores)}


def _rows(part: object, name: str) -> list[Any] | None:
    """Return the rows of an input or output; None if it was not captured."""
    if part is None:
        return None
    data = part.get("data") if isinstance(part, dict) else None
    if not isinstance(part, dict) or data is None:
        raise CaptureError(f"{name}: no data")
    encoding = str(part.get("encoding", "")).upper()
    if encoding == "BASE64":
        kind = str(part.get("observedContentType", ""))
        data, encoding = _decoded(data, name), "JSON" if "json" in kind.lower() else "CSV"
    if not isinstance(data, str):
        return _rows_of_json(data)
    if encoding == "CSV":
        return _rows_of_csv(data, name)
    if encoding == "JSON":
        return _rows_of_text(data, name)
    raise CaptureError(f"{name}: found the encoding {encoding!r:.40}, expected CSV, JSON or BASE64")


def _rows_of_csv(data: str, name: str) -> list[Any]:
    try:
        return [row for row in csv.reader(io.StringIO(data, newline="")) if row]
    except csv.Error as error:
        raise CaptureError(f"{name}: {error}") from error


def _decoded(data: object, name: str) -> str:
    try:
        text = base64.b64decode(str(data), validate=True).decode()
    except (binascii.Error, ValueError):
        raise CaptureError(f"{name}: BASE64 of something else than text") from None
    return text


def _rows_of_text(data: str, name: str) -> list[Any]:
    try:
        return _rows_of_json(json.loads(data))
    except (ValueError, RecursionError) as error:
        if isinstance(error, CaptureError):
            raise
    try:  # a document a line
        return [json.loads(line) for line in data.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise CaptureError(f"{name}: no JSON: {error}") from error


def _rows_of_json(tree: object) -> list[Any]:
    if isinstance(tree, dict):
        inner = next((tree[key] for key in _ROWS if isinstance(tree.get(key), list)), None)
        return [tree] if inner is None else _rows_of_json(inner)
    if isinstance(tree, list):
        are_rows = any(isinstance(each, dict | list) for each in tree)
        # a list of scalars: one row of inputs, or one output for each row
        return tree if are_rows else [tree]
    return [[tree]]


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CaptureError(f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise CaptureError("no JSON object")
    return found


def _cell(value: object) -> object:
    """Return a value of a cell; an empty text is missing, blanks around it do not count."""
    text = value.strip() if isinstance(value, str) else value
    return None if text == "" else text
