"""Events of three models as columns: two that drift, one of them on two pods, and a regression."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

Columns = dict[str, list[Any]]


def churn(rng: np.random.Generator, n: int, drift: float) -> tuple[dict[str, Any], list[int]]:
    """Columns of a classifier and the truths; with drift, customers are older and plans new."""
    age = rng.normal(40 + 9 * drift, 10, n)
    plans = rng.choice(["basic", "plus", "pro"], n, p=[0.5, 0.3, 0.2]).astype(object)
    plans[rng.random(n) < 0.12 * drift] = "student"
    score = 1 / (1 + np.exp(-(age - 45) / 12 + rng.normal(0, 0.4, n)))
    truth = (rng.random(n) < np.clip(score + 0.12 * drift, 0, 1)).astype(int)
    features = {
        "age": _with_gaps(rng, age, 0.02 + 0.1 * drift),
        "balance": np.round(rng.lognormal(6 + 0.2 * drift, 1, n), 2).tolist(),
        "plan": plans.tolist(),
        "country": rng.choice(["CA", "FR", "US"], n).tolist(),
    }
    return _columns(rng, features, (score > 0.5).astype(int).tolist(), drift) | {
        "y_proba": np.round(score, 4).tolist()
    }, truth.tolist()


def price(rng: np.random.Generator, n: int, drift: float) -> tuple[dict[str, Any], list[float]]:
    """Columns of a regression and the truths; with drift, it errs more."""
    area = rng.gamma(6, 15, n)
    rooms = rng.integers(1, 6, n)
    value = 2 * area + 10 * rooms
    truth = value + rng.normal(4 * drift, 8 + 8 * drift, n)
    features = {"area": np.round(area, 1).tolist(), "rooms": rooms.tolist()}
    return _columns(rng, features, np.round(value, 2).tolist(), drift), truth.tolist()


def fraud(rng: np.random.Generator, n: int, drift: float) -> tuple[dict[str, Any], list[int]]:
    """Columns of a classifier and the truths; with drift, amounts are larger."""
    amount = rng.lognormal(3 + 0.7 * drift, 0.8, n)
    hour = rng.integers(0, 24, n)
    score = np.clip(amount / 200, 0, 1)
    features = {"amount": np.round(amount, 2).tolist(), "hour": hour.tolist()}
    predicted = np.where(score > 0.2, "yes", "no").tolist()
    return _columns(rng, features, predicted, drift), predicted


def write_csv(path: Path, columns: dict[str, Any], truths: list[Any]) -> None:
    """Write rows of which a baseline can be built."""
    flat = {**columns["features"], "y_pred": columns["y_pred"], "y_true": truths}
    if "y_proba" in columns:
        flat["y_proba"] = columns["y_proba"]
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(flat)
        out.writerows(zip(*flat.values(), strict=True))


def _columns(
    rng: np.random.Generator, features: Columns, predicted: list[Any], drift: float
) -> dict[str, Any]:
    latency = rng.lognormal(np.log(40) + 1.2 * drift, 0.5, len(predicted))
    return {
        "latency_ms": np.round(latency, 2).tolist(),
        "y_pred": predicted,
        "features": features,
    }


def _with_gaps(rng: np.random.Generator, values: np.ndarray, share: float) -> list[float | None]:
    gaps = rng.random(len(values)) < share
    return [None if gap else round(float(v), 1) for v, gap in zip(values, gaps, strict=True)]
