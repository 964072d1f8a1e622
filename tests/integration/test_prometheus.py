"""A real Prometheus scrapes a running sidecar, and says what numpy says of the raw events."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from support.sidecar import eventually

from mlguard import Guard

EVENTS, LEARNT = 12_000, 2000


@pytest.mark.needs("prometheus")
def test_prometheus_says_what_numpy_says(make_sidecar, prometheus):
    sidecar = make_sidecar(
        windows={"traffic": ["1h"], "features": ["1h"]}, baseline={"events": LEARNT}
    ).start()
    query = prometheus(sidecar.config["listen"])
    rng = random.Random(12)
    rows = [
        {
            "latency_ms": rng.lognormvariate(3, 1),
            "y_pred": rng.choice(["churn", "stay", "stay"]),
            "y_proba": rng.random(),
            "features": {
                "age": rng.gauss(40 if i < EVENTS // 2 else 48, 12),
                "balance": None if rng.random() < 0.1 else rng.lognormvariate(7, 2),
                "country": rng.choice("AABBC" if i < EVENTS // 2 else "AABBCD"),
            },
        }
        for i in range(EVENTS)
    ]
    guard = Guard(project="p", model="m", socket=str(sidecar.socket_path), queue_size=EVENTS)
    begin = time.time()
    for row in rows:
        assert guard.log(**row)
    assert guard.flush(30)
    guard.close()
    # a window is full of panes: none may have left it
    assert time.time() - begin < 1800
    eventually(lambda: query("sum(mlguard_inferences_total)").get(()) == EVENTS, what="the scrape")

    labels = "sum without (instance, job, project, model, model_endpoint, window)"
    assert query(f"{labels}(mlguard_predictions_total)") == {
        (name,): sum(row["y_pred"] == name for row in rows) for name in ("churn", "stay")
    }
    latency = np.array([row["latency_ms"] for row in rows]) / 1000
    buckets = query("sum by (le) (mlguard_inference_latency_seconds_bucket)")
    for (bound,), count in buckets.items():
        assert count == (latency <= float(bound)).sum(), bound
    total = query("sum(mlguard_inference_latency_seconds_sum)")[()]
    assert total == pytest.approx(latency.sum(), abs=EVENTS * 1e-9)
    for name, level in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        found = query(f"sum(mlguard_latency_{name}_seconds)")[()]
        assert found == pytest.approx(np.quantile(latency, level), rel=0.01)

    missing = query(f"{labels}(mlguard_feature_missing_ratio)")
    for feature in ("age", "balance", "country"):
        raw = [row["features"][feature] for row in rows]
        assert missing[feature,] == pytest.approx(raw.count(None) / EVENTS)
    numbers = {
        feature: np.array([v for row in rows if (v := row["features"][feature]) is not None])
        for feature in ("age", "balance")
    }
    for name, oracle in (("mean", np.mean), ("stddev", np.std), ("min", np.min), ("max", np.max)):
        found = query(f"{labels}(mlguard_feature_{name})")
        for feature, values in numbers.items():
            assert found[feature,] == pytest.approx(oracle(values), rel=1e-9), (name, feature)

    psi = query(f"{labels}(mlguard_drift_psi)")
    samples = query(f"{labels}(mlguard_drift_samples)")
    scores = np.array([row["y_proba"] for row in rows])
    for feature, kind, values in (
        ("age", "feature", numbers["age"]),
        ("balance", "feature", numbers["balance"]),
        ("y_proba", "prediction", scores),
    ):
        raw = [row["features"].get(feature, row["y_proba"]) for row in rows[:LEARNT]]
        first = np.array([v for v in raw if v is not None])
        deciles = np.quantile(first, np.arange(1, 10) / 10, method="inverted_cdf")
        edges = edges_of(sidecar, feature)
        assert edges == pytest.approx(deciles, rel=3e-7)
        q, p = (
            np.bincount(np.digitize(v, edges, right=True), minlength=10) for v in (first, values)
        )
        assert psi[feature, kind] == pytest.approx(psi_by_hand(q, p), abs=1e-9)
        assert samples[feature, kind] == len(values)
    for feature, kind, order, of in (
        ("country", "feature", "ABCD", lambda row: row["features"]["country"]),
        ("y_pred", "prediction", ["stay", "churn", "?"], lambda row: row["y_pred"]),
    ):
        seen = [[of(row) for row in part] for part in (rows[:LEARNT], rows)]
        q, p = (np.array([values.count(c) for c in order]) for values in seen)
        assert psi[feature, kind] == pytest.approx(psi_by_hand(q, p), abs=1e-9)
    unseen = query(f"{labels}(mlguard_feature_unseen_ratio)")["country",]
    assert unseen == pytest.approx([r["features"]["country"] for r in rows].count("D") / EVENTS)

    # what a fleet would compute, from bins that can be summed
    fleet = query(
        "sum by (feature) (sum by (feature, bin) (mlguard_feature_bin_total)"
        " - 0 * sum by (feature, bin) (mlguard_baseline_bin_ratio))"
    )
    assert fleet == {
        (f,): EVENTS - sum(r["features"].get(f, "known") is None for r in rows)
        for f in ("age", "balance", "country", "y_pred", "y_proba")
    }
    ratios = query("sum by (feature) (mlguard_baseline_bin_ratio)")
    assert ratios == pytest.approx(dict.fromkeys(ratios, 1.0))


def edges_of(sidecar, feature: str) -> list[float]:
    """The edges between a feature's bins, as their labels tell them."""
    return sorted(
        float(dict(labels)["bin"].removeprefix("<="))
        for name, labels in sidecar.metrics()
        if name == "mlguard_feature_bin_total"
        and dict(labels)["feature"] == feature
        and dict(labels)["bin"].startswith("<=")
    )


def psi_by_hand(q: np.ndarray, p: np.ndarray) -> float:
    """The formula with half a count more in each bin."""
    ratios_q = (q + 0.5) / (q + 0.5).sum()
    ratios_p = (p + 0.5) / (p + 0.5).sum()
    return float(((ratios_p - ratios_q) * np.log(ratios_p / ratios_q)).sum())
