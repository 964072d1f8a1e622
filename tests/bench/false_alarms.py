"""How often drift is reported without any, and how often it is noticed.

Run: `.venv/bin/python tests/bench/false_alarms.py`. It prints the tables of sidecar/README.md:
simulated columns, with a baseline of 1,000 values learnt from the same distribution. "Before" is
the quantile of chi-square times (1/n + 1/m), with 1 % divided by the number of features; "now" is
`psi_critical`, with 1 % divided by all judged columns.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import drift_samples as draw

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[np.random.Generator, int, int], draw.Counts]
    """Function of the generator, the window's samples and the number of trials."""

M = 1000
ALPHA = 0.01
TRIALS, POWER_TRIALS, CHUNK = 400_000, 20_000, 20_000
WINDOWS = (100, 200, 1000, 10_000)
FEATURES = (1, 10, 50)
ZIPF = (1 / np.arange(1, 16)) / (1 / np.arange(1, 16)).sum()
HALVES = np.append(0.5 ** np.arange(1, 10), 0.5**9)


def quantile(shift: float = 0.0) -> Draw:
    return lambda rng, n, size: draw.quantile_counts(rng, M, n, size, shift=shift)


def tied(share: float, now: float = 0.0) -> Draw:
    return lambda rng, n, size: draw.tied_counts(rng, M, n, size, tied=share, now=now)


def categories(shares: np.ndarray, doubled: int | None = None) -> Draw:
    """Categories, and the bin of all others, in which there is no value."""
    shares = np.append(shares, 0.0)
    now = shares.copy()
    if doubled is not None:  # what a category gains, the others lose in proportion
        now *= (1 - 2 * shares[doubled]) / (1 - shares[doubled])
        now[doubled] = 2 * shares[doubled]
    return lambda rng, n, size: draw.category_counts(rng, M, n, size, shares=shares, now=now)


COLUMNS: dict[str, Draw] = {
    "10 quantile bins": quantile(),
    "10 bins, half of the values tied": tied(0.5),
    "10 bins, 95 % of the values tied": tied(0.95),
    "2 categories, 9 : 1": categories(np.array([0.9, 0.1])),
    "10 categories, each half of the one before": categories(HALVES),
    "15 categories, shares as 1 : 1/2 : 1/3 ...": categories(ZIPF),
}
PREDICTIONS: tuple[Draw, Draw] = (categories(np.array([0.7, 0.3])), quantile())
"""Columns y_pred and y_proba of each model."""

CHANGES: dict[str, Draw] = {
    "normal values, shift of 0.25 sigma": quantile(0.25),
    "normal values, shift of 0.5 sigma": quantile(0.5),
    "normal values, shift of 1 sigma": quantile(1.0),
    "ties from 50 % to 60 %": tied(0.5, 0.6),
    "one of two categories from 10 % to 20 %": categories(np.array([0.9, 0.1]), 1),
    "first of 15 categories from 30 % to 60 %": categories(ZIPF, 0),
    "fourth of 15 categories from 7.5 % to 15 %": categories(ZIPF, 3),
}


def alarm_rates(
    column: Draw, n: int, alphas: list[tuple[float, float]], trials: int, seed: int
) -> list[tuple[float, float]]:
    """Share of trials with an alarm, before and now, for each pair of alphas before and now."""
    rng = np.random.default_rng(seed)
    hits = np.zeros((len(alphas), 2))
    for _ in range(trials // CHUNK):
        counts = column(rng, n, CHUNK)
        bins = counts[0].shape[1]
        for i, (before, now) in enumerate(alphas):
            psi, critical = draw.index_and_critical(counts, now)
            former = chi2.isf(before, bins - 1) * (1 / n + 1 / M)
            hits[i] += (psi > former).sum(), (psi > critical).sum()
    return [(before / trials, now / trials) for before, now in hits]


def of_models(rates: list[float]) -> float:
    """Share of models with an alarm, given those of their columns, which are independent."""
    return float(1 - np.prod([1 - rate for rate in rates]))


def header(*cells: str) -> None:
    print("|", " | ".join(cells), "|")
    print("|---" * len(cells) + "|")


def false_alarms() -> None:
    alphas = [(ALPHA / k, ALPHA / (k + len(PREDICTIONS))) for k in FEATURES]
    header("columns", "n", *(f"{k} feature{'s' * (k > 1)}" for k in FEATURES))
    outputs = {
        n: [alarm_rates(p, n, alphas, TRIALS, 1000 + i) for i, p in enumerate(PREDICTIONS)]
        for n in WINDOWS
    }
    for i, (name, column) in enumerate(COLUMNS.items()):
        for n in WINDOWS:
            rates = alarm_rates(column, n, alphas, TRIALS, 17 * i + n)
            cells = []
            for j, k in enumerate(FEATURES):
                before, now = (
                    of_models([rates[j][v]] * k + [p[j][v] for p in outputs[n]]) for v in (0, 1)
                )
                cells.append(f"{before:.2%} -> {now:.2%}")
            print(f"| {name} | {n:,} | {' | '.join(cells)} |", flush=True)


def power() -> None:
    k = 10
    alphas = [(ALPHA / k, ALPHA / (k + len(PREDICTIONS)))]
    header("change", *(f"n = {n:,}" for n in WINDOWS[:3]))
    for i, (name, column) in enumerate(CHANGES.items()):
        cells = []
        for n in WINDOWS[:3]:
            ((before, now),) = alarm_rates(column, n, alphas, POWER_TRIALS, 31 * i + n)
            cells.append(f"{before:.0%} -> {now:.0%}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    print("Share of models without drift that have an alarm, before -> now:\n")
    false_alarms()
    print("\nShare of columns whose drift is noticed in a model of 10 features, before -> now:\n")
    power()
