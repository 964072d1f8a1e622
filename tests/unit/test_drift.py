"""Distances, against published figures and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import binom, chi2, norm
from support.drift_samples import (
    category_counts,
    index_and_critical,
    quantile_counts,
    tied_counts,
)
from support.offline import Offline

from mlguard_sidecar.config import BaselineConfig, Config, FeatureConfig, ModelConfig
from mlguard_sidecar.drift import (
    js_distance,
    measure_drift,
    normal_quantile,
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


def test_the_critical_value_of_the_worked_example():
    baseline, current, *_ = TABLE[-1]
    published = chi2.isf(0.05, 6) * (1 / sum(baseline) + 1 / sum(current))
    assert published == pytest.approx(0.0252, abs=5e-5)
    assert published < psi_critical(0.05, np.array(baseline), sum(current)) < 1.1 * published


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


@given(st.floats(1e-9, 1 - 1e-9))
def test_normal_quantiles_are_scipys(alpha):
    assert normal_quantile(alpha) == pytest.approx(norm.isf(alpha), abs=4.5e-4)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 2.0])
def test_no_quantile_outside_the_range(alpha):
    with pytest.raises(ValueError, match="no normal quantile"):
        normal_quantile(alpha)


@given(st.floats(1e-5, 0.1), st.integers(2, 60))
def test_with_many_samples_critical_values_are_those_of_chi_square(alpha, bins):
    baseline = np.full(bins, 10**7)
    n = 10**7 * bins
    found = psi_critical(alpha, baseline, n) / (2 / n)
    # Wilson and Hilferty's quantile errs most with few degrees of freedom
    assert found == pytest.approx(chi2.isf(alpha, bins - 1), rel=0.12 if bins < 6 else 0.05)


skewed = st.lists(st.integers(0, 5000), min_size=2, max_size=30).filter(any)


@given(skewed, st.integers(100, 10**6), st.floats(1e-6, 0.5), st.sampled_from([0.0, 0.5, 1.0]))
def test_small_counts_only_raise_the_critical_value(baseline, n, alpha, smoothing):
    q = np.array(baseline)
    m, dof = int(q.sum()), len(q) - 1
    spread = 2 / (9 * dof)
    plain = dof * max(1 - spread + norm.isf(alpha) * math.sqrt(spread), 0) ** 3 * (1 / n + 1 / m)
    found = psi_critical(alpha, q, n, smoothing)
    assert found >= plain * (1 - 1e-3) - 1e-9
    assert math.isfinite(found)


@given(skewed, st.integers(100, 10**5), st.floats(1e-5, 0.1))
def test_the_critical_value_is_its_formula(baseline, n, alpha):
    b, m, s = len(baseline), sum(baseline), 0.5
    unit, log_alpha, z = 1 / n + 1 / m, -math.log(alpha), normal_quantile(alpha)
    total = (b - 1) * max(1 - 2 / (9 * (b - 1)) + z * math.sqrt(2 / (9 * (b - 1))), 0) ** 3
    sparse = []
    for count in baseline:
        r = (count + s) / (m + s * b)
        e = (n * r + s) / (n + s * b)
        total += max((e - r) * math.log(e / r) / unit - 1, 0) + 1.5 * n / ((n + m) * m * r)
        ratio = r * min(n, m) / log_alpha
        sparse.append(min(ratio, 1 / ratio) ** 2)
    total += 0.24 * log_alpha**2 * max(sparse) / math.sqrt(b + 2)
    assert psi_critical(alpha, np.array(baseline), n) == pytest.approx(unit * total, rel=1e-9)


@pytest.mark.parametrize("n", [100, 1000])
@pytest.mark.parametrize("alpha", [0.01, 0.001, 0.0002])
def test_whatever_the_shares_of_two_classes_false_alarms_are_rare(n, alpha):
    """The probability is exact: a sum over all pairs of counts."""
    m = 1000
    for share in np.geomspace(0.002, 0.5, 25):
        found = 0.0
        first, second = np.arange(m + 1), np.arange(n + 1)
        p_first, p_second = binom.pmf(first, m, share), binom.pmf(second, n, share)
        for count in np.flatnonzero(p_first > 1e-8).tolist():
            baseline = np.array([count, m - count])
            near = np.flatnonzero(p_second > 1e-9)
            critical = psi_critical(alpha, baseline, n)
            above = [psi(baseline, np.array([c, n - c])) > critical for c in near.tolist()]
            found += p_first[count] * p_second[near][above].sum()
        assert found <= 1.1 * alpha, share


def test_without_drift_the_critical_value_is_rarely_exceeded():
    rng = np.random.default_rng(11)
    trials, n, alpha = 4000, 2000, 0.05
    draws = rng.multinomial(n, [0.1] * 10, size=2 * trials)
    pairs = zip(draws[::2], draws[1::2], strict=True)
    alarms = sum(psi(q, p) > psi_critical(alpha, q, n) for q, p in pairs)
    assert alarms / trials == pytest.approx(alpha, abs=0.015)


def test_the_probability_is_divided_by_all_judged_columns(tmp_path):
    free = ModelConfig(project="p", model="m", features={"hour": FeatureConfig(drift=False)})
    offline = Offline(tmp_path, Config(baseline=BaselineConfig(events=200), models=[free]))
    values = np.random.default_rng(8).normal(size=300).tolist()
    offline.send(
        features={"hour": values, "age": values, "balance": values},
        y_pred=["yes", "no", "no"] * 100,
        y_proba=[0.25 + 0.5 * (v > 0) for v in values],
    )
    offline.commit()
    (view,) = offline.registry.views.values()
    drift = {
        (key[0], name): value
        for key, value in offline.figures().items()
        for name in ("age", "balance", "y_pred", "y_proba", "hour")
        if name in key and key[0] in {"drift_psi_critical", "drift_baseline_samples"}
    }
    offline.close()
    assert view.schema.baseline is not None
    columns = {c.column.name: c for c in view.schema.baseline.columns}
    assert len(columns) == 5
    del columns["hour"]
    expected = {
        ("drift_psi_critical", name): psi_critical(0.01 / 4, c.psi_baseline, 300)
        for name, c in columns.items()
    }
    expected |= {("drift_baseline_samples", name): 200 for name in columns}
    assert drift == pytest.approx(expected)


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
    assert drift.critical == psi_critical(0.01, baseline, 100)


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
        assert drift.critical == pytest.approx(psi_critical(0.01, q, int(p.sum())), rel=1e-12)


@pytest.mark.parametrize("n", [100, 1000])
@pytest.mark.parametrize("features", [1, 50])
def test_at_most_one_model_in_a_hundred_has_an_alarm_by_chance(n, features):
    """Models with quantile, tied and categorical columns, and predictions, all judged at once."""
    rng, models, promised = np.random.default_rng(20), 6000, 0.01
    halves = np.append(0.5 ** np.arange(1, 9), [0.5**8, 0.0])
    draws = [
        lambda: quantile_counts(rng, 1000, n, models),
        lambda: tied_counts(rng, 1000, n, models),
        lambda: category_counts(rng, 1000, n, models, shares=halves),
        lambda: category_counts(rng, 1000, n, models, shares=np.array([0.9, 0.1])),
    ]
    judged = features + 2
    alarms = np.zeros(models, dtype=np.bool_)
    for i in range(judged):
        index, critical = index_and_critical(draws[i % len(draws)](), promised / judged)
        alarms |= index > critical
    # a rate of 1 % would exceed this number once in 10,000 runs
    assert alarms.sum() <= binom.isf(1e-4, models, promised)
    assert alarms.any()
