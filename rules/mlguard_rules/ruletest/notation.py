"""The notation of series in promtool's tests (prometheus/promql/parser, series descriptions)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import promql_parser as ast

from mlguard_rules.errors import NotationError
from mlguard_rules.promql import NAME
from mlguard_rules.ruletest.scenario import STALE, InputSeries, Stale

if TYPE_CHECKING:
    from mlguard_rules.promql import Labels

MAX_SAMPLES = 1_000_000
"""Of one series; a mistyped count must not fill the memory."""

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_GAP = re.compile(r"_(?:x(\d+))?")
_WORD = re.compile(r"[-+]?(?:inf|nan)", re.IGNORECASE)
_RUN = re.compile(rf"([-+]?{_NUMBER})(?:([-+]{_NUMBER})?x(\d+))?")


def parse_series(series: str, values: str) -> InputSeries:
    """Parse a series and its values.

    Raises:
        NotationError: it cannot be parsed.
    """
    labels = dict(parse_labels(series))
    metric = labels.pop(NAME, "")
    if not metric:
        raise NotationError(f"a series needs the name of a metric: {series}")
    known = tuple(sorted((name, value) for name, value in labels.items() if value))
    return InputSeries(metric, known, parse_values(values))


def parse_labels(text: str) -> Labels:
    """Parse labels such as `up{job="a"}`; the name of the metric is the label `__name__`.

    Raises:
        NotationError: it cannot be parsed, or is more than labels.
    """
    bare = text.strip()
    # the parser requires a name, or a matcher that is not empty
    nameless = bare.startswith("{") and NAME not in bare
    try:
        tree = ast.parse(f"nameless{bare}" if nameless else bare)
    except ValueError as error:
        raise NotationError(f"{' '.join(str(error).split())}: {text}") from None
    if not isinstance(tree, ast.VectorSelector) or tree.offset is not None or tree.at is not None:
        raise NotationError(f"expected a metric and its labels: {text}")
    pairs = [] if nameless or tree.name is None else [(NAME, tree.name)]
    for matcher in tree.matchers.matchers:
        if matcher.op != ast.MatchOp.Equal:
            raise NotationError(f"a series has labels with =, nothing else: {text}")
        pairs.append((matcher.name, matcher.value))
    if tree.matchers.or_matchers or len(dict(pairs)) != len(pairs):
        raise NotationError(f"a label has one value: {text}")
    return tuple(sorted(pairs))


def parse_values(text: str) -> tuple[float | Stale | None, ...]:
    """Parse values such as `1 _x3 stale 0+10x5`.

    `axn` is a, repeated n times; `a+bxn` is a, increased by b n times; `_` is no sample, and `_xn`
    is n of them.

    Raises:
        NotationError: it cannot be parsed.
    """
    if "\n" in text:
        raise NotationError("values are on one line; promtool ignores further lines")
    values: list[float | Stale | None] = []
    for item in text.split():
        values += _item(item, MAX_SAMPLES - len(values))
    return tuple(values)


def _item(item: str, max_count: int) -> list[float | Stale | None]:
    if item == "stale":
        return [STALE]
    if _WORD.fullmatch(item):
        return [float(item)]
    gap, run = _GAP.fullmatch(item), _RUN.fullmatch(item)
    if gap is None and run is None:
        raise NotationError(f"{item!r} is no value; expected such as 1 1x5 1+2x5 1-2x5 _ _x5 stale")
    times = gap[1] if gap else run[3] if run else None
    if int(times or 0) > max_count:
        raise NotationError(f"{item!r}: more than {MAX_SAMPLES:,} values")
    if gap or run is None:
        return [None] * int(times or 1)
    value, step = float(run[1]), float(run[2] or 0)
    found: list[float | Stale | None] = [value]
    for _ in range(int(times or 0)):  # added one by one, as promtool does
        value += step
        found.append(value)
    return found
