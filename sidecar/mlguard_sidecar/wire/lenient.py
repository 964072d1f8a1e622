"""Decoding of lines with odd values: each costs itself, not its event or batch."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from mlguard.protocol import DEFAULT_ENDPOINT, MAX_SEQ
from mlguard_sidecar.histogram.values import INVALID, as_number
from mlguard_sidecar.wire.errors import InvalidValues, Reason, RejectedError
from mlguard_sidecar.wire.messages import Batch, Hello, Line, Outcome, Stats

if TYPE_CHECKING:
    from collections.abc import Callable

INVALID_LATENCY = -1.0
"""Latency that stands for a value that is no number; validation counts it."""

INVALID_SCORE = math.inf
"""Probability that stands for a value that is no number; validation counts it."""

_MAX_DIGITS = 400
_IDS = ("project_id", "model_id", "endpoint")


class LenientLine(Line):
    """Line of which some values are INVALID.

    Attributes:
        invalid_values: these values, by reason.
    """

    invalid_values: list[InvalidValues] = msgspec.field(default_factory=list)


def decode_leniently(line: bytes) -> Line:
    """Decode a line that is a JSON object, but does not match the wire format.

    NaN and infinities, which Python writes although JSON lacks them, are read as missing. A value
    that has no meaning is read as INVALID.

    Raises:
        RejectedError: the line is no JSON object, or nothing in it can be counted.
    """
    tree = _tree(line)
    if not isinstance(tree, dict):
        raise RejectedError(Reason.NOT_AN_OBJECT, f"found {_type(tree)}, expected an object")
    is_control = tree.get("hello") is not None or tree.get("stats") is not None
    if is_control and tree.get("project_id") is None:
        return _control(tree)
    return _LineReader().read(tree)


def line_of(tree: dict[str, Any]) -> Line:
    """Return the line of a JSON object, with odd values as INVALID.

    Raises:
        RejectedError: nothing in it can be counted.
    """
    try:
        return msgspec.convert(tree, Line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _LineReader().read(tree)


def _tree(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        first = str(error)
    try:
        # bytes that are not UTF-8 become lone surrogates, which are found again in each value
        return json.loads(line.decode("utf-8", "surrogateescape"), parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise RejectedError(Reason.BAD_JSON, first[:200]) from error


def _control(tree: dict[str, Any]) -> Line:
    try:
        return Line(
            hello=msgspec.convert(tree.get("hello"), Hello | None),
            stats=msgspec.convert(tree.get("stats"), Stats | None),
        )
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RejectedError(Reason.WRONG_TYPE, clean_text(str(error))) from error


class _LineReader:
    """Reads one line, and counts its invalid values."""

    def __init__(self) -> None:
        self._counts: Counter[Reason] = Counter()
        self._messages: dict[Reason, str] = {}

    def read(self, tree: dict[str, Any]) -> Line:
        ids = {name: self._id(tree[name]) for name in _IDS if tree.get(name) is not None}
        columns, outcome = tree.get("columns"), tree.get("outcome")
        line = LenientLine(
            ids.get("project_id"), ids.get("model_id"), ids.get("endpoint", DEFAULT_ENDPOINT)
        )
        if columns is not None:
            line.columns = self._columns(columns)
            line.seq = _seq(tree.get("seq"), line.rows)
        elif outcome is not None:
            line.outcome = self._outcome(outcome)
            line.seq = _seq(tree.get("seq"), line.rows)
        else:
            line.timestamp = _timestamp(tree.get("timestamp"))
            line.latency_ms = _latency(tree.get("latency_ms"))
            line.y_pred = self._value(tree.get("y_pred"), Reason.BAD_PREDICTION, "y_pred")
            line.y_proba = read_score(tree.get("y_proba"))
            line.id = _raw(tree.get("id"))
            features = tree.get("features")
            if features is not None and not isinstance(features, dict):
                self._count(Reason.BAD_FEATURE, "features", features)
            elif features is not None:
                line.features = {
                    clean_text(name): self._value(value, Reason.BAD_FEATURE, name)
                    for name, value in features.items()
                    if self._is_text(name, 1)
                }
        line.invalid_values = [
            InvalidValues(reason, self._messages[reason], n) for reason, n in self._counts.items()
        ]
        return line

    def _columns(self, columns: object) -> Batch:
        if not isinstance(columns, dict):
            raise RejectedError(
                Reason.WRONG_TYPE, f"columns: found {_type(columns)}, expected an object"
            )
        features = columns.get("features")
        lists = [*columns.values(), *(features.values() if isinstance(features, dict) else ())]
        rows = max((len(each) for each in lists if isinstance(each, list)), default=0)

        def cells(name: str) -> list[Any] | None:
            column = columns.get(name)
            return column if column is None or isinstance(column, list) else [{}] * rows

        batch = Batch()
        if (stamps := cells("timestamp")) is not None:
            batch.timestamp = [_timestamp(each) for each in stamps]
        if (latencies := cells("latency_ms")) is not None:
            batch.latency_ms = [_latency(each) for each in latencies]
        if (predictions := cells("y_pred")) is not None:
            batch.y_pred = [self._value(v, Reason.BAD_PREDICTION, "y_pred") for v in predictions]
        if (scores := cells("y_proba")) is not None:
            batch.y_proba = [read_score(each) for each in scores]
        if (names := cells("id")) is not None:
            batch.id = [_raw(each) for each in names]
        if isinstance(features, dict):
            batch.features = {
                clean_text(name): [
                    self._value(each, Reason.BAD_FEATURE, name)
                    for each in (column if isinstance(column, list) else [{}] * rows)
                ]
                for name, column in features.items()
                if self._is_text(name, rows)
            }
        elif features is not None:
            self._count(Reason.BAD_FEATURE, "features", features, max(rows, 1))
        return batch

    def _outcome(self, outcome: object) -> Outcome:
        if not isinstance(outcome, dict):
            text = f"outcome: found {_type(outcome)}, expected an object"
            raise RejectedError(Reason.BAD_OUTCOME, text)

        def read(name: str, cell: Callable[[object], Any]) -> Any:
            value = outcome.get(name)
            return [cell(each) for each in value] if isinstance(value, list) else cell(value)

        scores = read("y_proba", read_score)
        return Outcome(read("id", _raw), read("y_true", _truth), read("y_pred", _truth), scores)

    def _id(self, value: object) -> str:
        """Return a name; an empty one, which is refused later, if it is none."""
        return value if isinstance(value, str) and value == clean_text(value) else ""

    def _is_text(self, name: str, values: int) -> bool:
        """Return whether a feature's name is UTF-8; else its values are counted as invalid."""
        if _is_utf8(name):
            return True
        self._count(Reason.BAD_UTF8, name, name, values)
        return False

    def _value(self, value: object, reason: Reason, name: str) -> Any:
        if isinstance(value, str):
            if not _is_utf8(value):
                self._count(Reason.BAD_UTF8, name, value)
                return INVALID
            return clean_text(value)
        if isinstance(value, dict | list):
            self._count(reason, name, value)
            return INVALID
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def _count(self, reason: Reason, name: str, value: object, n: int = 1) -> None:
        self._counts[reason] += n
        found = "a text that is not UTF-8" if reason is Reason.BAD_UTF8 else _type(value)
        text = f"{clean_text(name)[:128]}: found {found}, expected a number, string, bool or null"
        self._messages.setdefault(reason, text)


def _timestamp(value: object) -> float | str | None:
    """Return a time; NaN, which is refused later, for what is none."""
    if value is None or isinstance(value, str):
        return value
    number = None if isinstance(value, bool) else as_number(value)
    return number if number is not None and math.isfinite(number) else math.nan


def _latency(value: object) -> float | None:
    number = None if isinstance(value, bool) else as_number(value)
    if number is None:
        return INVALID_LATENCY
    return number if math.isfinite(number) else None


def read_score(value: object) -> float | dict[str, float] | None:
    """Return a probability, or those of classes; INVALID_SCORE for what is neither."""
    if isinstance(value, dict):
        found = {clean_text(name): as_number(part) for name, part in value.items()}
        numbers = {name: n for name, n in found.items() if n is not None and math.isfinite(n)}
        return numbers or (INVALID_SCORE if any(n is None for n in found.values()) else None)
    number = as_number(value)
    if number is None:
        return INVALID_SCORE
    return number if math.isfinite(number) else None


def _truth(value: object) -> Any:
    """Return a class or value; it is decided later whether it is valid."""
    value = _raw(value)
    return clean_text(value) if isinstance(value, str) else value


def _raw(value: object) -> Any:
    """Return an ID as it is: with anything replaced it would be that of another prediction."""
    if isinstance(value, dict | list) or (isinstance(value, str) and not _is_utf8(value)):
        return INVALID
    return value


def _seq(value: object, rows: int) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= MAX_SEQ:
        text = f"seq: found {value!r:.40}, expected 1 to {MAX_SEQ}"
        raise RejectedError(Reason.WRONG_TYPE, text, range(max(rows, 1)))
    return value


def _integer(digits: str) -> int | float:
    """Return an integer; a float for more digits than any has, which Python would not read."""
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def _is_utf8(text: str) -> bool:
    """Return whether a text holds no byte that was not UTF-8."""
    return text.isascii() or not any("\udc80" <= c <= "\udcff" for c in text)


def clean_text(text: str) -> str:
    """Replace lone surrogates, which cannot be encoded."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _type(value: object) -> str:
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a bool",
        type(None): "null",
    }
    return names.get(type(value), "a number")
