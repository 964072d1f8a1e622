"""Sums of an account's spend, as metrics and the report show them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from mlguard_exporter.analysis.subjects import Scope
from mlguard_exporter.spend import Kind
from mlguard_exporter.spend.calendar import SETTLING_DAYS, month_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from mlguard_exporter.analysis.account_costs import AccountCosts, Days
    from mlguard_exporter.analysis.anomalies import SubjectAnomalies
    from mlguard_exporter.spend import CostSeries

SHOWN_DAYS = 35
"""Days without spend, this month's included, after which an owner is no longer shown."""
UNTAGGED_DAYS = 7
_ZERO = Decimal(0)


class UntaggedSpend(NamedTuple):
    """Spend without a project in the last settled days, and all spend of them."""

    untagged: Decimal
    total: Decimal


def shown(costs: AccountCosts, kind: Kind, today: date) -> list[CostSeries]:
    """Return the series of a kind that have had spend lately."""
    since = min(month_of(today), today - timedelta(days=SHOWN_DAYS))
    return [s for s, days in costs.of(kind).items() if any(day >= since for day in days)]


def settled_amount(costs: AccountCosts, days: Days, today: date) -> Decimal | None:
    """Return the spend of the day two days ago; None until that is settled."""
    settled = today - timedelta(days=SETTLING_DAYS)
    return days.get(settled, _ZERO) if settled in costs.settled else None


def month_to_date(days: Days, today: date) -> Decimal:
    """Return the spend of this month so far."""
    first = month_of(today)
    return sum((amount for day, amount in days.items() if day >= first), _ZERO)


def spike_days(anomalies: Iterable[SubjectAnomalies]) -> dict[CostSeries, set[date]]:
    """Return series of an owner -> the days that were spikes."""
    return {
        one.subject.series: {day for day, anomaly in one.by_day.items() if anomaly.is_spike}
        for one in anomalies
        if one.subject.scope is Scope.ENDPOINT
    }


def untagged_spend(costs: AccountCosts) -> dict[str, UntaggedSpend]:
    """Return currency -> spend without a project, in the last settled days."""
    days = costs.settled[-UNTAGGED_DAYS:]
    found: dict[str, UntaggedSpend] = {}
    for series, amounts in costs.of(Kind.OWNER).items():
        # negative untagged charges, as of savings plans, hide no untagged spend
        spent = max(sum((amounts.get(day, _ZERO) for day in days), _ZERO), _ZERO)
        known = found.get(series.currency, UntaggedSpend(_ZERO, _ZERO))
        untagged = _ZERO if series.project else spent
        found[series.currency] = UntaggedSpend(known.untagged + untagged, known.total + spent)
    return dict(sorted(found.items()))
