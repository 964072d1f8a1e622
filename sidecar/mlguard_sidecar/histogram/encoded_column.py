"""Columns that are encoded by their distinct values, which makes counting fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from numpy.typing import NDArray

    Values = Sequence[object] | NDArray[np.float64]
    """Raw values of a column; an array holds numbers, NaN or infinite if missing."""

_TEXTS = {str, type(None)}
_MIN_ENCODED = 32


@dataclass(frozen=True)
class EncodedColumn(Sequence[object]):
    """Column of few distinct values: each value once, and its index for each row.

    Attributes:
        different: the distinct values.
        codes: for each row, the index of its value.
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

    def counted(self) -> Iterator[tuple[object, int]]:
        """Yield each value that occurs, and how often; some rows may have been left out."""
        counts = np.bincount(self.codes, minlength=len(self.different)).tolist()
        return ((value, n) for value, n in zip(self.different, counts, strict=True) if n)


def encoded(values: Sequence[object], *, numbers: bool = False) -> Sequence[object]:
    """Return a column encoded if it has few distinct strings, else unchanged.

    Directly after decoding, while the strings are in the processor's cache, this halves the cost of
    counting them. Each row has a string of its own, which is then freed.

    Args:
        values: values of the column.
        numbers: whether to encode a column of integers too.
    """
    if len(values) < _MIN_ENCODED:
        return values
    first = type(values[0])
    if first is not str and not (numbers and first is int):
        return values
    code_of = _Codes()
    codes = np.fromiter(map(code_of.__getitem__, values), dtype=np.intp, count=len(values))
    if len(code_of) > len(values) // 4:
        return values
    # 1, 1.0 and True are equal, so that among numbers every value has to be checked
    kinds = set(map(type, code_of if first is str else values))
    return EncodedColumn(list(code_of), codes) if kinds <= {first, type(None)} else values


class _Codes(dict[object, int]):
    """Mapping that numbers values in the order of their first lookup."""

    def __missing__(self, value: object) -> int:
        code = self[value] = len(self)
        return code


def taken(values: Sequence[object], index: NDArray[np.intp]) -> Sequence[object]:
    """Return the values of a column at some indices."""
    if isinstance(values, EncodedColumn):
        return EncodedColumn(values.different, values.codes[index])
    return [values[i] for i in index.tolist()]


def joined(parts: Sequence[Sequence[object]]) -> Sequence[object]:
    """Return the concatenation of columns, encoded if all of them are."""
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
    """Return the result of a function for each value; it is called once per distinct value."""
    if isinstance(values, EncodedColumn):
        return np.array([number_of(value) for value in values.different])[values.codes]
    if isinstance(values, np.ndarray):
        floats, codes = np.unique(values, return_inverse=True)
        return np.array([number_of(v) for v in floats.tolist()], dtype=np.intp)[codes]
    different = distinct(values)
    if isinstance(different, set):
        numbers = {value: number_of(value) for value in different}
        return np.fromiter(map(numbers.__getitem__, values), dtype=np.intp, count=len(values))
    return np.array([number_of(value) for value in values], dtype=np.intp)


def distinct(values: Values) -> Collection[object]:
    """Return the distinct values; all values if equal ones of different types may occur."""
    if isinstance(values, EncodedColumn):
        return [value for value, _ in values.counted()]
    different = set(values)
    if set(map(type, different)) <= _TEXTS:
        return different
    kinds = set(map(type, values)) - {type(None)}
    return different if len(kinds) <= 1 else list(values)
