"""Tensors of the Open Inference Protocol (V2), and matrices, as columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from mlguard.protocol import MAX_FEATURES
from mlguard_sidecar.ingest.cloudevents.dropped import DroppedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_SPARSITY = 8
_FREE_CELLS = 10_000
_MAX_WIDTH = 4096
"""Values of a row beyond which it is an image or the like, and no row of features."""


class Table(NamedTuple):
    """Values by column.

    Attributes:
        rows: number of rows.
        columns: name -> the value in each row.
    """

    rows: int
    columns: dict[str, list[Any]]


class Tensor(NamedTuple):
    """Tensor with its rows.

    Attributes:
        name: its name.
        rows: its first dimension.
        width: number of values in a row.
        is_flat: whether a row has at most one dimension, and is no image.
        values: all values, row by row.
    """

    name: str
    rows: int
    width: int
    is_flat: bool
    values: list[Any]

    def columns(self) -> list[list[Any]]:
        """Return the column of each place in a row."""
        return [self.values[i :: self.width] for i in range(self.width)]

    def cells(self) -> list[Any]:
        """Return what is in each row: a value, or a list of values."""
        if self.width == 1:
            return self.values
        if not self.is_flat:
            return [[] for _ in range(self.rows)]
        starts = range(0, len(self.values), self.width)
        return [self.values[i : i + self.width] for i in starts]


def read_tensors(found: Sequence[Any]) -> list[Tensor]:
    """Read tensors; all have the same number of rows.

    Raises:
        DroppedError: one cannot be read, or there are more than a row may have features.
    """
    _check_number(len(found), "tensors")
    tensors = [_tensor(each) for each in found]
    rows = {tensor.rows for tensor in tensors}
    if len(rows) > 1:
        text = f"tensors of {' and '.join(map(str, sorted(rows)))} rows, expected one number"
        raise DroppedError("unparsable", text)
    return tensors


def _tensor(found: Any) -> Tensor:
    name, shape, values = found.get("name"), found.get("shape"), found.get("data")
    if not isinstance(name, str) or not isinstance(shape, list) or not isinstance(values, list):
        text = f"tensor {str(name)[:100]!r}: expected name, shape and data"
        raise DroppedError("unparsable", text)
    if not all(type(size) is int and size >= 0 for size in shape):
        text = f"tensor {name[:100]!r}: found shape {str(shape)[:100]}, expected sizes"
        raise DroppedError("unparsable", text)
    for _ in shape[1:]:
        if not values or not isinstance(values[0], list):
            break
        try:
            values = [value for part in values for value in part]
        except TypeError:
            break
    rows, *inner = shape or [1]
    width = math.prod(inner)
    if len(values) != rows * width or (rows and not width):
        text = f"tensor {name[:100]!r}: found {len(values)} values, expected the shape {shape}"
        raise DroppedError("unparsable", text[:300])
    return Tensor(name, rows, width, _is_flat(inner), values)


def _is_flat(inner: Sequence[int]) -> bool:
    return sum(size != 1 for size in inner) <= 1 and math.prod(inner) <= _MAX_WIDTH


def table_of_rows(rows: Sequence[Any], names: Sequence[str]) -> Table:
    """Return rows that are objects, lists, or single values as columns.

    Args:
        rows: the rows, all of one kind.
        names: names of the columns of rows that are no objects; used if there are as many.

    Raises:
        DroppedError: they have no common form.
    """
    kinds = set(map(type, rows))
    if kinds == {dict}:
        every = dict.fromkeys(name for row in rows for name in row)
        _check_density(len(rows), len(every), sum(map(len, rows)))
        _check_number(len(every), "names")
        columns = {name: [row.get(name) for row in rows] for name in every}
    elif kinds == {list}:
        width = max(map(len, rows))
        lists: list[list[Any]]
        cells = sum(map(len, rows))
        if width > _MAX_WIDTH:
            width, lists = 1, [[[] for _ in rows]]
        elif cells == width * len(rows):
            lists = list(map(list, zip(*rows, strict=True)))
        else:
            _check_density(len(rows), width, cells)
            lists = [[row[i] if i < len(row) else None for row in rows] for i in range(width)]
        columns = dict(zip(column_names(width, names), lists, strict=True))
    elif not kinds & {dict, list}:
        columns = {column_names(1, names)[0]: list(rows)} if rows else {}
    else:
        raise DroppedError("unsupported", "rows of different kinds, expected all lists or objects")
    return Table(len(rows), {name: unwrapped(column) for name, column in columns.items()})


def column_names(width: int, names: Sequence[str]) -> Sequence[str]:
    """Return the names of the columns of a matrix: those that are configured, if as many."""
    return names if len(names) == width else [f"f{i}" for i in range(width)]


def unwrapped(column: list[Any]) -> list[Any]:
    """Return a column with what is in its lists of one value."""
    if list not in set(map(type, column)):
        return column
    return [v[0] if type(v) is list and len(v) == 1 else v for v in column]


def table_of_columns(columns: Mapping[str, Any]) -> Table:
    """Return columns of one length.

    Raises:
        DroppedError: they are no columns, or of several lengths.
    """
    _check_number(len(columns), "names")
    lists = {name: value if isinstance(value, list) else [value] for name, value in columns.items()}
    lengths = set(map(len, lists.values()))
    if len(lengths) > 1:
        text = f"columns of lengths {str(sorted(lengths))[:100]}, expected one length"
        raise DroppedError("unparsable", text)
    rows = lengths.pop() if lengths else 0
    return Table(rows, {name: unwrapped(column) for name, column in lists.items()})


def table_of_tensors(tensors: Sequence[Tensor], names: Sequence[str]) -> Table:
    """Return tensors as columns: one of a value a row is named by itself, a matrix by `names`.

    Args:
        tensors: tensors with the same number of rows.
        names: names of the columns of all matrices together; used if there are as many.
    """
    matrices = [tensor for tensor in tensors if tensor.is_flat and tensor.width > 1]
    width = sum(tensor.width for tensor in matrices)
    if len(names) == width or len(matrices) < 2:
        named = iter(column_names(width, names))
    else:
        named = (f"{each.name}_{i}" for each in matrices for i in range(each.width))
    columns: dict[str, list[Any]] = {}
    for tensor in tensors:
        if tensor.is_flat and tensor.width > 1:
            columns.update({next(named): column for column in tensor.columns()})
        else:
            columns[tensor.name] = tensor.cells()
    return Table(tensors[0].rows if tensors else 0, columns)


def _check_number(found: int, what: str) -> None:
    if found > MAX_FEATURES:
        raise DroppedError("too_large", f"{found} {what}, expected at most {MAX_FEATURES}")


def _check_density(rows: int, width: int, cells: int) -> None:
    """Check that a table is not much larger than what was sent."""
    if rows * width > _MAX_SPARSITY * cells + _FREE_CELLS:
        text = f"{rows} rows with {width} names, most of which are in few rows"
        raise DroppedError("unsupported", text)
