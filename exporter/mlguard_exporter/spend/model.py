"""Spend as every source gives it: amounts by day and series."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date
    from decimal import Decimal


class Kind(StrEnum):
    """What a series adds up."""

    OWNER = "owner"
    """Usage charges of one project, model and endpoint."""
    SERVICE = "service"
    """Usage charges of one AWS service: the same money as that of all owners together."""
    OTHER = "other"
    """Charges that are not usage: credits, refunds, tax, fees, discounts."""


class Basis(StrEnum):
    """How charges are counted."""

    UNBLENDED = "unblended"
    """As they are billed, on the day of use."""
    AMORTIZED = "amortized"
    """Reservations and savings plans spread over what they cover."""
    NET_UNBLENDED = "net_unblended"
    """As billed, after discounts."""


def currency_label(currency: str) -> str:
    """A currency as a label has it: empty for US dollars."""
    return "" if currency == "USD" else currency


class Series(NamedTuple):
    """What amounts belong to.

    Attributes:
        kind: what is added up.
        project: value of the tag, empty where there is none; of owners alone.
        model: the same.
        endpoint: the same.
        name: the AWS service, or the charge; empty for owners.
        currency: as AWS reports it.
    """

    kind: Kind
    project: str = ""
    model: str = ""
    endpoint: str = ""
    name: str = ""
    currency: str = "USD"


class Costs(NamedTuple):
    """One amount on each basis; None where the source does not tell it."""

    unblended: Decimal | None = None
    amortized: Decimal | None = None
    net_unblended: Decimal | None = None

    def plus(self, other: Costs) -> Costs:
        """The sum; a basis that either lacks is lacking."""
        pairs = zip(self, other, strict=True)
        return Costs(*(None if a is None or b is None else a + b for a, b in pairs))


@dataclass(frozen=True)
class Reading:
    """Everything that a source knows of a range of days; it replaces what was known of them.

    Attributes:
        first: first UTC day of the range.
        end: the day after its last.
        days: costs by series of each day that has any.
        version: tells this content from another of the same range, which is complete: a day that
            it says nothing of has cost nothing. Empty where the source cannot tell.
        as_of: epoch seconds of what the source knew; None for when it is read.
    """

    first: date
    end: date
    days: Mapping[date, Mapping[Series, Costs]]
    version: str = ""
    as_of: float | None = None


class SourceError(Exception):
    """Spend could not be read: what was wrong, and what to do, in one line."""


class Source(Protocol):
    """Where the spend of one account is read."""

    def read(self, first: date, end: date, known: Collection[str]) -> Iterable[Reading]:
        """Read a range of days; blocks.

        Args:
            first: first UTC day.
            end: the day after the last; today's spend is not complete.
            known: versions that are kept already and need no reading.

        Returns:
            Readings that do not overlap, to be kept one by one; they may cover more days, such as
            whole months.

        Raises:
            SourceError: it cannot be read now; readings given before are good.
        """
