"""The figures of spend, made from what is known, once for many scrapes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from mlguard_common.metrics import Families
from mlguard_exporter.figures import metrics
from mlguard_exporter.figures.forecast import month_forecast
from mlguard_exporter.figures.subject import Scope
from mlguard_exporter.spend import Kind, currency_label
from mlguard_exporter.spend.calendar import SETTLING_DAYS, begins, month_after, month_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from mlguard_exporter.config import CostConfig
    from mlguard_exporter.figures.book import Book
    from mlguard_exporter.figures.subject import Subject
    from mlguard_exporter.figures.verdicts import Judged
    from mlguard_exporter.spend import Series

SHOWN_DAYS = 35
"""An owner that has spent nothing for so long, and not in this month, is shown no more."""
UNTAGGED_DAYS = 7
_ZERO = Decimal(0)


@dataclass(frozen=True)
class Spent:
    """What figures are made of, of one account.

    Attributes:
        book: what is known of its spend.
        judged: what was made of it.
        late: the excess of subjects whose spike is told late.
    """

    book: Book
    judged: Collection[Judged]
    late: Mapping[Subject, float]


@dataclass(frozen=True)
class Figures:
    """All figures of spend on one UTC day.

    Attributes:
        day: that day.
        lasting: figures that stay until there are new ones.
        of_the_month: figures that would be wrong in another month.
        of_the_day: figures that would be wrong on another day.
        closing: what months come to, by their first day; shown at the begin of the next one.
    """

    day: date
    lasting: Families
    of_the_month: Families
    of_the_day: Families
    closing: Mapping[date, Families]

    def families(self, today: date) -> Families:
        """Return what is true today."""
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


def make_figures(accounts: Iterable[Spent], cost: CostConfig, today: date) -> Figures:
    """Everything that follows from the spend of all accounts."""
    lasting, of_the_month, of_the_day = (
        Families(metrics.METRICS),
        Families(metrics.METRICS),
        Families(metrics.METRICS),
    )
    closing = {month: Families(metrics.METRICS) for month in (month_of(today, 1), month_of(today))}
    for spent in accounts:
        book = spent.book
        _add_settled_day(of_the_day, book, today)
        _add_latest_day(lasting, book, today)
        for month, families in closing.items():
            _add_closing_month(families, book, month, today)
        _add_month(of_the_month, book, spent.judged, today)
        _add_verdicts(lasting, spent)
        _add_untagged(lasting, book)
    for budget in cost.budgets:
        labels = (budget.project, budget.model or "", currency_label(budget.currency))
        lasting.add(metrics.BUDGET, labels, budget.amount)
    lasting.add(metrics.UNTAGGED_THRESHOLD, (), cost.untagged_threshold_ratio)
    return Figures(today, lasting, of_the_month, of_the_day, closing)


def _add_settled_day(families: Families, book: Book, today: date) -> None:
    settled = today - timedelta(days=SETTLING_DAYS)
    if settled in book.settled:
        for series in _shown(book, Kind.OWNER, today):
            amount = book.amounts[series].get(settled, _ZERO)
            families.add(metrics.SETTLED_DAY, _owner(book, series), float(amount))
        for series in _shown(book, Kind.SERVICE, today):
            amount = book.amounts[series].get(settled, _ZERO)
            families.add(metrics.SETTLED_DAY_BY_SERVICE, _named(book, series), float(amount))


def _add_latest_day(families: Families, book: Book, today: date) -> None:
    if book.known:
        latest = max(book.known)
        for series in _shown(book, Kind.OWNER, today):
            amount = book.amounts[series].get(latest, _ZERO)
            families.add(metrics.LATEST_DAY, _owner(book, series), float(amount))


def _add_closing_month(families: Families, book: Book, month: date, today: date) -> None:
    end = month_after(month)
    if any(month <= day < end for day in book.known):
        for series in _shown(book, Kind.OWNER, today):
            days = book.amounts[series].items()
            spent = sum((amount for day, amount in days if month <= day < end), _ZERO)
            families.add(metrics.CLOSING_MONTH, _owner(book, series), float(spent))


def _add_month(families: Families, book: Book, judged: Collection[Judged], today: date) -> None:
    first = month_of(today)
    if not any(day >= first for day in book.known):
        return
    spikes = {
        one.subject.series: {day for day, verdict in one.verdicts.items() if verdict.spike}
        for one in judged
        if one.subject.scope is Scope.ENDPOINT
    }
    settled = set(book.settled)
    for series in _shown(book, Kind.OWNER, today):
        days = book.amounts[series]
        so_far = sum((a for day, a in days.items() if day >= first), _ZERO)
        families.add(metrics.MONTH_TO_DATE, _owner(book, series), float(so_far))
        forecast = month_forecast(days, settled, spikes.get(series, ()), today)
        if forecast is not None:
            families.add(metrics.MONTH_FORECAST, _owner(book, series), float(forecast))
    for series, days in book.of(Kind.OTHER).items():
        so_far = sum((a for day, a in days.items() if day >= first), _ZERO)
        if any(day >= first for day in days):
            families.add(metrics.OTHER, _named(book, series), float(so_far))


def _add_verdicts(families: Families, spent: Spent) -> None:
    book, settled = spent.book, spent.book.settled
    if settled:
        families.add(metrics.JUDGED_DAY, (book.account,), begins(settled[-1]))
    for one in spent.judged:
        series = one.subject.series
        labels = (
            book.account, one.subject.scope.value, series.project, series.model, series.endpoint,
            series.name, currency_label(series.currency),
        )  # fmt: skip
        families.add(metrics.SPIKE, labels, int(one.verdict.day in one.told))
        if one.verdict.expected is not None:
            families.add(metrics.EXPECTED, labels, one.verdict.expected)
            families.add(metrics.SPIKE_EXCESS, labels, one.verdict.excess)
        if one.subject in spent.late:
            families.add(metrics.LATE_SPIKE_EXCESS, labels, spent.late[one.subject])


def _add_untagged(families: Families, book: Book) -> None:
    days = book.settled[-UNTAGGED_DAYS:]
    owners = book.of(Kind.OWNER)
    for currency in sorted({series.currency for series in owners}):
        total = untagged = _ZERO
        for series, amounts in owners.items():
            if series.currency == currency:
                # what takes off again has no tag, as with savings plans, and hides nothing here
                spent = max(sum((amounts.get(day, _ZERO) for day in days), _ZERO), _ZERO)
                total += spent
                untagged += _ZERO if series.project else spent
        if total > 0:
            labels = (book.account, currency_label(currency))
            families.add(metrics.UNTAGGED_RATIO, labels, float(untagged / total))


def _shown(book: Book, kind: Kind, today: date) -> list[Series]:
    since = min(month_of(today), today - timedelta(days=SHOWN_DAYS))
    return [s for s, days in book.of(kind).items() if any(day >= since for day in days)]


def _owner(book: Book, series: Series) -> tuple[str, ...]:
    currency = currency_label(series.currency)
    return book.account, series.project, series.model, series.endpoint, currency


def _named(book: Book, series: Series) -> tuple[str, ...]:
    return book.account, series.name, currency_label(series.currency)
