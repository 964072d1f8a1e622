"""Spend as the figures are made of it, without AWS and a database."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from mlguard_exporter.analysis.account_costs import AccountCosts
from mlguard_exporter.spend import CostSeries, Kind
from mlguard_exporter.spend.cost_store import KnownDay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Owner = tuple[str, str, str]


def account_costs_of(
    costs: Mapping[tuple[Owner, str, date], Decimal], days: Sequence[date]
) -> AccountCosts:
    """Return settled days, from costs by owner, service and day."""
    read_at = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    amounts: defaultdict[CostSeries, defaultdict[date, Decimal]] = defaultdict(
        lambda: defaultdict(Decimal)
    )
    for (owner, service, day), cost in costs.items():
        for series in (CostSeries(Kind.OWNER, *owner), CostSeries(Kind.SERVICE, name=service)):
            amounts[series][day] += cost
    known = dict.fromkeys(days, KnownDay(read_at, 0))
    return AccountCosts("main", known, days[0], {s: dict(by_day) for s, by_day in amounts.items()})
