"""Baselines of what a window counted, and counts of one baseline in another's bins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlguard_sidecar.baseline import (
    Binning,
    ColumnSample,
    Method,
    build,
    dump,
    promote,
    read_file,
    rebinned,
    values_outside,
)
from mlguard_sidecar.drift import psi
from mlguard_sidecar.histogram import Pane, Partition, no_moments
from mlguard_sidecar.statistics import Change, difference

DEFAULT = Binning()


def baseline(binning=DEFAULT, **columns):
    samples = {name: ColumnSample.of(values) for name, values in columns.items()}
    predictions = {n: samples.pop(n) for n in ("y_pred", "y_proba") if n in samples}
    rows = max(len(values) for values in columns.values())
    return build(samples, predictions, samples=rows, source="t", created=0.0, default=binning)


def pane(found, **columns) -> Pane:
    """What a window would hold of these values."""
    counts = np.zeros(found.layout.width, dtype=np.int64)
    moments = no_moments(len(found.columns))
    outside = {}
    for i, part in enumerate(found.columns):
        values = columns[part.column.name]
        whole = Partition.whole(len(values))
        folded, numbers = part.column.fold(values, whole)
        counts[found.layout.slots(i)] = folded[0]
        if numbers is not None:
            moments[i] = numbers[0]
        for kept in values_outside(part, values, whole, folded).values():
            outside[i] = kept
    return Pane(counts, moments, outside)


def promoted(old, binning=DEFAULT, **columns):
    done = promote(old, pane(old, **columns), created=1.0, default=binning, binnings={})
    again = read_file(dump(done.baseline))
    assert again.id == done.baseline.id
    return done


def drift_of(found, **columns) -> dict[str, float]:
    shown = pane(found, **columns)
    return {
        part.column.name: psi(
            part.psi_baseline, part.psi_counts(shown.counts[found.layout.slots(i)])
        )
        for i, part in enumerate(found.columns)
    }


numbers = st.one_of(
    st.lists(st.floats(-1e308, 1e308), min_size=1, max_size=60),
    st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=200),
    st.lists(st.sampled_from([0.0] * 8 + [1.5, 2.5]), min_size=1, max_size=100),
)
binnings = st.sampled_from(
    [DEFAULT, Binning(bins=3), Binning(method=Method.UNIFORM), Binning(edges=(-1.0, 0.0, 9.0))]
)


@settings(max_examples=400, deadline=None)
@given(numbers, numbers, binnings)
def test_numbers_sent_again_show_no_drift_from_what_was_promoted(before, now, binning):
    old = baseline(binning, x=before)
    done = promoted(old, binning, x=now)
    (column,) = done.baseline.columns
    assert column.counts.sum() == len(now)
    assert column.moments is not None
    assert column.moments[3:] == (min(now), max(now))
    assert drift_of(done.baseline, x=now) == {"x": 0.0}
    shown = pane(done.baseline, x=now)
    assert shown.counts.tolist() == column.counts.tolist(), "bin by bin"
    assert column.out_of_range(shown.counts) == 0
    if binning.edges:
        assert column.psi_edges == binning.edges
    (compared,) = difference(old, done.baseline)
    if compared.drift is not None:
        (part,) = old.columns
        exact = psi(part.psi_baseline, part.psi_counts(pane(old, x=now).counts))
        assert compared.drift.psi == pytest.approx(exact), "the old edges are all among the new"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=80),
    st.lists(st.sampled_from("abcdefghxyz"), min_size=1, max_size=80),
)
def test_categories_sent_again_show_no_drift_though_some_are_new(before, now):
    done = promoted(baseline(c=before), c=now)
    (column,) = done.baseline.columns
    assert set(column.column.categories) == set(now)
    assert drift_of(done.baseline, c=now) == {"c": 0.0}
    share = sum(v not in before for v in now) / len(now)
    assert dict(done.outside) == ({"c": pytest.approx(share)} if share > 0.1 else {})


def test_promoted_bins_have_equal_shares_after_a_shift():
    rng = np.random.default_rng(1)
    old = baseline(x=rng.normal(size=5000))
    now = rng.normal(0.4, 0.7, size=5000)
    done = promoted(old, x=now)
    (column,) = done.baseline.columns
    assert len(column.psi_baseline) == 10
    assert column.psi_baseline.min() > 350
    assert not done.outside


def test_constants_predictions_and_scores_are_promoted():
    rng = np.random.default_rng(2)
    old = baseline(
        x=[3.0] * 500, y_pred=["a", "b"] * 250, y_proba=rng.uniform(0, 1, 500), gone=[1.0] * 500
    )
    now = {
        "x": [3.0] * 400,
        "y_pred": ["a", "b", "b", "b"] * 99 + ["new"] * 4,
        "y_proba": rng.uniform(0, 0.5, 400),
        "gone": [None] * 400,
    }
    done = promoted(old, **now)
    assert done.baseline.not_watched == {"gone": "no values in the window"}
    assert not done.outside
    assert set(drift_of(done.baseline, **now).values()) == {0.0}
    assert done.baseline.samples == 400
    assert done.baseline.source == "promoted"
    changes = {d.column.name: d.change for d in difference(old, done.baseline)}
    assert changes == {
        "gone": Change.GONE,
        "y_pred": Change.MOVED,
        "y_proba": Change.MOVED,
        "x": Change.WITHIN_CHANCE,
    }


def test_columns_with_many_values_outside_are_named():
    old = baseline(x=np.arange(100.0), c=["a", "b"] * 50, d=["a", "b"] * 50)
    x = np.concatenate([np.arange(80.0), np.full(20, 1e6)])
    done = promoted(old, x=x, c=["a"] * 85 + ["z"] * 15, d=["a"] * 95 + ["z"] * 5)
    assert dict(done.outside) == {"x": pytest.approx(0.2), "c": pytest.approx(0.15)}


@settings(max_examples=300, deadline=None)
@given(numbers, numbers)
def test_counts_in_other_bins_keep_their_sum_and_are_near(before, now):
    (old,), (new,) = baseline(x=before).columns, baseline(x=now).columns
    found = rebinned(new, old)
    assert found.min() >= 0
    assert found.sum() == len(now)
    exact = old.column.fold(now, Partition.whole(len(now)))[0][0]
    # what a value may be off by is its own bin
    widest = new.counts[: new.column.bins].max()
    assert np.abs(np.cumsum(found) - np.cumsum(exact)).max() <= widest
    assert rebinned(new, new).tolist() == new.counts.tolist()
