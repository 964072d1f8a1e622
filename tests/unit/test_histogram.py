"""The arithmetic of panes, against numpy."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlguard_sidecar.histogram import (
    LATENCY_BUCKETS_SECONDS,
    NO_CLASS,
    Column,
    Kind,
    Layout,
    Pane,
    Partition,
    Traffic,
    decode,
    encode,
    fold_traffic,
    merge_panes,
)
from mlguard_sidecar.histogram.pane import merge_moments, moments_of
from mlguard_sidecar.histogram.values import INVALID

numbers = st.lists(st.floats(-1e9, 1e9), max_size=60)
values = st.lists(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just(10**400)
    ),
    max_size=60,
)


def fold(column: Column, sample) -> np.ndarray:
    counts, _ = column.fold(sample, Partition.whole(len(sample)))
    return counts[0]


def pane_of(column: Column, sample) -> Pane:
    counts, moments = column.fold(sample, Partition.whole(len(sample)))
    return Pane(counts[0], moments)


def slots_of(column: Column, sample) -> list[int]:
    """The slot of each value."""
    if not len(sample):
        return []
    counts, _ = column.fold(sample, Partition(np.arange(len(sample)), len(sample)))
    assert (counts.sum(axis=1) == 1).all()
    return counts.argmax(axis=1).tolist()


def assert_same(one: Pane, other: Pane) -> None:
    assert one.counts.tolist() == other.counts.tolist()
    np.testing.assert_allclose(one.moments, other.moments, rtol=1e-9, atol=1e-6)


NUMERIC = Column("x", Kind.NUMERIC, edges=(-10.0, 0.0, 1.5, 1e6))


@given(numbers)
def test_bins_are_closed_on_the_right_as_numpy_says(sample):
    expected = np.digitize(np.array(sample, dtype=float), NUMERIC.edges, right=True)
    assert slots_of(NUMERIC, sample) == expected.tolist()


@given(numbers)
def test_moments_are_numpys(sample):
    n, mean, m2, low, high = moments_of(np.array(sample, dtype=float))
    assert n == len(sample)
    if sample:
        assert mean == pytest.approx(np.mean(sample), rel=1e-12, abs=1e-9)
        assert m2 / n == pytest.approx(np.var(sample), rel=1e-9, abs=1e-9)
        assert (low, high) == (min(sample), max(sample))
        assert low <= mean <= high


def exact(values) -> tuple[Fraction, Fraction]:
    """Mean and population variance in exact fractions."""
    fractions = [Fraction(float(v)) for v in values]
    mean = sum(fractions) / len(fractions)
    return mean, sum((v - mean) ** 2 for v in fractions) / len(fractions)


@pytest.mark.parametrize(
    ("centre", "spread", "tolerance"),
    [(50, 10, 1e-12), (0.001, 1e-4, 1e-12), (1e6, 1e4, 1e-12), (1e9, 1e-3, 1e-5)],
)
@pytest.mark.parametrize("parts", [1, 2, 60, 1440])
def test_merged_moments_are_those_of_exact_fractions(centre, spread, tolerance, parts):
    rng = np.random.default_rng(parts)
    values = rng.normal(centre, spread, 4320)
    pieces = [moments_of(part)[None] for part in np.array_split(values, parts)]
    hours = [merge_moments(pieces[i : i + 60]) for i in range(0, parts, 60)]
    ((n, mean, m2, low, high),) = merge_moments(hours)
    expected, variance = exact(values)
    assert (n, low, high) == (len(values), values.min(), values.max())
    assert abs(Fraction(mean) - expected) <= Fraction(1e-12) * abs(expected)
    assert abs(Fraction(m2) / len(values) - variance) <= Fraction(tolerance) * variance


@given(st.lists(numbers, min_size=1, max_size=6))
def test_panes_merge_to_the_pane_of_everything(parts):
    merged = Pane.zeros(NUMERIC.slots, 1)
    for part in parts:
        merged = merged.merged(pane_of(NUMERIC, part))
    assert_same(merged, pane_of(NUMERIC, [v for part in parts for v in part]))


@given(st.lists(numbers.filter(len), min_size=2, max_size=6))
def test_parts_that_are_counted_in_one_pass_are_those_counted_alone(parts):
    starts = np.cumsum([0, *map(len, parts[:-1])])
    everything = [v for part in parts for v in part]
    counts, moments = NUMERIC.fold(everything, Partition(starts, len(everything)))
    for i, part in enumerate(parts):
        assert_same(Pane(counts[i], moments[i : i + 1]), pane_of(NUMERIC, part))
    latencies = np.abs(np.array(everything)) % 1e7
    none = np.full(len(latencies), NO_CLASS), np.full(len(latencies), np.nan)
    for i, traffic in enumerate(fold_traffic(latencies, *none, Partition(starts, len(latencies)))):
        end = starts[i + 1] if i + 1 < len(starts) else len(latencies)
        assert_same(traffic.pane, traffic_of(latencies[starts[i] : end]).pane)


@given(st.lists(numbers, min_size=1, max_size=8))
def test_many_panes_merge_as_one_after_the_other(parts):
    panes = [pane_of(NUMERIC, part) for part in parts]
    one_by_one = Pane.zeros(NUMERIC.slots, 1)
    for pane in panes:
        one_by_one = one_by_one.merged(pane)
    assert_same(merge_panes(panes), one_by_one)


@given(numbers, numbers, numbers)
def test_merging_knows_no_order_and_no_grouping(a, b, c):
    x, y, z = (pane_of(NUMERIC, part) for part in (a, b, c))
    assert_same(x.merged(y), y.merged(x))
    assert_same(x.merged(y).merged(z), x.merged(y.merged(z)))
    assert_same(x.merged(Pane.zeros(NUMERIC.slots, 1)), x)


@given(
    values, st.sampled_from([NUMERIC, Column("x", Kind.CATEGORICAL, categories=("a", "true", "3"))])
)
def test_every_value_falls_into_exactly_one_slot(sample, column):
    whole = fold(column, sample)
    expected = np.bincount(slots_of(column, sample), minlength=column.slots)
    assert whole.tolist() == expected.tolist()
    assert expected.sum() == len(sample)
    alone = [fold(column, [value]) for value in sample]
    assert sum(alone, np.zeros(column.slots, dtype=int)).tolist() == expected.tolist()


def test_what_is_missing_and_what_is_invalid():
    sample = [1, "x", None, math.nan, math.inf, True, 10**400, INVALID]
    missing, invalid = NUMERIC.missing, NUMERIC.invalid
    expected = [2, invalid, missing, missing, missing, 2, missing, invalid]
    assert slots_of(NUMERIC, sample) == expected
    assert pane_of(NUMERIC, sample).moments.tolist() == [[2, 1, 0, 1, 1]]
    text = Column("c", Kind.CATEGORICAL, categories=("a", "true"))
    assert slots_of(text, ["a", "b", None, True, 3]) == [0, 2, text.missing, 1, 2]
    assert slots_of(text, ["", "True", "TRUE", INVALID]) == [text.missing, 1, 1, text.invalid]
    ids = Column("c", Kind.CATEGORICAL, categories=("3", "2.5"))
    assert slots_of(ids, [3, 3.0, "3", 2.5, 4, math.nan]) == [0, 0, 0, 1, 2, ids.missing]


def test_long_categories_agree_in_their_first_128_characters():
    column = Column("c", Kind.CATEGORICAL, categories=("x" * 128,))
    assert slots_of(column, ["x" * 500, "x" * 127]) == [0, 1]


def test_a_pane_of_a_shorter_layout_merges_into_a_longer_one():
    first = Layout((NUMERIC,))
    longer = first.with_columns([Column("y", Kind.NUMERIC)])
    old = pane_of(NUMERIC, [1.0, 2.0])
    new = Pane.zeros(longer.width, 2)
    new.counts[longer.slots(1)] = [5, 0, 0]
    for merged in (old.merged(new), new.merged(old)):
        assert merged.counts[longer.slots(0)].sum() == 2
        assert merged.counts[longer.slots(1)].tolist() == [5, 0, 0]
        assert merged.moments[0].tolist() == old.moments[0].tolist()


@given(st.lists(st.integers(0, 2**60), max_size=40), numbers)
def test_bytes_come_back_as_the_same_pane(counts, sample):
    pane = Pane(np.array(counts, dtype=np.int64), np.array([moments_of(np.array(sample))]))
    back = decode(encode(pane))
    assert back.counts.tolist() == counts
    assert back.moments.tolist() == pane.moments.tolist()


def test_bytes_that_are_no_pane_are_told():
    for data in (b"", b"9abc", encode(Pane.zeros(4, 1))[:-3]):
        with pytest.raises(ValueError, match="cannot be read"):
            decode(data)


latencies = st.lists(st.floats(0.0, 1e7), min_size=1, max_size=200)


def traffic_of(sample: np.ndarray) -> Traffic:
    none = np.full(len(sample), NO_CLASS), np.full(len(sample), np.nan)
    (traffic,) = fold_traffic(sample, *none, Partition.whole(len(sample)))
    return traffic


@given(latencies, st.floats(0, 1))
def test_latency_quantiles_are_numpys_within_one_percent(sample, level):
    found = traffic_of(np.array(sample)).latency_quantiles_seconds(level)
    assert found is not None
    expected = float(np.quantile(sample, level)) / 1000
    # below a microsecond all latencies share a bin
    assert abs(found[0] - expected) <= 0.01 * expected + 1e-6


@given(latencies)
def test_latency_buckets_count_exactly_what_is_at_or_below_their_bounds(sample):
    traffic = traffic_of(np.array(sample))
    expected = [sum(v <= float(f"{b * 1000:.6g}") for v in sample) for b in LATENCY_BUCKETS_SECONDS]
    assert traffic.latency_buckets() == [*expected, len(sample)]
    assert traffic.latency_sum_seconds == pytest.approx(sum(sample) / 1000, abs=1e-9 * len(sample))


def test_no_latency_no_quantile():
    assert Traffic.zeros().latency_quantiles_seconds(0.5) is None
    assert Traffic.zeros().score() is None
