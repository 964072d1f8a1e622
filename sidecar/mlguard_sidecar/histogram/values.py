"""Raw values, column by column: their numbers, and the texts under which they are known."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from numpy.typing import NDArray

    Values = Sequence[object] | NDArray[np.float64]

OTHER = "__other__"
"""The name under which categories, classes and models beyond a limit are pooled."""

MAX_CATEGORY_LENGTH = 128
"""Characters of a category that count; longer texts are one category where these agree."""

_NUMBERS = {int, float, bool}
_TEXTS = {str, type(None)}


@dataclass(frozen=True)
class EncodedColumn(Sequence[object]):
    """A column of few different values: each of these once, and for each row which it is.

    Attributes:
        different: the values that there are.
        codes: for each row the index of its value.
    """

    different: list[object]
    codes: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> object: ...
    @overload
    def __getitem__(self, index: slice) -> EncodedColumn: ...
    def __getitem__(self, index: int | slice) -> object:
        if isinstance(index, slice):
            return EncodedColumn(self.different, self.codes[index])
        return self.different[self.codes[index]]

    def __iter__(self) -> Iterator[object]:
        return map(self.different.__getitem__, self.codes.tolist())


def encoded(values: Sequence[object], *, numbers: bool = False) -> Sequence[object]:
    """Return a column encoded, where it holds few different texts; else as it is.

    Args:
        values: of the column.
        numbers: whether a column of whole numbers alone is encoded too.

    Done at once after decoding, while the texts are in the processor's cache, this halves what
    counting them costs: each row has a text of its own, which is then freed.
    """
    first = type(values[0]) if values else None
    if first is not str and not (numbers and first is int):
        return values
    code_of = _Codes()
    codes = np.fromiter(map(code_of.__getitem__, values), dtype=np.intp, count=len(values))
    if len(code_of) > len(values) // 4:
        return values
    # 1, 1.0 and True are equal, so that among numbers each value tells its type
    kinds = set(map(type, code_of if first is str else values))
    return EncodedColumn(list(code_of), codes) if kinds <= {first, type(None)} else values


class _Codes(dict[object, int]):
    """Numbers values in the order in which they are asked for."""

    def __missing__(self, value: object) -> int:
        code = self[value] = len(self)
        return code


def taken(values: Sequence[object], index: NDArray[np.intp]) -> Sequence[object]:
    """Return some of the values of a column, by number."""
    if isinstance(values, EncodedColumn):
        return EncodedColumn(values.different, values.codes[index])
    return [values[i] for i in index.tolist()]


def joined(parts: Sequence[Sequence[object]]) -> Sequence[object]:
    """Return columns one after the other, encoded where all of them are."""
    if not all(isinstance(part, EncodedColumn) for part in parts):
        return list(chain.from_iterable(parts))
    code_of: dict[object, int] = {}
    codes = []
    for part in parts:
        assert isinstance(part, EncodedColumn)  # noqa: S101 - all are
        table = [code_of.setdefault(value, len(code_of)) for value in part.different]
        codes.append(np.array(table, dtype=np.intp)[part.codes])
    return EncodedColumn(list(code_of), np.concatenate(codes))


def mapped(values: Values, number_of: Callable[[object], int]) -> NDArray[np.intp]:
    """Return the number of each value, asked for once for each that differs."""
    if isinstance(values, EncodedColumn):
        return np.array([number_of(value) for value in values.different])[values.codes]
    different = distinct(values)
    if isinstance(different, set):
        numbers = {value: number_of(value) for value in different}
        return np.fromiter(map(numbers.__getitem__, values), dtype=np.intp, count=len(values))
    return np.array([number_of(value) for value in values], dtype=np.intp)


def distinct(values: Values) -> Collection[object]:
    """Return a set of the values; all of them where 1, 1.0 and True, which are equal, may mix."""
    if isinstance(values, EncodedColumn):  # of which some rows may have been left out
        used = np.bincount(values.codes, minlength=len(values.different)).tolist()
        return [value for value, n in zip(values.different, used, strict=True) if n]
    different = set(values)
    if set(map(type, different)) <= _TEXTS:
        return different
    kinds = set(map(type, values)) - {type(None)}
    return different if len(kinds) <= 1 else list(values)


def category(value: object) -> str:
    """Return the text of a class or category: `true`, `3` for 3 and 3.0, a text itself."""
    if isinstance(value, str):
        return value[:MAX_CATEGORY_LENGTH]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))[:MAX_CATEGORY_LENGTH]
    return str(value)[:MAX_CATEGORY_LENGTH]


def finite_numbers(values: Values) -> NDArray[np.float64]:
    """Return the numbers among some values."""
    numbers, _ = as_numbers(values)
    return numbers[np.isfinite(numbers)]


def as_numbers(values: Values) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the numbers, not finite where there is none, and where something else stands."""
    if isinstance(values, np.ndarray):  # scores are kept as an array
        return values, np.zeros(0, dtype=np.bool_)
    if isinstance(values, EncodedColumn):
        numbers, wrong = as_numbers(values.different)
        return numbers[values.codes], wrong[values.codes] if len(wrong) else wrong
    try:  # the quick way for what is numbers throughout: it takes nothing else
        numbers = np.frombuffer(array("d", values))  # type: ignore[type-var]
        return numbers, np.zeros(0, dtype=np.bool_)
    except (TypeError, OverflowError):
        kinds = (*_NUMBERS, type(None))
        wrong = np.array([type(v) not in kinds for v in values])
        return np.array([_as_float(v) for v in values]), wrong


def _as_float(value: object) -> float:
    """Return a number as a float, infinite where it is too large for one; NaN for all else."""
    try:
        return float(value) if type(value) in _NUMBERS else math.nan  # type: ignore[arg-type]
    except OverflowError:
        return math.inf
