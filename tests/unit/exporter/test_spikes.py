"""Spikes of daily spend: what is reported, what is not, and for how long."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlguard_exporter.spikes import Anomaly, SpikeConfig, detect_spikes

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


def reported(days, config: SpikeConfig | None = None, known_from: date | None = FIRST) -> list[int]:
    anomalies = detect_spikes(days, config or SpikeConfig(), known_from=known_from)
    assert list(anomalies) == sorted(days)
    return [(day - FIRST).days for day, anomaly in anomalies.items() if anomaly.is_spike]


def test_a_spike_is_reported_with_what_was_expected():
    days = spend(40) | {at(30): Decimal(1200)}
    anomaly = detect_spikes(days, known_from=FIRST)[at(30)]
    assert reported(days) == [30]
    assert (anomaly.day, anomaly.amount) == (at(30), 1200.0)
    assert anomaly.expected == pytest.approx(500, rel=0.1)
    assert anomaly.excess == pytest.approx(1200 - anomaly.expected)


def test_a_spike_does_not_raise_what_is_expected_afterwards():
    quiet, loud = spend(60), spend(60) | {at(30): Decimal(5000), at(33): Decimal(4000)}
    before, after = detect_spikes(quiet, known_from=FIRST), detect_spikes(loud, known_from=FIRST)
    for i in range(34, 60):
        assert after[at(i)].expected == pytest.approx(before[at(i)].expected, rel=0.05)
    assert reported(loud) == [30, 33]
    assert reported(loud | {at(36): Decimal(1000)}) == [30, 33, 36]


def test_under_seven_days_there_is_no_anomaly():
    anomalies = detect_spikes(spend(8), known_from=FIRST)
    for i in range(7):
        assert anomalies[at(i)] == Anomaly(
            at(i), anomalies[at(i)].amount, None, 0.0, is_spike=False
        )
    assert anomalies[at(7)].expected == pytest.approx(500, rel=0.1)


def test_missing_days_are_neither_zero_nor_judged():
    days = spend(60) | {at(50): Decimal(1200)}
    for i in (10, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 45, 49):
        del days[at(i)]
    assert reported(days) == [50]
    assert detect_spikes(days)[at(30)].expected == pytest.approx(500, rel=0.1)


@pytest.mark.parametrize("weekend", [0.05, 0.45, 1.8])
def test_weekdays_have_their_own_level(weekend):
    days = spend(60, weekend=weekend)
    assert reported(days) == []
    anomalies = detect_spikes(days, known_from=FIRST)
    saturday = at(54)
    assert anomalies[saturday].expected == pytest.approx(500 * weekend, rel=0.15, abs=1)
    assert reported(days | {saturday: days[saturday] * 2 + 300}) == [54]


@pytest.mark.parametrize("zeros", [True, False])
def test_on_idle_weekends_a_day_with_spend_is_expected_to_cost_what_others_do(zeros):
    days = spend(60, weekend=0)
    if not zeros:
        days = {day: amount for day, amount in days.items() if amount}
    assert reported(days) == []
    assert reported(days | {at(54): Decimal(500)}) == []
    assert reported(days | {at(54): Decimal(1500)}) == [54]


def test_a_step_is_reported_three_days_and_then_is_the_level():
    days = spend(60)
    days |= {at(i): days[at(i)] * 2 for i in range(30, 60)}
    assert reported(days) == [30, 31, 32]
    assert detect_spikes(days)[at(33)].expected == pytest.approx(1000, rel=0.1)
    assert reported(days | {at(40): Decimal(2500)}) == [30, 31, 32, 40]


def test_a_step_down_is_not_reported_and_is_the_level_after_three_days():
    days = spend(60)
    days |= {at(i): days[at(i)] / 4 for i in range(30, 60)}
    assert reported(days) == []
    assert detect_spikes(days)[at(33)].expected == pytest.approx(125, rel=0.1)
    assert reported(days | {at(55): Decimal(400)}) == [55]


def test_the_way_back_from_a_quiet_week_is_no_spike():
    days = spend(60)
    days |= {at(i): days[at(i)] / 4 for i in range(30, 38)}
    assert reported(days) == []


def test_a_slow_ramp_is_no_spike():
    days = {day: amount * Decimal(1.015**i) for i, (day, amount) in enumerate(spend(120).items())}
    assert reported(days) == []


@pytest.mark.parametrize("amount", [Decimal(-9000), Decimal(-1), Decimal(0), Decimal("0.01")])
@pytest.mark.parametrize("day", [1, 3, 9, 16, 30])
def test_a_refund_or_an_idle_day_fires_neither_itself_nor_later(amount, day):
    assert reported(spend(60) | {at(day): amount}) == []


def test_a_pause_of_a_week_is_no_season():
    days = spend(60) | {at(i): Decimal(0) for i in range(20, 27)}
    assert reported(days) == []
    assert detect_spikes(days, known_from=FIRST)[at(34)].expected == pytest.approx(500, rel=0.1)


def test_spend_that_begins_with_much_is_reported_once():
    days = {day: amount for day, amount in spend(60).items() if day >= at(20)}
    assert reported(days) == [20]
    begun = detect_spikes(days, known_from=FIRST)[at(20)]
    assert (begun.expected, begun.excess) == (0.0, begun.amount)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.9])
def test_spend_that_begins_by_day_is_reported_once(share):
    days = {day: amount for day, amount in spend(80, weekend=0.45).items() if day >= at(21)}
    days[at(21)] *= Decimal(share)
    assert reported(days) == [21 if days[at(21)] > 100 else 22]
    assert detect_spikes(days)[at(30)].expected == pytest.approx(500, rel=0.15)
    assert reported(days | {at(40): days[at(40)] * 3})[-1] == 40


def test_spend_that_begins_small_is_not_reported_until_it_multiplies():
    days = {day: amount / 20 for day, amount in spend(60).items() if day >= at(20)}
    assert reported(days) == []
    assert reported(days | {at(23): Decimal(4000)}) == [23]


def test_nothing_is_new_where_the_silence_before_was_not_seen():
    assert reported(spend(30), known_from=FIRST) == []
    assert reported(spend(30), known_from=FIRST - timedelta(6)) == []
    assert reported(spend(30), known_from=FIRST - timedelta(7)) == [0]
    assert reported(spend(30), known_from=None) == [0]


def test_zeros_before_the_first_spend_are_a_silence_that_was_seen():
    days = spend(40) | {at(i): Decimal(0) for i in range(10)}
    assert reported(days) == [10]
    assert detect_spikes(days)[at(5)].expected is None


@pytest.mark.parametrize(("silence", "again"), [(20, []), (34, []), (35, [75])])
def test_a_series_begins_again_after_a_long_silence(silence, again):
    days = spend(120)
    for i in range(40, 40 + silence):
        days[at(i)] = Decimal(0)
    assert reported(days) == again


def test_a_fee_at_the_start_of_the_month_is_reported_once():
    days = spend(120)
    fees = [i for i in range(120) if at(i).day == 1]
    days |= {at(i): days[at(i)] + 400 for i in fees}
    assert reported(days) == fees[:1]
    assert detect_spikes(days)[at(fees[1])].expected == pytest.approx(900, rel=0.1)
    days[at(fees[2])] += 600
    assert reported(days) == [fees[0], fees[2]]


@pytest.mark.parametrize("times", [2, 4, 10, 50])
@pytest.mark.parametrize("weeks", [4, 6, 12])
def test_a_weekday_with_a_new_pattern_is_reported_twice(times, weeks):
    days, begun = spend(150), weeks * 7 + 2
    days |= {at(i): days[at(i)] * times for i in range(begun, 150, 7)}
    assert reported(days) == [begun, begun + 7]


def test_a_restated_day_is_judged_again():
    days = spend(40)
    assert reported(days) == []
    assert reported(days | {at(30): Decimal(1500)}) == [30]
    assert reported(days) == []


def test_small_money_is_never_a_spike():
    days = spend(40, level=2) | {at(30): Decimal(11)}
    assert reported(days) == []
    assert reported(days, SpikeConfig(minimum_usd=5)) == [30]


def test_settings_are_honoured():
    days = spend(40) | {at(30): Decimal(1200)}
    assert reported(days, SpikeConfig(share=2)) == []
    assert reported(days, SpikeConfig(deviations=30)) == []
    assert reported(days, SpikeConfig(min_days=31)) == []
    stepped = days | {at(i): Decimal(1200) for i in range(30, 40)}
    assert reported(stepped, SpikeConfig(accept_days=5)) == [30, 31, 32, 33, 34]
    assert reported(spend(40), SpikeConfig(new_usd=1000), known_from=None) == []


@pytest.mark.parametrize("idle", [Decimal(0), None])
def test_jobs_on_some_days_are_compared_with_each_other(idle):
    rng = random.Random(2)
    days = {day: amount if rng.random() < 0.3 else idle for day, amount in spend(200).items()}
    days = {day: amount for day, amount in days.items() if amount is not None}
    assert reported(days) == []
    assert reported(days | {at(150): Decimal(1500)}) == [150]


def test_noisy_spend_needs_more():
    rng = random.Random(3)
    noisy = {at(i): Decimal(f"{500 * rng.lognormvariate(0, 0.4):.2f}") for i in range(60)}
    assert reported(noisy | {at(50): Decimal(1000)}) == []
    assert reported(noisy | {at(50): Decimal(5000)}) == [50]


def test_a_leap_day_is_a_day():
    days = spend(60) | {date(2024, 2, 29): Decimal(1500)}
    assert reported(days) == [(date(2024, 2, 29) - FIRST).days]


def test_nothing_comes_of_nothing():
    assert detect_spikes({}) == {}
    zeros = {at(i): Decimal(0) for i in range(50)}
    assert all(v.expected is None and not v.is_spike for v in detect_spikes(zeros).values())


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
def test_jobs_on_few_weekdays_have_anomalies(days):
    anomalies = detect_spikes(days, known_from=FIRST)
    assert list(anomalies) == sorted(days)
    for anomaly in anomalies.values():
        assert anomaly.expected is None or anomaly.expected >= 0
        assert anomaly.excess == pytest.approx(anomaly.amount - (anomaly.expected or 0)) or (
            anomaly.expected is None and anomaly.excess == 0
        )


@given(mappings, st.randoms(use_true_random=False))
def test_any_days_in_any_order_have_the_same_anomalies(days, rng):
    shuffled = list(days.items())
    rng.shuffle(shuffled)
    anomalies = detect_spikes(days)
    assert detect_spikes(dict(shuffled)) == anomalies
    assert list(anomalies) == sorted(days)
    for day, anomaly in anomalies.items():
        assert anomaly.day == day
        assert anomaly.amount == float(days[day])
        if anomaly.expected is None:
            assert anomaly.excess == 0
            assert not anomaly.is_spike
        else:
            assert anomaly.excess == pytest.approx(anomaly.amount - anomaly.expected, abs=1e-3)
            assert anomaly.excess > 0 or not anomaly.is_spike


@given(mappings, st.integers(-8, 8))
def test_above_the_minimum_the_unit_does_not_matter(days, power):
    """By powers of two, which no float rounds."""
    anything = SpikeConfig(minimum_usd=0, new_usd=0)
    factor = Decimal(2) ** power
    scaled = detect_spikes({day: amount * factor for day, amount in days.items()}, anything)
    assert [v.is_spike for v in scaled.values()] == [
        v.is_spike for v in detect_spikes(days, anything).values()
    ]


@given(mappings)
def test_later_days_change_no_anomaly(days):
    half = dict(sorted(days.items())[: len(days) // 2])
    anomalies = detect_spikes(days)
    assert detect_spikes(half) == {day: anomalies[day] for day in half}
