"""What drift and missing inferences odd values cause: each should show none.

Run: `.venv/bin/python tests/bench/reading.py`. Each case builds a baseline from a CSV file, or
learns one, and then counts the same values as live events.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.offline import Offline

from mlguard_sidecar.baseline import dump
from mlguard_sidecar.config import BaselineConfig, Config, DriftConfig
from mlguard_sidecar.training_data import BuildSettings, ReadOptions, build_from_file

N = 1000
rng = np.random.default_rng(20261126)


def from_file(text: list[object], live: list[object], column: str = "x") -> str:
    """Return the index of a column of a CSV file when `live` is counted as events."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, file = folder / "t.csv", folder / "baseline.json"
        pd.DataFrame({column: text}).to_csv(path, index=False)
        built = build_from_file(path, ReadOptions(), BuildSettings(created=1), lambda _: None)
        file.write_bytes(dump(built.baseline))
        drift = DriftConfig(min_samples=1)
        bench = Offline(folder, Config(baseline=BaselineConfig(file=str(file)), drift=drift))
        if column == "y_pred":
            bench.send(y_pred=live)
        else:
            bench.send(features={column: live})
        bench.commit()
        found = next(c for c in bench.statistics()[0].columns if c.window == "1h")
        bench.close()
        index = "absent" if found.drift is None else f"{found.drift.psi:.4f}"
        return f"PSI {index}, invalid {found.invalid / N:.1%}, missing {found.missing / N:.1%}"


def learnt(training: list[object], live: list[object], column: str = "x") -> str:
    """Return the index of a column whose baseline is learnt, for later events."""
    with tempfile.TemporaryDirectory() as name:
        bench = Offline(Path(name), Config(baseline=BaselineConfig(events=len(training))))
        for values, hour in ((training, 0), (live, 2)):
            bench.now += hour * 3600
            columns = {"y_pred": values} if column == "y_pred" else {"features": {column: values}}
            for start in range(0, len(values), 100):
                part = {
                    key: value[start : start + 100]
                    if isinstance(value, list)
                    else {column: value[column][start : start + 100]}
                    for key, value in columns.items()
                }
                bench.send(**part)
                bench.commit()
        bench.move()
        found = next(
            c for c in bench.statistics()[0].columns if c.window == "1h" and c.column.name == column
        )
        bench.close()
        index = "absent" if found.drift is None else f"{found.drift.psi:.4f}"
        return f"{found.column.kind}, PSI {index}, invalid {found.invalid / N:.1%}"


def scores() -> str:
    """Return what becomes of the surest scores when rounding puts them beyond 1."""
    sure = rng.random(20_000) < 0.4
    values = np.where(sure, 1.00001, rng.random(20_000) * 0.9)
    classes = np.where(sure | (rng.random(20_000) < 0.5), "yes", "no").tolist()
    with tempfile.TemporaryDirectory() as name:
        bench = Offline(Path(name), Config(baseline=BaselineConfig(events=0)))
        bench.send(y_pred=classes, y_proba=values.tolist())
        bench.commit()
        ratio = dict(bench.statistics()[0].traffic[0].class_ratios)["yes"]
        bench.close()
    return f"ratio of the class {ratio:.3f}, of all that were sent {classes.count('yes') / 2e4:.3f}"


def main() -> None:
    """Print every case."""
    flags = (rng.random(N) < 0.3).tolist()
    countries = rng.choice(["NA", "US", "CA"], N).tolist()
    words = rng.choice(["None", "Basic"], N, p=[0.4, 0.6]).tolist()
    numbers = rng.normal(50, 10, N).round(1).tolist()
    discounts = rng.choice([0.0, 0.1, 0.7, 0.9], N)
    zeros = np.where(rng.random(10_000) < 0.95, 0.0, rng.random(10_000) * 100)
    top = np.where(zeros > 0, 99.99, 0.0)
    delays = [21, *rng.normal(20, 1, N - 1).round(2).tolist()]
    cases = [
        ("True and False in a file, booleans live", from_file(flags, flags)),
        ("the same as y_pred", from_file(flags, flags, "y_pred")),
        ("NA as a country", from_file(countries, countries)),
        ("None as a category", from_file(words, words)),
        *(
            (f"one {word!r} among 999 numbers", from_file([word, *numbers[1:]], numbers))
            for word in ("N/A", "-", "?", "<NA>", "#N/A", " ")
        ),
        ("float32 of discounts", from_file(discounts.tolist(), np.float32(discounts).tolist())),
        ("float32 of a constant", from_file([0.7] * N, [float(np.float32(0.7))] * N)),
        ("'unknown', then numbers", learnt(["unknown", *numbers[1:]], numbers)),
        ("21 before 20.37, the same", learnt(delays, delays, "y_pred")),
        (
            "21 before 20.37, then two sigma more",
            learnt(delays, [d + 2 for d in delays], "y_pred"),
        ),
        ("95 % zeros, the others moved to the top", learnt(zeros.tolist(), top.tolist())),
        ("probabilities of 1.00001", scores()),
    ]
    for what, found in cases:
        print(f"{what:<42} {found}")


if __name__ == "__main__":
    main()
