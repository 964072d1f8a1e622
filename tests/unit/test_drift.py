"""Distances, against published figures and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2

from mlguard_sidecar.drift import (
    chi_square_quantile,
    js_distance,
    measure_drift,
    psi,
    psi_critical,
)

# The last row is the worked example of Yurdakul and Naranjo (2020); the columns add 0, 0.5 and 1
# to each bin.
TABLE = [
    ([50, 30, 20], [40, 40, 20], 0.051083, 0.049679, 0.048334),
    ([50, 50, 0], [47, 48, 5], math.inf, 0.120729, 0.089521),
    ([500, 500, 0], [500, 499, 1], math.inf, 0.001099, 0.000693),
    (
        [253, 302, 204, 134, 72, 26, 8],
        [177, 262, 285, 158, 88, 25, 6],
        0.067693,
        0.067254,
        0.066823,
    ),
]


@pytest.mark.parametrize(("baseline", "current", "plain", "half", "one"), TABLE)
def test_psi_of_the_table(baseline, current, plain, half, one):
    q, p = np.array(baseline), np.array(current)
    assert psi(q, p, 0.0) == pytest.approx(plain, abs=5e-7)
    assert psi(q, p) == pytest.approx(half, abs=5e-7)
    assert psi(q, p, 1.0) == pytest.approx(one, abs=5e-7)


def test_the_worked_examples_critical_value():
    assert psi_critical(0.05, 7, 999, 1001) == pytest.approx(0.0252, abs=5e-5)


counts = st.lists(st.integers(0, 10_000), min_size=2, max_size=30).filter(any)


@given(counts, st.data())
def test_jensen_shannon_is_scipys(q, data):
    p = data.draw(st.lists(st.integers(0, 10_000), min_size=len(q), max_size=len(q)).filter(any))
    expected = jensenshannon(np.array(p, float), np.array(q, float), base=2)
    found = js_distance(np.array(q), np.array(p))
    # near zero the square root turns rounding of 1e-16 into 1e-8
    assert found == pytest.approx(0.0 if math.isnan(expected) else expected, rel=1e-9, abs=1e-7)
    assert 0 <= found <= 1 + 1e-9


@given(counts)
def test_nothing_lies_between_a_histogram_and_itself(q):
    same = np.array(q)
    assert psi(same, same) == 0
    assert js_distance(same, same) == 0


@given(st.floats(1e-9, 1 - 1e-9), st.integers(1, 400))
def test_chi_square_quantiles_are_scipys(alpha, dof):
    assert chi_square_quantile(alpha, dof) == pytest.approx(
        chi2.isf(alpha, dof), rel=1e-6, abs=1e-9
    )


@pytest.mark.parametrize(("alpha", "dof"), [(0, 1), (1, 1), (0.5, 0)])
def test_no_quantile_outside_the_range(alpha, dof):
    with pytest.raises(ValueError, match="no chi-square quantile"):
        chi_square_quantile(alpha, dof)


def test_without_drift_the_critical_value_is_rarely_exceeded():
    rng = np.random.default_rng(11)
    trials, n, alpha = 4000, 2000, 0.05
    draws = rng.multinomial(n, [0.1] * 10, size=2 * trials)
    critical = psi_critical(alpha, 10, n, n)
    alarms = sum(psi(q, p) > critical for q, p in zip(draws[::2], draws[1::2], strict=True))
    assert alarms / trials == pytest.approx(alpha, abs=0.015)


def test_too_few_samples_are_no_drift():
    settings = {"smoothing": 0.5, "alpha": 0.01, "min_samples": 100}
    baseline = np.array([100] * 10)
    few = [
        (baseline, np.array([9] * 10)),
        (np.array([4] * 10), np.array([100] * 10)),
        (np.array([500] * 30), np.array([4] * 30)),
    ]
    for pair in few:
        assert measure_drift([pair[0]], [pair[1]], **settings) == [None]
    *nothing, drift = measure_drift(
        [*(b for b, _ in few), baseline], [*(c for _, c in few), np.array([10] * 10)], **settings
    )
    assert nothing == [None] * 3
    assert drift is not None
    assert (drift.psi, drift.js) == (0, 0)
    assert drift.critical == pytest.approx(chi2.isf(0.01, 9) * (1 / 100 + 1 / 1000))


@given(st.lists(st.lists(st.integers(20, 10_000), min_size=2, max_size=12), min_size=1), st.data())
def test_columns_measured_together_are_those_measured_alone(baselines, data):
    widths = [len(q) for q in baselines]
    currents = [data.draw(st.lists(st.integers(20, 999), min_size=n, max_size=n)) for n in widths]
    pairs = [(np.array(q), np.array(p)) for q, p in zip(baselines, currents, strict=True)]
    found = measure_drift(
        [q for q, _ in pairs], [p for _, p in pairs], smoothing=0.5, alpha=0.01, min_samples=1
    )
    for (q, p), drift in zip(pairs, found, strict=True):
        assert drift is not None
        assert drift.psi == pytest.approx(psi(q, p), rel=1e-12)
        assert drift.js == pytest.approx(js_distance(q, p), rel=1e-12)
