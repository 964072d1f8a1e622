"""The validating reader of baseline files that come from outside.

`load` reads what this process or an earlier version has stored. This reader is stricter, and says
in one line where a file is damaged, what was found and what was expected. `schema.json` has the
same rules as far as JSON Schema can express them. This reader alone checks that

- `counts` has one count for each bin;
- `edges` and `psi_edges` are ascending, and the latter are some of the former;
- `min` <= `mean` <= `max`;
- the sums of `quality` are those of one set of outcomes;
- `created` is a time that exists;
- each number fits into a float64, and whole numbers are written without a point.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mlguard.protocol import MAX_FEATURES
from mlguard_sidecar.baseline.file import check_column, load
from mlguard_sidecar.baseline.quality import check_moments, quality_damages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlguard_sidecar.baseline.baseline import Baseline

SCHEMA_PATH = Path(__file__).with_name("schema.json")
"""JSON Schema of baseline files."""

MAX_FILE_BYTES = 8 << 20
"""Maximum size of a baseline file, in bytes."""

MAX_BINS = 256
"""Maximum number of edges, or of categories, of a column."""

_PREDICTIONS = ("y_pred", "y_proba")
_OF_KIND = {"numeric": ("categories",), "categorical": ("edges", "psi_edges")}
_MAX_SAMPLES = 2**53
_MAX_SHOWN = 60
_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>\$.*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (?P<problem>.*) field `(?P<name>.*)`", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


def read_file(data: bytes) -> Baseline:
    """Read a baseline file from outside.

    Raises:
        ValueError: it is damaged; the text is one line.
    """
    try:
        baseline = load(data)
    except ValueError as error:
        raise ValueError(_one_line(_located(data) or str(error))) from error
    for damage in _damages(msgspec.json.decode(data)):
        raise ValueError(_one_line(damage))
    return baseline


def _damages(tree: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a file that `load` accepts."""
    if not re.search(r"(?:[Zz]|[+-]\d\d:?\d\d)$", tree["created"]):
        yield f"created: found {_shown(tree['created'])}, expected a time with its offset from UTC"
    if not 0 <= tree["samples"] <= _MAX_SAMPLES:
        yield f"samples: found {tree['samples']}, expected 0 to 2^53"
    if len(tree["features"]) > MAX_FEATURES:
        yield f"features: found {len(tree['features'])}, expected at most {MAX_FEATURES}"
    for name in tree["predictions"]:
        if name not in _PREDICTIONS:
            yield f"predictions.{name}: found a column, expected y_pred and y_proba alone"
    for group in ("features", "predictions"):
        for name, column in tree[group].items():
            for damage in _column_damages(column):
                yield f"{group}.{name}{damage}"
    yield from quality_damages(tree.get("quality"))


def _column_damages(column: dict[str, Any]) -> Iterator[str]:
    for label in _OF_KIND[column["kind"]]:
        if column.get(label):
            yield f".{label}: found some, expected none in a {column['kind']} column"
    for label in ("edges", "categories"):
        found = len(column.get(label, ()))
        if found > MAX_BINS:
            yield f".{label}: found {found}, expected at most {MAX_BINS}"
    if column["kind"] == "numeric":
        low, mean, high = column["min"], column["mean"], column["max"]
        if column["m2"] < 0:
            yield f".m2: found {column['m2']}, expected 0 or more"
        if not low <= mean <= high:
            yield f": found min {low}, mean {mean}, max {high}, expected them in this order"


def _located(data: bytes) -> str | None:
    """Return where a file has another form; None if its form is right."""
    try:
        tree = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return f"not a baseline file: found no JSON, {error}"
    except RecursionError:
        return "not a baseline file: found JSON that is nested too deeply"
    if not isinstance(tree, dict):
        return f"not a baseline file: found {_shown(tree)}, expected an object"
    for where, part, check in _parts(tree):
        try:
            check(part)
        except msgspec.ValidationError as error:
            return _translated(str(error), part, where)
    try:
        load(data)
    except ValueError as error:
        text = str(error)
        prefix = "not a baseline file: "
        if text.startswith(prefix):
            return prefix + _translated(text.removeprefix(prefix), tree, "")
    return None


def _parts(tree: dict[str, Any]) -> Iterator[tuple[str, Any, Callable[[object], None]]]:
    """Yield the parts whose place msgspec would not name: the place, the part and its check."""
    quality = tree.get("quality")
    moments = quality.get("moments") if isinstance(quality, dict) else None
    for place, group, check in (
        ("features", tree.get("features"), check_column),
        ("predictions", tree.get("predictions"), check_column),
        ("quality.moments", moments, check_moments),
    ):
        for name, part in group.items() if isinstance(group, dict) else ():
            yield f"{place}.{name}", part, check


def _translated(message: str, tree: Any, where: str) -> str:
    """Return an error of msgspec as: where, what was found, what was expected."""
    match = _MESSAGE.fullmatch(message)
    what, path = (match["what"], match["path"] or "$") if match else (message, "$")
    found, place = tree, where
    for name, index in _STEP.findall(path):
        place += f".{name}" if name else f"[{index}]"
        found = found[name] if name else found[int(index)]
    if field := _FIELD.fullmatch(what):
        place = f"{place}.{field['name']}".lstrip(".")
        is_missing = "missing" in field["problem"]
        return f"{place}: found none, expected it" if is_missing else f"{place}: unknown field"
    expected = what.removeprefix("Expected ").partition(", got")[0].replace("`", "")
    lowered = expected[:1].lower() + expected[1:]
    return f"{place.lstrip('.')}: found {_shown(found)}, expected {lowered}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
