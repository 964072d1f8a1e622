"""The figures of spend, computed once for many scrapes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from mlguard_common.metrics import Families
from mlguard_exporter.analysis import (
    forecast_month,
    month_to_date,
    settled_amount,
    shown,
    spike_days,
    untagged_spend,
)
from mlguard_exporter.exposition import metrics
from mlguard_exporter.spend import Kind, currency_label
from mlguard_exporter.spend.calendar import SETTLING_DAYS, month_after, month_of, start_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from mlguard_exporter.analysis import AccountCosts, Subject, SubjectAnomalies
    from mlguard_exporter.config import CostConfig
    from mlguard_exporter.spend import CostSeries

_ZERO = Decimal(0)


@dataclass(frozen=True)
class AccountFigures:
    """The input for the figures of one account.

    Attributes:
        costs: its spend.
        anomalies: of all its subjects.
        late: excess of the subjects whose spike is reported late.
    """

    costs: AccountCosts
    anomalies: Collection[SubjectAnomalies]
    late: Mapping[Subject, float]


@dataclass(frozen=True)
class Figures:
    """All figures of spend on one UTC day.

    Attributes:
        day: of the computation.
        lasting: valid until they are replaced.
        of_the_month: valid in the month of `day`.
        of_the_day: valid on `day`.
        closing: totals of months by their first day, shown at the begin of the next month.
    """

    day: date
    lasting: Families
    of_the_month: Families
    of_the_day: Families
    closing: Mapping[date, Families]

    @classmethod
    def empty(cls, day: date) -> Self:
        """Return figures without samples, for the months whose totals may be shown."""
        lasting, of_the_month, of_the_day = (Families(metrics.METRICS) for _ in range(3))
        closing = {month: Families(metrics.METRICS) for month in (month_of(day, 1), month_of(day))}
        return cls(day, lasting, of_the_month, of_the_day, closing)

    def families(self, today: date) -> Families:
        """Return the figures that are valid today."""
        parts = [self.lasting]
        month = month_of(today)
        if month == month_of(self.day):
            parts.append(self.of_the_month)
        if (today - month).days <= SETTLING_DAYS and month_of(month, 1) in self.closing:
            parts.append(self.closing[month_of(month, 1)])
        if today == self.day:
            parts.append(self.of_the_day)
        found = Families(metrics.METRICS)
        for part in parts:
            found.extend(part)
        return found


def compute_figures(accounts: Iterable[AccountFigures], cost: CostConfig, today: date) -> Figures:
    """Return all figures that follow from the spend of all accounts."""
    figures = Figures.empty(today)
    for account in accounts:
        costs = account.costs
        _add_settled_day(figures.of_the_day, costs, today)
        _add_latest_day(figures.lasting, costs, today)
        for month, families in figures.closing.items():
            _add_closing_month(families, costs, month, today)
        _add_month(figures.of_the_month, costs, account.anomalies, today)
        _add_anomalies(figures.lasting, account)
        _add_untagged(figures.lasting, costs)
    for budget in cost.budgets:
        labels = (budget.project, budget.model or "", currency_label(budget.currency))
        figures.lasting.add(metrics.BUDGET, labels, budget.amount)
    figures.lasting.add(metrics.UNTAGGED_THRESHOLD, (), cost.untagged_threshold_ratio)
    return figures


def _add_settled_day(families: Families, costs: AccountCosts, today: date) -> None:
    for kind, metric, labels in (
        (Kind.OWNER, metrics.SETTLED_DAY, _owner),
        (Kind.SERVICE, metrics.SETTLED_DAY_BY_SERVICE, _named),
    ):
        for series in shown(costs, kind, today):
            amount = settled_amount(costs, costs.amounts[series], today)
            if amount is not None:
                families.add(metric, labels(costs, series), float(amount))


def _add_latest_day(families: Families, costs: AccountCosts, today: date) -> None:
    if costs.known:
        latest = max(costs.known)
        for series in shown(costs, Kind.OWNER, today):
            amount = costs.amounts[series].get(latest, _ZERO)
            families.add(metrics.LATEST_DAY, _owner(costs, series), float(amount))


def _add_closing_month(families: Families, costs: AccountCosts, month: date, today: date) -> None:
    end = month_after(month)
    if any(month <= day < end for day in costs.known):
        for series in shown(costs, Kind.OWNER, today):
            days = costs.amounts[series].items()
            spent = sum((amount for day, amount in days if month <= day < end), _ZERO)
            families.add(metrics.CLOSING_MONTH, _owner(costs, series), float(spent))


def _add_month(
    families: Families, costs: AccountCosts, anomalies: Collection[SubjectAnomalies], today: date
) -> None:
    first = month_of(today)
    if not any(day >= first for day in costs.known):
        return
    spikes = spike_days(anomalies)
    settled = set(costs.settled)
    for series in shown(costs, Kind.OWNER, today):
        days = costs.amounts[series]
        so_far = month_to_date(days, today)
        families.add(metrics.MONTH_TO_DATE, _owner(costs, series), float(so_far))
        forecast = forecast_month(days, settled, spikes.get(series, ()), today)
        if forecast is not None:
            families.add(metrics.MONTH_FORECAST, _owner(costs, series), float(forecast))
    for series, days in costs.of(Kind.OTHER).items():
        if any(day >= first for day in days):
            so_far = month_to_date(days, today)
            families.add(metrics.OTHER, _named(costs, series), float(so_far))


def _add_anomalies(families: Families, account: AccountFigures) -> None:
    costs, settled = account.costs, account.costs.settled
    if settled:
        families.add(metrics.JUDGED_DAY, (costs.account,), start_of(settled[-1]))
    for one in account.anomalies:
        series = one.subject.series
        labels = (
            costs.account, one.subject.scope.value, series.project, series.model, series.endpoint,
            series.name, currency_label(series.currency),
        )  # fmt: skip
        families.add(metrics.SPIKE, labels, int(one.latest.day in one.reportable))
        if one.latest.expected is not None:
            families.add(metrics.EXPECTED, labels, one.latest.expected)
            families.add(metrics.SPIKE_EXCESS, labels, one.latest.excess)
        if one.subject in account.late:
            families.add(metrics.LATE_SPIKE_EXCESS, labels, account.late[one.subject])


def _add_untagged(families: Families, costs: AccountCosts) -> None:
    for currency, spend in untagged_spend(costs).items():
        if spend.total > 0:
            labels = (costs.account, currency_label(currency))
            families.add(metrics.UNTAGGED_RATIO, labels, float(spend.untagged / spend.total))


def _owner(costs: AccountCosts, series: CostSeries) -> tuple[str, ...]:
    currency = currency_label(series.currency)
    return costs.account, series.project, series.model, series.endpoint, currency


def _named(costs: AccountCosts, series: CostSeries) -> tuple[str, ...]:
    return costs.account, series.name, currency_label(series.currency)
