"""One line of a bill, independent of the format of the export."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from mlguard_exporter.spend import Basis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlguard_exporter.sources.aws.billing_export.tags import Cell

ZERO = Decimal(0)


class LineItem(NamedTuple):
    """The charge of one line.

    Attributes:
        start: when the charge begins, as written; the first ten characters are the UTC day.
        usage: whether it is for use.
        name: of the service for usage, else of the type of the charge.
        currency: as written.
        unblended: as billed.
        amortized: None where the export lacks it.
        net: after discounts; None where the export lacks it.
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


class BasisError(ValueError):
    """A file lacks the columns of the configured basis."""


@dataclass(frozen=True)
class LineFormat:
    """How the lines of one file are read.

    Attributes:
        name: of the format.
        columns: the needed ones.
        tags: those of them that hold tags, which come last.
        read: returns the line of the cells in these columns, or None for a line to skip; raises
            ValueError or ArithmeticError for cells that it cannot read.
        lacking: the bases that the file does not carry, each with the columns that it needs.
        advice: what to do about each of them, besides choosing another basis.
    """

    name: str
    columns: tuple[str, ...]
    tags: tuple[str, ...]
    read: Callable[[tuple[Cell, ...]], LineItem | None]
    lacking: Mapping[Basis, Sequence[str]]
    advice: Mapping[Basis, str] = field(default_factory=dict)

    def require(self, basis: Basis) -> None:
        """Check that the lines have amounts on a basis.

        Raises:
            BasisError: they do not; the text names the columns and the other choices.
        """
        if basis not in self.lacking:
            return
        others = " or ".join(each.value for each in Basis if each not in self.lacking)
        advice = self.advice.get(basis, "add these columns to the export")
        raise BasisError(
            f"cost.basis is {basis.value}, which needs {', '.join(self.lacking[basis])}, and this"
            f" {self.name} export lacks that; {advice}, or set cost.basis to {others}"
        )


def amount(cell: Cell) -> Decimal:
    """Return a cell's exact amount; zero for an empty cell.

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
    """Return a cell that must hold a text.

    Raises:
        ValueError: it does not.
    """
    if not cell or not isinstance(cell, str):
        raise ValueError(f"{column} is empty; expected a text")
    return cell
