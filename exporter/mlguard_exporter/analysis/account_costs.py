"""The spend of one account, as the analysis and the figures need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from mlguard_exporter.spend.calendar import is_settled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal

    from mlguard_exporter.spend import Basis, CostSeries, Kind
    from mlguard_exporter.spend.cost_store import CostStore, KnownDay

HISTORY_DAYS = 200
"""Days that are loaded; levels, weekdays and silences look back less."""

Days = dict["date", "Decimal"]


@dataclass(frozen=True)
class AccountCosts:
    """The spend of one account on one basis.

    Attributes:
        account: its name.
        known: the days that were read, in order.
        first_known: the first day that was ever read, None where there is none.
        amounts: by series and day.
        restatements: number of times that a settled day was restated, of all days ever read.
    """

    account: str
    known: Mapping[date, KnownDay] = field(default_factory=dict)
    first_known: date | None = None
    amounts: Mapping[CostSeries, Days] = field(default_factory=dict)
    restatements: int = 0

    @cached_property
    def settled(self) -> list[date]:
        """Settled days, in order."""
        return [day for day, known in self.known.items() if is_settled(day, known.read_at)]

    def of(self, kind: Kind) -> dict[CostSeries, Days]:
        """Return the amounts of one kind."""
        return {series: days for series, days in self.amounts.items() if series.kind is kind}


def load_account_costs(
    cost_store: CostStore, account: str, basis: Basis, today: date
) -> AccountCosts:
    """Load the last `HISTORY_DAYS` of one account.

    Args:
        cost_store: where they are.
        account: its name.
        basis: how charges are counted; series without it are left out.
        today: the UTC day.
    """
    known = cost_store.known_days(account)
    first = today - timedelta(days=HISTORY_DAYS)
    amounts: dict[CostSeries, Days] = {}
    for row in cost_store.rows(account, first, today):
        amount = getattr(row.costs, basis.value)
        if amount is not None:
            amounts.setdefault(row.series, {})[row.day] = amount
    return AccountCosts(
        account,
        {day: at for day, at in known.items() if first <= day <= today},
        next(iter(known), None),
        amounts,
        sum(day.restatements for day in known.values()),
    )
