"""Costs by UTC day and series, as every source reports them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
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
    """Return the value of the label `currency`: empty for US dollars."""
    return "" if currency == "USD" else currency


class CostSeries(NamedTuple):
    """The key that costs are added up by.

    Attributes:
        kind: what is added up.
        project: value of the tag; of owners only, empty where there is none.
        model: value of the tag; of owners only, empty where there is none.
        endpoint: value of the tag; of owners only, empty where there is none.
        name: the AWS service, or the type of charge; empty for owners.
        currency: ISO code, as the source reports it.
    """

    kind: Kind
    project: str = ""
    model: str = ""
    endpoint: str = ""
    name: str = ""
    currency: str = "USD"


class Costs(NamedTuple):
    """One amount on each basis; None where the source does not report it."""

    unblended: Decimal | None = None
    amortized: Decimal | None = None
    net_unblended: Decimal | None = None

    def plus(self, other: Costs) -> Costs:
        """Return the sum; a basis that either lacks is None."""
        pairs = zip(self, other, strict=True)
        return Costs(*(None if a is None or b is None else a + b for a, b in pairs))


@dataclass(frozen=True)
class CostReport:
    """Everything that a source knows of a range of days; it replaces what was stored of them.

    Attributes:
        first: first UTC day of the range.
        end: the day after its last.
        days: costs by day and series; days without costs may be missing.
        version: identifies the content of a complete range, in which a missing day has cost
            nothing. Empty where the source has no versions.
        as_of: epoch seconds of the source's knowledge; None for the time of the read.
    """

    first: date
    end: date
    days: Mapping[date, Mapping[CostSeries, Costs]]
    version: str = ""
    as_of: float | None = None
