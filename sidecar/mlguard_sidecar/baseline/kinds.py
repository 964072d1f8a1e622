"""The decision of what kind a column is, from all values that its baseline is built from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram import CLASS_LIMIT, Kind
from mlguard_sidecar.histogram.values import INVALID, as_number, is_bool, is_padded

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlguard_sidecar.baseline.sample import ColumnSample

NUMERIC_SHARE = 0.95
"""Share of the non-missing values that must be numbers for a column to be numeric."""

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?: ?(?:Z|[A-Z]{3,4}|[+-]\d\d:?\d\d))?"
    r"|\d{1,2}[/.]\d{1,2}[/.]\d{4}(?: \d\d:\d\d(?::\d\d)?)?"
    r"|\d{4}/\d{1,2}/\d{1,2}(?: \d\d:\d\d(?::\d\d)?)?"
    r"|\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?"
    r"|-?\d+ days?(?:,? [+-]?\d{1,2}:\d\d:\d\d(?:\.\d+)?)?"
    r"|-?P(?=\d|T\d)(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?"
)
_LIST = re.compile(r"[\[{(].*[\]})]|b'.*'|b\".*\"|array\(.*\)", re.DOTALL)


@dataclass(frozen=True)
class Decision:
    """Kind of a column, and why.

    Attributes:
        kind: numeric or categorical; None if the column cannot be watched.
        why: the reason, in a few words.
    """

    kind: Kind | None
    why: str


@dataclass(frozen=True)
class _Shares:
    """Numbers of values of each type, without the missing ones."""

    numbers: int
    texts: int
    times: int
    lists: int
    bools: int
    padded: int

    @property
    def values(self) -> int:
        return self.numbers + self.texts


def decide_feature(
    sample: ColumnSample, forced: Kind | None = None, words: Collection[str] = ()
) -> Decision:
    """Decide the kind of a feature.

    It is numeric if at least 95 % of its non-missing values are plain numbers, and none is a
    number with a zero before another digit.

    Args:
        sample: all values.
        forced: configured kind.
        words: further texts that mean a missing value.
    """
    shares = _shares(sample, words)
    enough = NUMERIC_SHARE * shares.values
    cases = (
        (sample.dropped > 0, None, "identifiers: too many distinct texts"),
        (forced is not None, forced, "configured"),
        (not shares.values, None, "no values"),
        (shares.padded > 0, Kind.CATEGORICAL, "zeros before digits, as in codes"),
        (shares.numbers >= enough, Kind.NUMERIC, "numbers"),
        (shares.lists >= enough, None, "lists, objects or bytes"),
        (shares.times >= enough, None, "dates, times or durations"),
        (shares.bools == shares.values, Kind.CATEGORICAL, "true and false"),
        (shares.numbers > 0, Kind.CATEGORICAL, "texts and numbers"),
    )
    found = (Decision(kind, why) for applies, kind, why in cases if applies)
    return next(found, Decision(Kind.CATEGORICAL, "texts"))


def decide_prediction(
    sample: ColumnSample, forced: Kind | None = None, words: Collection[str] = ()
) -> Decision:
    """Decide the kind of `y_pred`: categorical for classes, numeric for values of a regression.

    Whole numbers of at most 20 different values are classes, whether written 1 or 1.0.
    """
    if forced is not None:
        return Decision(forced, "configured")
    shares = _shares(sample, words)
    if not shares.values:
        return Decision(None, "no values")
    if shares.padded or shares.numbers < NUMERIC_SHARE * shares.values:
        return Decision(Kind.CATEGORICAL, "classes")
    different = np.unique(sample.numbers())
    if len(different) <= CLASS_LIMIT and (different == np.floor(different)).all():
        return Decision(Kind.CATEGORICAL, f"classes: {len(different)} whole numbers")
    return Decision(Kind.NUMERIC, "numbers")


def _shares(sample: ColumnSample, words: Collection[str]) -> _Shares:
    texts = times = lists = bools = padded = 0
    for value, n in sample.others():
        number = as_number(value, words)
        if number is not None and not np.isfinite(number):
            continue
        texts += n
        if value is INVALID:
            lists += n
        elif is_bool(value):
            bools += n
        elif isinstance(value, str):
            padded += n if is_padded(value) else 0
            times += n if _TIME.fullmatch(value.strip()) else 0
            lists += n if _LIST.fullmatch(value.strip()) else 0
    return _Shares(len(sample.numbers()), texts, times, lists, bools, padded)
