"""One line of a bill, whatever export it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_exporter.files.tags import Cell

ZERO = Decimal(0)


class Line(NamedTuple):
    """What is read of a line.

    Attributes:
        start: when the charge begins, as written; the first ten characters are the UTC day.
        usage: whether it is for use.
        name: of the service for usage, else of the type of the charge.
        currency: as written.
        unblended: as billed.
        amortized: None where the export does not tell it.
        net: the same.
        tags: the cells that hold the tags.
    """

    start: str
    usage: bool
    name: str
    currency: str
    unblended: Decimal
    amortized: Decimal | None
    net: Decimal | None
    tags: tuple[Cell, ...]


@dataclass(frozen=True)
class Layout:
    """How the lines of one file are read.

    Attributes:
        columns: those that are needed.
        tags: those of them that hold tags, which come last.
        read: makes a line of the cells in these columns, or None of one that does not count;
            raises ValueError or ArithmeticError for what it does not understand.
    """

    columns: tuple[str, ...]
    tags: tuple[str, ...]
    read: Callable[[tuple[Cell, ...]], Line | None]


def amount(cell: Cell) -> Decimal:
    """A cell's amount, exactly; an empty cell is nothing.

    Raises:
        ValueError: it is no number.
    """
    if not cell:
        return ZERO
    try:
        value = Decimal(cell)  # type: ignore[arg-type]
    except (ArithmeticError, TypeError, ValueError):
        value = Decimal("nan")
    if not value.is_finite():
        raise ValueError(f"found {cell!r}; expected an amount")
    return value


def required(column: str, cell: Cell) -> str:
    """A text that must be there.

    Raises:
        ValueError: it is not.
    """
    if not cell or not isinstance(cell, str):
        raise ValueError(f"{column} is empty; expected a text")
    return cell
