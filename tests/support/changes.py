"""Made changes of a column, and what each should be taken for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlguard_sidecar.statistics import ChangeKind

Rng = np.random.Generator
Change = Callable[[np.ndarray, Rng], list]

COLUMNS: dict[str, Callable[[Rng, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(50, 10, n),
    "exponential": lambda rng, n: rng.exponential(5, n) + 1,
    "uniform": lambda rng, n: rng.uniform(10, 20, n),
    "log-normal": lambda rng, n: rng.lognormal(3, 0.8, n),
    "counts": lambda rng, n: rng.poisson(6, n).astype(float),
    "zeros and amounts": lambda rng, n: np.where(
        rng.random(n) < 0.3, 0.0, rng.gamma(2, 30, n).round(2)
    ),
    "two humps": lambda rng, n: np.where(
        rng.random(n) < 0.4, rng.normal(10, 1, n), rng.normal(20, 2, n)
    ),
}
"""Numeric columns."""

REPEATED = [COLUMNS["counts"], COLUMNS["zeros and amounts"]]
"""Those with values that repeat."""


def _part(share: float, rng: Rng, x: np.ndarray, other: object) -> list:
    chosen = rng.random(len(x)) < share
    return [o if c else v for v, o, c in zip(x.tolist(), _each(other, len(x)), chosen, strict=True)]


def _each(other: object, n: int) -> list:
    return other.tolist() if isinstance(other, np.ndarray) else [other] * n


def _most_frequent(x: np.ndarray) -> float:
    values, counts = np.unique(x, return_counts=True)
    return float(values[counts.argmax()])


CHANGES: dict[str, tuple[Change, ChangeKind | None]] = {
    "cents for dollars (x 100)": (lambda x, _: (x * 100).tolist(), ChangeKind.FACTOR),
    "kilometres for miles (x 1.609)": (lambda x, _: (x * 1.609).tolist(), ChangeKind.FACTOR),
    "grams as kilograms (x 0.001)": (lambda x, _: (x / 1000).tolist(), ChangeKind.FACTOR),
    "half a deviation higher": (lambda x, _: (x + x.std() / 2).tolist(), ChangeKind.SHIFT),
    "two deviations lower": (lambda x, _: (x - 2 * x.std()).tolist(), ChangeKind.SHIFT),
    "far away (+ 20 deviations)": (lambda x, _: (x + 20 * x.std()).tolist(), ChangeKind.SHIFT),
    "a default of -1 for 20 %": (lambda x, rng: _part(0.2, rng, x, -1.0), ChangeKind.SPIKE),
    "9999 for 7 %": (lambda x, rng: _part(0.07, rng, x, 9999.0), ChangeKind.SPIKE),
    "the median for 25 %": (
        lambda x, rng: _part(0.25, rng, x, float(np.median(x))),
        ChangeKind.SPIKE,
    ),
    "a third from 3 to 4 deviations higher": (
        lambda x, rng: _part(0.33, rng, x, x.mean() + x.std() * rng.uniform(3, 4, len(x))),
        ChangeKind.MIXTURE,
    ),
    "a quarter of it high in the range": (
        lambda x, rng: _part(
            0.25, rng, x, np.quantile(x, 0.9) + x.std() * rng.normal(0, 0.2, len(x))
        ),
        ChangeKind.MIXTURE,
    ),
    "a wider spread (x 1.5)": (lambda x, _: (x.mean() + 1.5 * (x - x.mean())).tolist(), None),
    "a narrower spread (x 0.5)": (lambda x, _: (x.mean() + 0.5 * (x - x.mean())).tolist(), None),
    "cut at the 60th percentile": (lambda x, _: np.minimum(x, np.quantile(x, 0.6)).tolist(), None),
    "the upper half alone": (
        lambda x, rng: rng.choice(x[x >= np.median(x)], len(x)).tolist(),
        None,
    ),
    "the square": (lambda x, _: (x * x).tolist(), None),
    "upside down": (lambda x, _: (x.max() + x.min() - x).tolist(), None),
    "a normal of that mean, twice as wide": (
        lambda x, rng: rng.normal(x.mean(), 2 * x.std(), len(x)).tolist(),
        None,
    ),
    "30 % missing at random, a tenth higher": (
        lambda x, rng: _part(0.3, rng, x + 0.1 * x.std(), None),
        None,
    ),
}
"""Name -> change of a numeric column, and its kind; None where no guess is right."""

MISSING: dict[str, tuple[Change, ChangeKind]] = {
    "missing instead of the most frequent value": (
        lambda x, _: [None if v == _most_frequent(x) else v for v in x.tolist()],
        ChangeKind.NOW_MISSING,
    ),
}
"""Changes of `REPEATED` columns."""

CATEGORIES: dict[str, tuple[Change, ChangeKind | None]] = {
    "one renamed": (
        lambda x, _: ["premium" if v == "plus" else v for v in x.tolist()],
        ChangeKind.RENAMED,
    ),
    "all in capitals": (lambda x, _: [v.upper() for v in x.tolist()], ChangeKind.RENAMED),
    "one now missing": (
        lambda x, _: [None if v == "basic" else v for v in x.tolist()],
        ChangeKind.NOW_MISSING,
    ),
    "two swapped": (
        lambda x, _: [{"plus": "basic", "basic": "plus"}.get(v, v) for v in x.tolist()],
        None,
    ),
    "a new one of another size": (lambda x, rng: _part(0.6, rng, x, "new"), None),
    "one gone": (lambda x, rng: rng.choice(x[x != "basic"], len(x)).tolist(), None),
}
"""Name -> change of a categorical column."""


def plans(rng: Rng, n: int) -> np.ndarray:
    """Return a categorical column."""
    return rng.choice(["basic", "plus", "pro", "max"], n, p=[0.5, 0.25, 0.15, 0.1])
