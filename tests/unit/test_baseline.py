"""Edges, categories, and the file."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlguard_sidecar.baseline import Baseline, Binning, ColumnSample, Method, build, dump, load
from mlguard_sidecar.histogram import Kind, Partition


def built(binning: Binning | None = None, *, predictions=None, **features) -> Baseline:
    return build(
        {name: ColumnSample.of(values) for name, values in features.items()},
        {name: ColumnSample.of(values) for name, values in (predictions or {}).items()},
        samples=len(next(iter((features | (predictions or {})).values()))),
        source="test",
        created=1_700_000_000,
        default=Binning(),
        binnings=dict.fromkeys(features, binning) if binning else None,
    )


def test_psi_edges_are_numpys_deciles():
    x = np.random.default_rng(1).normal(size=1000)
    (column,) = built(x=x.tolist()).columns
    deciles = np.quantile(x, np.arange(1, 10) / 10, method="inverted_cdf")
    assert column.psi_edges == tuple(deciles + 2.0**-22 * np.abs(deciles))
    assert column.psi_baseline.tolist() == [100] * 10
    assert len(column.psi_labels) == 10


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(2, 60))
def test_the_fine_edges_hold_the_psi_edges_and_the_ends(sample, bins):
    (column,) = built(Binning(bins=bins), x=sample).columns
    edges = column.column.edges
    assert len(edges) <= 64 + 2 * 10
    assert set(column.psi_edges) <= set(edges)
    assert column.psi_baseline.sum() == len(sample)
    counted = column.counts
    assert counted[0] == 0, "nothing lies below the minimum"
    assert counted[column.column.bins - 1] == 0, "nothing lies above the maximum"
    assert column.out_of_range(counted) == 0
    current = [min(sample) - 1, max(sample) + 1, sample[0]]
    counts, _ = column.column.fold(current, Partition.whole(len(current)))
    assert column.out_of_range(counts[0]) == 2


def test_a_frequent_value_has_a_bin_and_a_constant_keeps_one_below_and_above():
    (zeros,) = built(x=[0.0] * 700 + list(range(1, 301))).columns
    assert zeros.psi_baseline[0] == 700
    assert len(zeros.psi_baseline) == 10
    assert set(zeros.psi_baseline[1:].tolist()) == {33, 34}
    (constant,) = built(x=[5.0] * 100).columns
    assert constant.psi_baseline.tolist() == [0, 100, 0]
    counts, _ = constant.column.fold([4.9, 5.0, 5.1], Partition.whole(len([4.9, 5.0, 5.1])))
    assert constant.psi_counts(counts[0]).tolist() == [1, 1, 1]


def test_other_methods_and_given_edges():
    (uniform,) = built(Binning(bins=4, method=Method.UNIFORM), x=[0.0, 1.0, 8.0]).columns
    assert uniform.psi_edges == (2.0, 4.0, 6.0)
    (given_edges,) = built(Binning(edges=(1.0, 2.0)), x=[0.0, 1.5, 9.0]).columns
    assert given_edges.psi_edges == (1.0, 2.0)
    assert given_edges.psi_baseline.tolist() == [1, 1, 1]


def test_categories_are_the_most_frequent_and_drift_is_judged_over_twenty_of_them():
    sample = [f"c{i:03}" for i in range(150) for _ in range(150 - i)]
    (column,) = built(c=sample).columns
    assert column.column.categories[:2] == ("c000", "c001")
    assert len(column.column.categories) == 100
    assert len(column.psi_baseline) == 21
    assert column.psi_baseline.sum() == len(sample)
    assert column.psi_labels[-1] == "__other__"


def test_numbers_are_categories_too():
    (ids,) = built(Binning(kind=Kind.CATEGORICAL), c=[1, 2, 2, None]).columns
    assert ids.column.categories == ("2", "1")
    assert ids.counts.tolist() == [2, 1, 0, 1, 0]
    (mixed,) = built(c=["a", 1, "a"]).columns
    assert mixed.counts.tolist() == [2, 1, 0, 0, 0]


def test_whole_predictions_are_classes_and_others_values():
    kinds = [
        built(predictions={"y_pred": sample}).columns[0].column.kind
        for sample in ([0, 1, 1], [True, False], ["a"], [0.5, 1.5])
    ]
    assert kinds == [Kind.CATEGORICAL] * 3 + [Kind.NUMERIC]


def test_a_column_without_values_is_left_out():
    assert built(x=[None, None], y=[1, 2]).columns[0].column.name == "y"
    assert len(built(x=[None], y=[1]).columns) == 1


def test_the_file_comes_back_and_its_name_is_the_hash_of_its_bytes():
    first = built(x=[1.0, 2.5, None, "a"], c=["a", "b", "a", None])
    data = dump(first)
    assert hashlib.sha256(data.rstrip(b"\n")).hexdigest()[:12] == first.id
    again = load(json.dumps(json.loads(data), indent=2).encode())
    assert again.id == first.id
    assert dump(again) == data
    assert again.samples == 4
    for one, other in zip(first.columns, again.columns, strict=True):
        assert one.column == other.column
        assert one.counts.tolist() == other.counts.tolist()
        assert (one.moments, one.psi_edges) == (other.moments, other.psi_edges)


def broken(**changes) -> bytes:
    tree = json.loads(dump(built(x=[1.0, 2.0, 3.0])))
    tree["features"]["x"] |= changes
    return json.dumps(tree).encode()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"{", "not a baseline file"),
        (b"\xff", "not a baseline file"),
        (b'{"format": "x"}', "not a baseline file"),
        (broken(counts=[1, 2]), "features.x.counts: found 2, expected"),
        (broken(edges=[2.0, 1.0, 1.0, 0.0]), "features.x"),
        (broken(psi_edges=[7.5]), "features.x.psi_edges: expected some of the edges"),
        (broken(mean=None), "features.x: expected mean"),
        (broken(surprise=1), "unknown field"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(data, text):
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        load(data)
    assert text in str(caught.value)
