from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlguard_exporter.polling.poll_state import PollState
from mlguard_exporter.polling.schedule import days_to_read, due_at, is_history_complete

DAY = 86_400.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def text(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("interval", "attempted", "now", "due"),
    [
        (24, "2026-03-01 00:15", "2026-03-01 00:16", "2026-03-02 00:15"),
        (24, "2026-03-01 00:14", "2026-03-01 00:16", "2026-03-01 00:16"),  # missed: now
        (24, "2026-03-01 15:00", "2026-03-01 15:01", "2026-03-02 00:15"),
        (6, "2026-03-01 15:00", "2026-03-01 15:01", "2026-03-01 18:15"),
        (6, "2026-03-01 18:15", "2026-03-01 23:00", "2026-03-02 00:15"),
        (24, "2024-02-28 00:15", "2024-02-28 09:00", "2024-02-29 00:15"),
        (24, "2026-12-31 00:15", "2026-12-31 09:00", "2027-01-01 00:15"),
        (24, "2027-01-01 00:15", "2026-03-01 09:00", "2026-03-01 09:00"),  # the clock went back
    ],
)
def test_an_account_is_read_once_in_each_interval(interval, attempted, now, due):
    tried = PollState(attempted_at=at(attempted))
    assert text(due_at(tried, interval * 3600, at(now))) == due


def test_failures_are_tried_again_ever_more_rarely():
    begun = at("2026-03-01 00:15")
    waits = [
        (due_at(PollState(attempted_at=begun, failures=n), DAY, begun + 1) - begun) / 60
        for n in range(1, 9)
    ]
    assert waits == [15, 30, 60, 120, 240, 480, 720, 720]


@given(st.integers(0, 4_000_000_000), st.integers(6, 24))
def test_each_day_begins_with_a_read_and_has_one_in_each_interval(start, hours):
    interval, now, reads = hours * 3600.0, float(start), []
    for _ in range(9):
        due = due_at(PollState(attempted_at=reads[-1] if reads else None), interval, now)
        assert due >= now
        now = due
        reads.append(due)
        now += 1
    since_midnight = [read % DAY - 900 for read in reads[1:]]
    slots = [n * interval for n in range(4) if n * interval < DAY]
    assert set(since_midnight) <= set(slots)
    assert all(
        b - a == (interval if after else DAY - slots[-1])
        for (a, b), after in zip(pairwise(reads[1:]), since_midnight[1:], strict=True)
    )
    assert 0 < reads[1] - reads[0] <= interval


@pytest.mark.parametrize(
    ("now", "full_refresh", "first", "end"),
    [
        ("2026-03-01 00:15", False, "2026-02-01", "2026-03-02"),
        ("2024-02-29 23:59", False, "2024-01-01", "2024-03-01"),
        ("2026-01-31 12:00", False, "2025-12-01", "2026-02-01"),
        ("2026-01-31 12:00", True, "2025-10-01", "2026-02-01"),
    ],
)
def test_this_month_and_the_one_before_are_read_and_more_at_first(now, full_refresh, first, end):
    days = days_to_read(PollState(), at(now), full_refresh=full_refresh)
    assert tuple(map(str, days)) == (first, end)


@pytest.mark.parametrize(
    ("succeeded", "now", "first"),
    [
        ("2026-02-28 00:16", "2026-03-01 00:15", "2026-02-01"),  # January was read to its end
        ("2026-02-05 00:16", "2026-03-01 00:15", "2026-01-01"),
        ("2026-01-10 00:16", "2026-03-20 00:15", "2025-12-01"),
        ("2024-01-10 00:16", "2026-03-20 00:15", "2025-03-01"),  # AWS has no more
        ("2026-04-10 00:16", "2026-03-20 00:15", "2026-02-01"),  # the clock went back
    ],
)
def test_what_an_outage_missed_is_read_after_it(succeeded, now, first):
    days = days_to_read(PollState(succeeded_at=at(succeeded)), at(now), full_refresh=False)
    assert str(days[0]) == first


def test_history_is_read_until_aws_has_had_time():
    asked = at("2026-03-01 12:00")
    tried = PollState(history_first=date(2025, 4, 1), history_requested_at=asked)
    assert days_to_read(tried, asked, full_refresh=False)[0] == date(2025, 4, 1)
    assert not is_history_complete(tried, asked + DAY)
    assert is_history_complete(tried, asked + 2 * DAY)
    assert is_history_complete(tried, asked - 1)  # the clock went back
