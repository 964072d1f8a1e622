from __future__ import annotations

import calendar
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from mlguard_exporter.analysis.forecast import forecast_month

DAYS = st.dates(date(2023, 1, 1), date(2032, 12, 31))
AMOUNTS = st.decimals("0.01", "9999", places=2)


def month(today: date) -> list[date]:
    last = calendar.monthrange(today.year, today.month)[1]
    return [today.replace(day=n) for n in range(1, last + 1)]


def back(today: date, days: int) -> list[date]:
    return [today - timedelta(days=n) for n in range(days, -1, -1)]


@given(DAYS, AMOUNTS)
def test_what_goes_on_as_it_was_costs_as_much_a_day(today, amount):
    days = dict.fromkeys(back(today, 60), amount)
    settled = back(today, 60)[:-2]
    assert forecast_month(days, settled, (), today) == amount * len(month(today))


@given(DAYS, st.lists(AMOUNTS, min_size=7, max_size=7))
def test_weekdays_are_forecast_each_as_their_own(today, week):
    days = {day: week[day.weekday()] for day in back(today, 60)[:-2]}
    total = sum(week[day.weekday()] for day in month(today))
    assert forecast_month(days, list(days), (), today) == total


@given(DAYS, AMOUNTS, AMOUNTS)
def test_spikes_and_the_first_of_a_month_are_not_carried_on(today, amount, more):
    settled = back(today, 60)[:-2]
    spike = settled[-1]
    extra = {day: more for day in settled if day == spike or day.day == 1}
    days = {day: amount + extra.get(day, 0) for day in settled}
    of_month = sum((extra.get(day, Decimal(0)) for day in month(today)), Decimal(0))
    found = forecast_month(days, settled, {spike}, today)
    assert found == amount * len(month(today)) + of_month


@given(DAYS, st.integers(1, 5), AMOUNTS)
def test_spend_that_is_younger_than_a_week_goes_on_at_its_mean(today, age, amount):
    begun = back(today, age + 1)[:-2]
    ordinary = [day for day in begun if day.day != 1]
    days = dict.fromkeys(begun, amount)
    found = forecast_month(days, back(today, 60)[:-2], (), today)
    if not ordinary:
        assert found is None
        return
    to_come = [day for day in month(today) if day > today - timedelta(days=2)]
    so_far = [day for day in begun if day.month == today.month and day not in to_come]
    assert found == amount * (len(to_come) + len(so_far))


@given(DAYS, AMOUNTS, AMOUNTS)
def test_a_day_that_costs_more_already_counts_as_it_is(today, amount, more):
    days = dict.fromkeys(back(today, 60), amount)
    days[today] = amount + more
    settled = back(today, 60)[:-2]
    assert forecast_month(days, settled, (), today) == amount * len(month(today)) + more


@given(DAYS, st.integers(3, 20), AMOUNTS)
def test_spend_that_has_ended_does_not_go_on(today, ago, amount):
    days = dict.fromkeys(back(today, 60)[:-ago], amount)
    so_far = [day for day in days if (day.year, day.month) == (today.year, today.month)]
    assert forecast_month(days, back(today, 60)[:-2], (), today) == amount * len(so_far)


@given(DAYS, AMOUNTS)
def test_spend_that_rests_on_weekends_goes_on(today, amount):
    days = {day: amount for day in back(today, 60)[:-2] if day.weekday() < 5}
    total = amount * sum(day.weekday() < 5 for day in month(today))
    assert forecast_month(days, back(today, 60)[:-2], (), today) == total


def test_nothing_is_forecast_of_nothing():
    assert forecast_month({}, [], (), date(2027, 5, 1)) is None
    assert forecast_month({date(2027, 5, 1): Decimal(1)}, [], (), date(2027, 5, 2)) is None
