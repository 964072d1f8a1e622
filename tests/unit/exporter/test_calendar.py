from __future__ import annotations

import calendar
import time
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mlguard_exporter.spend.calendar import (
    days_between,
    is_settled,
    month_after,
    month_of,
    start_of,
    utc_day,
)

DAYS = st.dates(date(2023, 1, 1), date(2032, 12, 31))


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def month(today: date) -> list[date]:
    last = calendar.monthrange(today.year, today.month)[1]
    return [today.replace(day=n) for n in range(1, last + 1)]


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_months_follow_each_other(day):
    assert month_of(day) == day.replace(day=1)
    assert month_of(month_after(day), 1) == month_of(day)
    assert month_of(day, 12) == day.replace(day=1, year=day.year - 1)


def test_a_day_is_settled_when_it_is_read_two_days_after_it_began_whatever_the_time_zone(
    monkeypatch,
):
    for zone in ("UTC", "America/New_York", "Pacific/Kiritimati", "Europe/Berlin"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert utc_day(at("2026-03-29 00:00")) == date(2026, 3, 29)  # clocks change in Europe
        assert not is_settled(date(2026, 3, 28), at("2026-03-29 23:59"))
        assert is_settled(date(2026, 3, 28), at("2026-03-30 00:00"))
    monkeypatch.delenv("TZ")
    time.tzset()


@given(DAYS, st.integers(0, 40))
def test_months_are_those_of_the_calendar(day, count):
    first = day.replace(day=1)
    assert month_of(day) == first
    for _ in range(count):
        first = (first - timedelta(days=1)).replace(day=1)
    assert month_of(day, count) == first
    assert month_after(day) == month(day)[-1] + timedelta(days=1)
    assert days_between(day.replace(day=1), month_after(day)) == month(day)


@given(DAYS, st.floats(0, 86_399.9))
def test_a_moment_belongs_to_the_utc_day_that_it_lies_in(day, seconds):
    assert utc_day(start_of(day) + seconds) == day
    assert not is_settled(day, start_of(day) + 86_400 + seconds)
    assert is_settled(day, start_of(day) + 2 * 86_400 + seconds)
