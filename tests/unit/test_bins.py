"""Edges between bins: near values, with ties, beyond the ends."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlguard_sidecar.baseline import Binning, ColumnBaseline, ColumnSample, Method, build
from mlguard_sidecar.baseline.bins import (
    close_values,
    column_edges,
    edge_label,
    ends,
    psi_edges,
    split,
    tail_edges,
)
from mlguard_sidecar.drift import psi
from mlguard_sidecar.histogram import Column, Kind, Partition

MAX = float(np.finfo(np.float64).max)
MAX_32 = float(np.finfo(np.float32).max)

anything = st.floats(allow_nan=False, allow_infinity=False)
amounts = st.one_of(
    anything,
    st.floats(-1e6, 1e6),
    st.integers(-50, 50).map(float),
    st.sampled_from([0.0, 0.1, 0.7, 1 / 3, 39.0, 1e-45, 1e-40, MAX, -MAX, MAX_32]),
)
samples = st.lists(amounts, min_size=1, max_size=80)
binnings = st.builds(
    Binning, bins=st.integers(2, 60), method=st.sampled_from([Method.QUANTILE, Method.UNIFORM])
)


def baseline(values, binning: Binning | None = None) -> ColumnBaseline:
    numbers = [float(v) for v in values]
    (column,) = build(
        {"x": ColumnSample.of(numbers)},
        {},
        samples=len(numbers),
        source="test",
        created=0,
        default=binning or Binning(),
    ).columns
    return column


def counted(column: ColumnBaseline, values) -> np.ndarray:
    numbers = [float(v) for v in values]
    counts, _ = column.column.fold(numbers, Partition.whole(len(numbers)))
    return counts[0]


def rounded(values) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.array(values).astype(np.float32)


@given(samples, st.integers(2, 60))
@example([0.7, 0.7, 0.1], 10)
@example([0.7], 10)
@example([0.0, 1e-30], 2)
def test_float32_and_float64_fall_into_the_same_bins(sample, bins):
    assume(close_values(sample) == 0)
    column = baseline(sample, Binning(bins=bins))
    counts = counted(column, rounded(sample))
    assert counts.tolist() == counted(column, sample).tolist()
    assert column.out_of_range(counts) == 0


@given(samples, st.integers(2, 60))
@example([0.7, 0.7, 0.1], 10)
@example([0.7], 10)
def test_a_baseline_of_float32_counts_float64_alike(sample, bins):
    assume(close_values(sample) == 0)
    column = baseline(rounded(sample), Binning(bins=bins))
    counts = counted(column, sample)
    assert counts.tolist() == counted(column, rounded(sample)).tolist()
    assert column.out_of_range(counts) == 0


@given(samples)
def test_values_are_close_only_where_float32_could_confuse_them(sample):
    values = np.unique(sample)
    gaps = np.diff(np.array([float.fromhex(float(v).hex()) / 4 for v in values]))
    near = gaps < 2.0**-21 * np.maximum(np.abs(values[1:]), np.abs(values[:-1])) / 4
    tiny = (np.abs(values) < 2.0**-126) & (values != 0)
    assert close_values(sample) == near.sum() + tiny.sum() + (np.abs(values) > MAX_32).sum()


@pytest.mark.parametrize(
    ("sample", "doubts"),
    [
        ([1.0, 1.0 + 2.0**-22], 1),
        ([1.0, 1.0 + 2.0**-20], 0),
        ([1e-40], 1),
        ([1e39, 1.0], 1),
        ([0.0, 1.0], 0),
    ],
)
def test_doubts_of_examples(sample, doubts):
    assert close_values(sample) == doubts


@given(samples, binnings)
def test_a_baseline_finds_each_of_its_values_within_its_range(sample, binning):
    column = baseline(sample, binning)
    edges = column.column.edges
    assert all(math.isfinite(e) for e in edges)
    assert all(a < b for a, b in pairwise(edges))
    assert set(column.psi_edges) <= set(edges)
    assert column.psi_baseline.sum() == len(sample)
    assert column.out_of_range(column.counts) == 0
    assert len(set(column.psi_labels)) == len(column.psi_baseline)


def test_an_edge_lies_just_above_its_lower_neighbour_or_halfway_to_a_close_one():
    close = 1 + 2.0**-30
    edges = psi_edges(np.array([-3.0, 0.0, 1.0, close, 9.0]), 10, uniform=False)
    assert edges == (-3 + 3 * 2.0**-22, 0.0, 1 + 2.0**-31, close * (1 + 2.0**-22))


@pytest.mark.parametrize("value", [5.0, -5.0, 0.7, 1e300])
def test_a_constant_has_a_bin_with_room_for_rounding(value):
    column = baseline([value] * 20)
    low, high = column.psi_edges
    assert low == pytest.approx(value - abs(value) * 2.0**-22, rel=1e-12)
    assert high == pytest.approx(value + abs(value) * 2.0**-22, rel=1e-12)
    assert column.psi_baseline.tolist() == [0, 20, 0]


def test_a_constant_zero_has_no_room():
    assert baseline([0.0] * 20).psi_edges == (-5e-324, 0.0)
    assert baseline([0.0] * 20).psi_baseline.tolist() == [0, 20, 0]


def test_the_ends_stay_finite():
    assert ends(-MAX, MAX) == (-MAX, MAX)


def test_quantiles_are_numpys_where_no_value_is_frequent():
    numbers = np.random.default_rng(3).permutation(1000).astype(float)
    for bins in (2, 7, 10, 60):
        levels = np.arange(1, bins) / bins
        expected = np.quantile(numbers, levels, method="inverted_cdf")
        assert np.floor(psi_edges(numbers, bins, uniform=False)).tolist() == expected.tolist()


counts_of_values = st.lists(st.integers(1, 1000), min_size=1, max_size=70)


@given(counts_of_values, st.integers(1, 60))
def test_there_are_as_many_bins_as_asked_for_or_values(counts, bins):
    last = split(counts, bins)
    assert last == sorted(set(last))
    assert all(0 <= i < len(counts) - 1 for i in last)
    assert len(last) + 1 == min(bins, len(counts))


@given(counts_of_values, st.integers(3, 60))
def test_the_most_frequent_value_has_a_bin_of_its_own(counts, bins):
    top = int(np.argmax(counts))
    assume(counts[top] * bins > sum(counts))
    last = [-1, *split(counts, bins), len(counts) - 1]
    assert (top - 1, top) in set(pairwise(last))


@given(st.lists(st.integers(30, 60), min_size=4, max_size=70), st.data())
def test_without_frequent_values_bins_end_at_quantiles(counts, data):
    bins = data.draw(st.integers(2, sum(counts) // max(counts)))
    last = split(counts, bins)
    sums = np.cumsum(counts)
    for k, i in enumerate(last, start=1):
        assert sums[i] >= k * sums[-1] / bins > sums[i] - counts[i]


@pytest.mark.parametrize(
    ("counts", "bins", "last"),
    [
        ([1, 98, 1], 2, [0]),
        ([1, 98, 5], 2, [1]),
        ([1, 1, 98], 2, [1]),
        ([98, 1, 1], 2, [0]),
        ([10, 80, 10], 3, [0, 1]),
        ([50, 5, 5, 50, 5, 5], 4, [0, 2, 3]),
        ([5, 30, 5, 5, 30, 5, 5, 5, 5], 6, [0, 1, 3, 4, 6]),
        ([7], 10, []),
    ],
)
def test_splits_of_examples(counts, bins, last):
    assert split(counts, bins) == last


def test_values_that_all_move_to_the_top_are_drift_however_many_are_zero():
    rng = np.random.default_rng(5)
    zeros, others = [0.0] * 950, rng.lognormal(size=50)
    column = baseline([*zeros, *others])
    assert len(column.psi_baseline) == 10
    moved = column.psi_counts(counted(column, [*zeros, *([others.max()] * 50)]))
    assert psi(column.psi_baseline, moved) > 0.2


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e9, 1e9)))
def test_tails_double_their_distance_from_the_ends(numbers):
    low, high = float(numbers.min()), float(numbers.max())
    below, above = ends(low, high)
    width = high - low or abs(high) or 1.0
    left = {below - width * 2.0**k for k in range(-3, 7)} - {below}
    right = {above + width * 2.0**k for k in range(-3, 7)} - {above}
    assert tail_edges(low, high) == sorted(left | right)
    edges = column_edges(numbers, psi_edges(numbers, 10, uniform=False), 10)
    assert {e for e in edges if e < below} == left
    assert {e for e in edges if e > above} == right


def test_tails_that_would_be_infinite_are_left_out():
    assert tail_edges(-MAX, MAX) == []
    assert all(math.isfinite(e) for e in tail_edges(0.0, MAX / 2))


def test_tails_are_out_of_range():
    column = baseline(range(100))
    counts = counted(column, [-1e9, -20.0, -1.0, 0.0, 50.0, 99.0, 100.0, 1e3, 1e9])
    assert column.out_of_range(counts) == 6


@pytest.mark.parametrize(
    ("edge", "label"),
    [
        (39 * (1 + 2.0**-22), "39.0"),
        (-39 * (1 - 2.0**-22), "-39.0"),
        (0.7 * (1 + 2.0**-22), "0.7"),
        (0.0, "0.0"),
        (0.123456789, "0.123456789"),
        (2.0**-1074, "5e-324"),
        (1.5, "1.5"),
    ],
)
def test_labels_of_edges_are_short(edge, label):
    assert edge_label(edge) == label


@given(anything)
def test_a_label_is_the_edge_or_just_below(edge):
    shown = float(edge_label(edge))
    assert edge - 2.0**-21 * abs(edge) <= shown <= edge


def test_baselines_whose_edges_end_at_the_data_keep_working():
    edges = (math.nextafter(0.0, -math.inf), 3.0, 6.0, 9.0)
    column = Column("x", Kind.NUMERIC, edges=edges)
    counts, moments = column.fold([float(i) for i in range(10)], Partition.whole(10))
    assert moments is not None
    former = ColumnBaseline(column, counts[0], tuple(moments[0].tolist()), (3.0, 6.0))
    assert former.psi_baseline.tolist() == [4, 3, 3]
    assert former.psi_labels == ("<=3.0", "<=6.0", ">6.0")
    assert former.out_of_range(former.counts) == 0
    assert former.out_of_range(counted(former, [-1.0, 0.0, 9.0, 9.1])) == 2
