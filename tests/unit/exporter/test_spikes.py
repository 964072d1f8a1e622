"""Spikes of daily spend: what is told, what is not, and for how long."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlguard_exporter.spikes import Judging, Verdict, judge

FIRST = date(2024, 1, 8)  # a Monday


def at(i: int) -> date:
    return FIRST + timedelta(i)


def spend(count: int, level: float = 500.0, weekend: float = 1.0, seed: int = 1):
    """Days of `level` with noise of 5 %."""
    rng = random.Random(seed)
    return {
        at(i): Decimal(
            f"{level * rng.uniform(0.92, 1.08) * (weekend if at(i).weekday() > 4 else 1):.4f}"
        )
        for i in range(count)
    }


def told(days, judging: Judging | None = None, known_from: date | None = FIRST) -> list[int]:
    verdicts = judge(days, judging or Judging(), known_from=known_from)
    assert list(verdicts) == sorted(days)
    return [(day - FIRST).days for day, verdict in verdicts.items() if verdict.spike]


def test_a_spike_is_told_with_what_was_expected():
    days = spend(40) | {at(30): Decimal(1200)}
    verdict = judge(days, known_from=FIRST)[at(30)]
    assert told(days) == [30]
    assert (verdict.day, verdict.amount) == (at(30), 1200.0)
    assert verdict.expected == pytest.approx(500, rel=0.1)
    assert verdict.excess == pytest.approx(1200 - verdict.expected)


def test_a_spike_does_not_raise_what_is_expected_afterwards():
    quiet, loud = spend(60), spend(60) | {at(30): Decimal(5000), at(33): Decimal(4000)}
    before, after = judge(quiet, known_from=FIRST), judge(loud, known_from=FIRST)
    for i in range(34, 60):
        assert after[at(i)].expected == pytest.approx(before[at(i)].expected, rel=0.05)
    assert told(loud) == [30, 33]
    assert told(loud | {at(36): Decimal(1000)}) == [30, 33, 36]


def test_under_seven_days_there_is_no_verdict():
    verdicts = judge(spend(8), known_from=FIRST)
    for i in range(7):
        assert verdicts[at(i)] == Verdict(at(i), verdicts[at(i)].amount, None, 0.0, spike=False)
    assert verdicts[at(7)].expected == pytest.approx(500, rel=0.1)


def test_missing_days_are_neither_zero_nor_judged():
    days = spend(60) | {at(50): Decimal(1200)}
    for i in (10, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 45, 49):
        del days[at(i)]
    assert told(days) == [50]
    assert judge(days)[at(30)].expected == pytest.approx(500, rel=0.1)


@pytest.mark.parametrize("weekend", [0.05, 0.45, 1.8])
def test_weekdays_have_their_own_level(weekend):
    days = spend(60, weekend=weekend)
    assert told(days) == []
    verdicts = judge(days, known_from=FIRST)
    saturday = at(54)
    assert verdicts[saturday].expected == pytest.approx(500 * weekend, rel=0.15, abs=1)
    assert told(days | {saturday: days[saturday] * 2 + 300}) == [54]


@pytest.mark.parametrize("zeros", [True, False])
def test_on_idle_weekends_a_day_with_spend_is_expected_to_cost_what_others_do(zeros):
    days = spend(60, weekend=0)
    if not zeros:
        days = {day: amount for day, amount in days.items() if amount}
    assert told(days) == []
    assert told(days | {at(54): Decimal(500)}) == []
    assert told(days | {at(54): Decimal(1500)}) == [54]


def test_a_step_is_told_three_days_and_then_is_the_level():
    days = spend(60)
    days |= {at(i): days[at(i)] * 2 for i in range(30, 60)}
    assert told(days) == [30, 31, 32]
    assert judge(days)[at(33)].expected == pytest.approx(1000, rel=0.1)
    assert told(days | {at(40): Decimal(2500)}) == [30, 31, 32, 40]


def test_a_step_down_is_not_told_and_is_the_level_after_three_days():
    days = spend(60)
    days |= {at(i): days[at(i)] / 4 for i in range(30, 60)}
    assert told(days) == []
    assert judge(days)[at(33)].expected == pytest.approx(125, rel=0.1)
    assert told(days | {at(55): Decimal(400)}) == [55]


def test_the_way_back_from_a_quiet_week_is_no_spike():
    days = spend(60)
    days |= {at(i): days[at(i)] / 4 for i in range(30, 38)}
    assert told(days) == []


def test_a_slow_ramp_is_no_spike():
    days = {day: amount * Decimal(1.015**i) for i, (day, amount) in enumerate(spend(120).items())}
    assert told(days) == []


@pytest.mark.parametrize("amount", [Decimal(-9000), Decimal(-1), Decimal(0), Decimal("0.01")])
@pytest.mark.parametrize("day", [1, 3, 9, 16, 30])
def test_a_refund_or_an_idle_day_fires_neither_itself_nor_later(amount, day):
    assert told(spend(60) | {at(day): amount}) == []


def test_a_pause_of_a_week_is_no_season():
    days = spend(60) | {at(i): Decimal(0) for i in range(20, 27)}
    assert told(days) == []
    assert judge(days, known_from=FIRST)[at(34)].expected == pytest.approx(500, rel=0.1)


def test_spend_that_begins_with_much_is_told_once():
    days = {day: amount for day, amount in spend(60).items() if day >= at(20)}
    assert told(days) == [20]
    begun = judge(days, known_from=FIRST)[at(20)]
    assert (begun.expected, begun.excess) == (0.0, begun.amount)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.9])
def test_spend_that_begins_by_day_is_told_once(share):
    days = {day: amount for day, amount in spend(80, weekend=0.45).items() if day >= at(21)}
    days[at(21)] *= Decimal(share)
    assert told(days) == [21 if days[at(21)] > 100 else 22]
    assert judge(days)[at(30)].expected == pytest.approx(500, rel=0.15)
    assert told(days | {at(40): days[at(40)] * 3})[-1] == 40


def test_spend_that_begins_small_is_not_told_until_it_multiplies():
    days = {day: amount / 20 for day, amount in spend(60).items() if day >= at(20)}
    assert told(days) == []
    assert told(days | {at(23): Decimal(4000)}) == [23]


def test_nothing_is_new_where_the_silence_before_was_not_seen():
    assert told(spend(30), known_from=FIRST) == []
    assert told(spend(30), known_from=FIRST - timedelta(6)) == []
    assert told(spend(30), known_from=FIRST - timedelta(7)) == [0]
    assert told(spend(30), known_from=None) == [0]


def test_zeros_before_the_first_spend_are_a_silence_that_was_seen():
    days = spend(40) | {at(i): Decimal(0) for i in range(10)}
    assert told(days) == [10]
    assert judge(days)[at(5)].expected is None


@pytest.mark.parametrize(("silence", "again"), [(20, []), (34, []), (35, [75])])
def test_a_series_begins_again_after_a_long_silence(silence, again):
    days = spend(120)
    for i in range(40, 40 + silence):
        days[at(i)] = Decimal(0)
    assert told(days) == again


def test_a_fee_at_the_start_of_the_month_is_told_once():
    days = spend(120)
    fees = [i for i in range(120) if at(i).day == 1]
    days |= {at(i): days[at(i)] + 400 for i in fees}
    assert told(days) == fees[:1]
    assert judge(days)[at(fees[1])].expected == pytest.approx(900, rel=0.1)
    days[at(fees[2])] += 600
    assert told(days) == [fees[0], fees[2]]


@pytest.mark.parametrize("times", [2, 4, 10, 50])
@pytest.mark.parametrize("weeks", [4, 6, 12])
def test_a_weekday_with_a_new_pattern_is_told_twice(times, weeks):
    days, begun = spend(150), weeks * 7 + 2
    days |= {at(i): days[at(i)] * times for i in range(begun, 150, 7)}
    assert told(days) == [begun, begun + 7]


def test_a_restated_day_is_judged_again():
    days = spend(40)
    assert told(days) == []
    assert told(days | {at(30): Decimal(1500)}) == [30]
    assert told(days) == []


def test_small_money_is_never_a_spike():
    days = spend(40, level=2) | {at(30): Decimal(11)}
    assert told(days) == []
    assert told(days, Judging(minimum_usd=5)) == [30]


def test_settings_are_honoured():
    days = spend(40) | {at(30): Decimal(1200)}
    assert told(days, Judging(share=2)) == []
    assert told(days, Judging(deviations=30)) == []
    assert told(days, Judging(min_days=31)) == []
    stepped = days | {at(i): Decimal(1200) for i in range(30, 40)}
    assert told(stepped, Judging(accept_days=5)) == [30, 31, 32, 33, 34]
    assert told(spend(40), Judging(new_usd=1000), known_from=None) == []


@pytest.mark.parametrize("idle", [Decimal(0), None])
def test_jobs_on_some_days_are_compared_with_each_other(idle):
    rng = random.Random(2)
    days = {day: amount if rng.random() < 0.3 else idle for day, amount in spend(200).items()}
    days = {day: amount for day, amount in days.items() if amount is not None}
    assert told(days) == []
    assert told(days | {at(150): Decimal(1500)}) == [150]


def test_noisy_spend_needs_more():
    rng = random.Random(3)
    noisy = {at(i): Decimal(f"{500 * rng.lognormvariate(0, 0.4):.2f}") for i in range(60)}
    assert told(noisy | {at(50): Decimal(1000)}) == []
    assert told(noisy | {at(50): Decimal(5000)}) == [50]


def test_a_leap_day_is_a_day():
    days = spend(60) | {date(2024, 2, 29): Decimal(1500)}
    assert told(days) == [(date(2024, 2, 29) - FIRST).days]


def test_nothing_comes_of_nothing():
    assert judge({}) == {}
    zeros = {at(i): Decimal(0) for i in range(50)}
    assert all(v.expected is None and not v.spike for v in judge(zeros).values())


amounts = st.one_of(
    st.decimals(-100, 10_000, places=2),
    st.decimals(90, 110, places=2),
    st.sampled_from([Decimal(0), Decimal("1e-10"), Decimal("1e12")]),
)
mappings = st.lists(
    st.tuples(st.integers(0, 400), amounts), max_size=150, unique_by=lambda pair: pair[0]
).map(lambda pairs: {at(i): amount for i, amount in pairs})


weeks = st.lists(
    st.lists(st.sampled_from([None, None, 0, 1, 10, 100, 1000]), min_size=7, max_size=7),
    min_size=3,
    max_size=12,
).map(
    lambda weeks: {
        at(7 * week + weekday): Decimal(amount)
        for week, days in enumerate(weeks)
        for weekday, amount in enumerate(days)
        if amount is not None
    }
)


@given(weeks)
@example(
    {at(7 * n): Decimal(100) for n in range(8)}
    | {at(63): Decimal(1000), at(70): Decimal(1000)}
    | {at(63 + n): Decimal(100) for n in (1, 2, 3)}
)
def test_jobs_on_few_weekdays_have_verdicts(days):
    verdicts = judge(days, known_from=FIRST)
    assert list(verdicts) == sorted(days)
    for verdict in verdicts.values():
        assert verdict.expected is None or verdict.expected >= 0
        assert verdict.excess == pytest.approx(verdict.amount - (verdict.expected or 0)) or (
            verdict.expected is None and verdict.excess == 0
        )


@given(mappings, st.randoms(use_true_random=False))
def test_any_days_in_any_order_have_the_same_verdicts(days, rng):
    shuffled = list(days.items())
    rng.shuffle(shuffled)
    verdicts = judge(days)
    assert judge(dict(shuffled)) == verdicts
    assert list(verdicts) == sorted(days)
    for day, verdict in verdicts.items():
        assert verdict.day == day
        assert verdict.amount == float(days[day])
        if verdict.expected is None:
            assert verdict.excess == 0
            assert not verdict.spike
        else:
            assert verdict.excess == pytest.approx(verdict.amount - verdict.expected, abs=1e-3)
            assert verdict.excess > 0 or not verdict.spike


@given(mappings, st.integers(-8, 8))
def test_above_the_minimum_the_unit_does_not_matter(days, power):
    """By powers of two, which no float rounds."""
    anything = Judging(minimum_usd=0, new_usd=0)
    factor = Decimal(2) ** power
    scaled = judge({day: amount * factor for day, amount in days.items()}, anything)
    assert [v.spike for v in scaled.values()] == [v.spike for v in judge(days, anything).values()]


@given(mappings)
def test_later_days_change_no_verdict(days):
    half = dict(sorted(days.items())[: len(days) // 2])
    verdicts = judge(days)
    assert judge(half) == {day: verdicts[day] for day in half}
