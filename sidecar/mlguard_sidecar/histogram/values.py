"""The reading of raw values: as numbers, as categories, as missing, or as invalid.

Every way in reads values here: the socket, files, and the rows that a baseline is learnt from. So a
value means the same in a baseline and in a window.
"""

from __future__ import annotations

import math
import re
from array import array
from typing import TYPE_CHECKING

import numpy as np

from mlguard_sidecar.histogram.encoded_column import EncodedColumn

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from mlguard_sidecar.histogram.encoded_column import Values

OTHER = "__other__"
"""Name of the category, class or model that pools those beyond a limit."""

MAX_CATEGORY_LENGTH = 128
"""Maximum length of a category, in characters; longer texts are cut off."""

MAX_EXCESS = 1e-4
"""How far a probability may lie beyond 0 or 1, as rounding does; it is then clamped."""

MISSING_WORDS = frozenset(
    {"na", "n/a", "#n/a", "#na", "<na>", "nan", "nat", "null", "none", "nil"}
    | {"-", "--", ".", "?"}
    | {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
)
"""Texts that mean a missing value in a numeric column, in lower case."""

_PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_PADDED = re.compile(r"[+-]?0[0-9]")
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_MAX_INTEGER_DIGITS = 40
_NUMBERS = {int, float, bool}
_SPACE = " \t\r\n\v\f"


class Invalid:
    """Type of INVALID."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID = Invalid()
"""Value that is neither a number, bool, string nor missing, such as a list."""


def is_plain_number(text: str) -> bool:
    """Return whether a text is a decimal number in ASCII, without digit separators or padding.

    Spaces around it do not count. A zero before another digit, as in 007, makes it a code.
    """
    text = text.strip(_SPACE)
    return _PLAIN_NUMBER.fullmatch(text) is not None and not is_padded(text)


def is_padded(text: str) -> bool:
    """Return whether a text is a number with a zero before another digit, such as 01234."""
    text = text.strip(_SPACE)
    return _PADDED.match(text) is not None and _PLAIN_NUMBER.fullmatch(text) is not None


def is_bool(value: object) -> bool:
    """Return whether a value is a bool, or a text that reads as one."""
    return isinstance(value, bool) or (isinstance(value, str) and value in _BOOLS)


def is_missing(value: object, words: Collection[str] = ()) -> bool:
    """Return whether a value is missing in any column: None, not finite, or an empty string.

    Args:
        value: a raw value.
        words: further texts that mean a missing value.
    """
    if isinstance(value, str):
        return not value or value in words
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def category(value: object) -> str:
    """Return the name of a class or category.

    The same name stands for True, `True` and `true`; and for 3, 3.0, `3` and `3.0`. Numbers that
    are not whole are named to the precision of float32, which many models compute in.
    """
    if isinstance(value, str):
        if value in _BOOLS:
            value = _BOOLS[value]
        else:
            number = plain_number(value) if value[:1] <= "9" else None
            if number is None or not math.isfinite(number):
                return value[:MAX_CATEGORY_LENGTH]
            value = number
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value.is_integer():
            value = int(value)
        elif math.isfinite(narrow := _float32(value)):
            return str(narrow)
    return str(value)[:MAX_CATEGORY_LENGTH]


def as_numbers(
    values: Values, words: Collection[str] = ()
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return values as floats, not finite if missing or invalid, and a mask of the invalid ones.

    The mask is empty if there are none.

    Args:
        values: raw values.
        words: texts that mean a missing value, besides MISSING_WORDS.
    """
    if isinstance(values, np.ndarray):
        return values, np.zeros(0, dtype=np.bool_)
    if isinstance(values, EncodedColumn):
        numbers, wrong = as_numbers(values.different, words)
        return numbers[values.codes], wrong[values.codes] if len(wrong) else wrong
    try:  # fast, and succeeds only if all values are numbers
        numbers = np.frombuffer(array("d", values))  # type: ignore[type-var]
        return numbers, np.zeros(0, dtype=np.bool_)
    except (TypeError, OverflowError):
        read = [as_number(value, words) for value in values]
        wrong = np.array([number is None for number in read])
        return np.array(read, dtype=np.float64), wrong


def as_scores(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities clamped to 0 to 1; infinite if they lie more than MAX_EXCESS beyond.

    Args:
        numbers: numbers, NaN if missing; infinite if invalid.
    """
    wrong = (numbers < -MAX_EXCESS) | (numbers > 1 + MAX_EXCESS)
    return np.where(wrong, np.inf, np.clip(numbers, 0.0, 1.0))


def as_number(value: object, words: Collection[str] = ()) -> float | None:
    """Return a value of a numeric column: NaN or infinite if missing, None if invalid.

    True and False are 1 and 0, as bools and as texts.

    Args:
        value: a raw value.
        words: texts that mean a missing value, besides MISSING_WORDS.
    """
    if value is None:
        return math.nan
    if isinstance(value, str):
        return _text_as_number(value, words)
    if type(value) not in _NUMBERS:
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf


def _text_as_number(text: str, words: Collection[str]) -> float | None:
    bare = text.strip(_SPACE)
    if not bare or text in words or bare.lower() in MISSING_WORDS:
        return math.nan
    if bare in _BOOLS:
        return float(_BOOLS[bare])
    return float(bare) if is_plain_number(bare) else None


def plain_number(text: str) -> int | float | None:
    """Return the number that a text is, None if it is no plain one.

    An integer is exact, unless it is very long; a number may be too large to be finite.
    """
    if not is_plain_number(text):
        return None
    bare = text.strip(_SPACE)
    if len(bare) <= _MAX_INTEGER_DIGITS and bare.lstrip("+-").isdigit():
        return int(bare)
    return float(bare)


def _float32(value: float) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(value)
