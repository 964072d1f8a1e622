"""The report on spend: what every owner costs, its trend, and what was odd."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from mlguard_exporter.analysis import (
    forecast_month,
    month_to_date,
    settled_amount,
    shown,
    spike_days,
    untagged_spend,
)
from mlguard_exporter.report.answers import (
    AccountState,
    BudgetUse,
    DaySpend,
    OwnerSpend,
    ReportedAnomaly,
    ServiceSpend,
    SpendReport,
)
from mlguard_exporter.sources import REQUEST_USD
from mlguard_exporter.spend import Kind
from mlguard_exporter.spend.calendar import (
    SETTLING_DAYS,
    days_between,
    is_settled,
)
from mlguard_exporter.spikes import detect_spikes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from mlguard_exporter.analysis import AccountCosts, SubjectAnomalies
    from mlguard_exporter.config import CostConfig
    from mlguard_exporter.exposition import SpendSnapshot
    from mlguard_exporter.report.answers import Owner

_TREND_DAYS = 60
_ZERO = Decimal(0)


def spend_report(
    snapshot: SpendSnapshot,
    today: date,
    project: str | None = None,
    inferences: Mapping[Owner, float] | None = None,
) -> SpendReport:
    """Return the report.

    Args:
        snapshot: what was loaded last.
        today: the UTC day.
        project: limits owners, trend and anomalies to a project; empty for untagged spend.
        inferences: of the settled day, by owner.
    """
    cost = snapshot.cost
    costs = [each.costs for each in snapshot.accounts]
    every = [
        owner
        for each, found in zip(costs, snapshot.anomalies, strict=True)
        for owner in _owners(each, found, today, inferences or {})
    ]
    owners = [owner for owner in every if project is None or owner.project == project]
    currency = _main_currency(owners)
    return SpendReport(
        today=today,
        project=project,
        currency=currency,
        settled_day=today - timedelta(days=SETTLING_DAYS),
        days=_trend(costs, cost, currency, project, today),
        owners=sorted(owners, key=lambda owner: -owner.month_to_date),
        budgets=_budgets(cost, every),
        services=sorted(
            (s for each in costs for s in _services(each, today)),
            key=lambda service: -service.month_to_date,
        ),
        anomalies=[
            anomaly
            for each, found in zip(costs, snapshot.anomalies, strict=True)
            for anomaly in _reported(each.account, found, project)
        ],
        untagged_ratio=_untagged(costs, currency),
        untagged_threshold_ratio=cost.untagged_threshold_ratio,
        other_usd=_others(costs, today),
        accounts=_accounts(snapshot),
    )


def _owners(
    costs: AccountCosts,
    anomalies: Sequence[SubjectAnomalies],
    today: date,
    inferences: Mapping[Owner, float],
) -> list[OwnerSpend]:
    settled, spikes = set(costs.settled), spike_days(anomalies)
    found = []
    for series in shown(costs, Kind.OWNER, today):
        days = costs.amounts[series]
        amount = _as_float(settled_amount(costs, days, today))
        forecast = forecast_month(days, settled, spikes.get(series, set()), today)
        counted = inferences.get((series.project, series.model, series.endpoint))
        found.append(
            OwnerSpend(
                costs.account,
                series.project,
                series.model,
                series.endpoint,
                series.currency,
                amount,
                float(month_to_date(days, today)),
                _as_float(forecast),
                1000 * amount / counted if counted and amount is not None else None,
            )
        )
    return found


def _main_currency(owners: Sequence[OwnerSpend]) -> str:
    """Return the currency of the most spend."""
    totals: dict[str, float] = defaultdict(float)
    for owner in owners:
        totals[owner.currency] += owner.month_to_date
    return max(totals, key=lambda currency: totals[currency], default="USD")


def _trend(
    costs: Sequence[AccountCosts],
    cost: CostConfig,
    currency: str,
    project: str | None,
    today: date,
) -> list[DaySpend]:
    """Return the last days, each with what was expected of the sum of all owners."""
    sums: dict[date, Decimal] = {}
    known = {day for each in costs for day in each.known}
    first_known = min((each.first_known for each in costs if each.first_known), default=None)
    for each in costs:
        for series, days in each.of(Kind.OWNER).items():
            if series.currency == currency and project in (None, series.project):
                for day, amount in days.items():
                    sums[day] = sums.get(day, _ZERO) + amount
    settled = {
        day
        for day in known
        if all(is_settled(day, each.known[day].read_at) for each in costs if day in each.known)
    }
    judged = {day: sums.get(day, _ZERO) for day in sorted(settled) if sums}
    anomalies = detect_spikes(judged, cost.spikes, known_from=first_known)
    last_days = days_between(today - timedelta(days=_TREND_DAYS), today)
    return [
        DaySpend(
            day,
            float(sums.get(day, _ZERO)),
            day in settled,
            anomalies[day].expected if day in anomalies else None,
            anomalies[day].limit if day in anomalies else None,
        )
        for day in last_days
        if day in known
    ]


def _budgets(cost: CostConfig, owners: Sequence[OwnerSpend]) -> list[BudgetUse]:
    found = []
    for budget in cost.budgets:
        own = [
            owner
            for owner in owners
            if owner.project == budget.project
            and owner.currency == budget.currency
            and budget.model in (None, owner.model)
        ]
        forecasts = [o.month_forecast for o in own if o.month_forecast is not None]
        found.append(
            BudgetUse(
                budget.project,
                budget.model,
                budget.currency,
                budget.amount,
                sum(owner.month_to_date for owner in own),
                sum(forecasts) if forecasts else None,
            )
        )
    return found


def _services(costs: AccountCosts, today: date) -> list[ServiceSpend]:
    return [
        ServiceSpend(
            costs.account,
            series.name,
            series.currency,
            _as_float(settled_amount(costs, costs.amounts[series], today)),
            float(month_to_date(costs.amounts[series], today)),
        )
        for series in shown(costs, Kind.SERVICE, today)
    ]


def _as_float(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _reported(
    account: str, found: Sequence[SubjectAnomalies], project: str | None
) -> list[ReportedAnomaly]:
    """Return the anomalies of an account, or of the owners of a project in it."""
    reported = []
    for one in found:
        series = one.subject.series
        if project is not None and (series.name or series.project != project):
            continue
        names = [name for name in (series.project, series.model, series.endpoint) if name]
        for day in sorted(one.reportable, reverse=True):
            anomaly = one.by_day[day]
            reported.append(
                ReportedAnomaly(
                    account,
                    one.subject.scope,
                    series.name or "/".join(names) or "untagged",
                    series.currency,
                    day,
                    anomaly.amount,
                    anomaly.expected,
                )
            )
    return sorted(reported, key=lambda each: each.day, reverse=True)


def _untagged(costs: Sequence[AccountCosts], currency: str) -> float | None:
    found = [spend[currency] for spend in map(untagged_spend, costs) if currency in spend]
    total = sum((each.total for each in found), _ZERO)
    untagged = sum((each.untagged for each in found), _ZERO)
    return float(untagged / total) if total else None


def _others(costs: Sequence[AccountCosts], today: date) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for each in costs:
        for series, days in each.of(Kind.OTHER).items():
            amount = float(month_to_date(days, today))
            if amount:
                found[series.name] += amount
    return dict(found)


def _accounts(snapshot: SpendSnapshot) -> list[AccountState]:
    return [
        AccountState(
            account.name,
            loaded.poll_state.up,
            loaded.poll_state.succeeded_at,
            requests.sent,
            {f"{operation} {outcome}": n for (operation, outcome), n in requests.ended.items()},
            float(requests.sent * REQUEST_USD),
            loaded.costs.restatements,
        )
        for account, loaded, requests in zip(
            snapshot.cost.accounts, snapshot.accounts, snapshot.requests, strict=True
        )
    ]
