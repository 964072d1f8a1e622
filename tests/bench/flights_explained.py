"""What `mlguard explain` says of July against January, and the history of a simulated quarter.

Run: `.venv/bin/python tests/bench/flights_explained.py`. The flights from New York in 2013, which
the demonstration replays: a baseline of January's, then the 31 days of July as one window. And a
shop's model, day by day, whose prices are in cents from the first of March on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.offline import Offline

from mlguard_common.config import Duration
from mlguard_demo.flights import YEAR_START, Flights, find_data, load
from mlguard_sidecar.api import day_answer
from mlguard_sidecar.cli.history import history_table
from mlguard_sidecar.config import BaselineConfig, Config, WindowsConfig
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.statistics import explain, moved_together

START = YEAR_START.timestamp()


def day_of(flights: Flights, day: int) -> Flights:
    """Return the flights of a day, counted from 0 on the first of January."""
    begin, end = np.searchsorted(flights.hours, [day * 24, (day + 1) * 24])
    return flights.part(int(begin), int(end))


def send(bench: Offline, flights: Flights) -> None:
    """Count flights at their hours."""
    columns = {**flights.numbers, **flights.categories}
    bench.send(
        timestamp=(START + flights.hours * 3600.0).tolist(),
        y_pred=np.where(flights.delays > 15, "late", "on time").tolist(),
        features={name: column.tolist() for name, column in columns.items()},
    )
    assert bench.commit()


def july(flights: Flights) -> None:
    """Print the explanation of July against January."""
    january = sum(len(day_of(flights, day)) for day in range(31))
    with TemporaryDirectory() as folder:
        config = Config(
            baseline=BaselineConfig(events=january),
            windows=WindowsConfig(features=[Duration("31d")]),
        )
        bench = Offline(Path(folder), config, START)
        for day in [*range(31), *range(181, 212)]:
            bench.now = START + (day + 1) * DAY_SECONDS - 60
            send(bench, day_of(flights, day))
        bench.move()
        (model,) = bench.statistics()
        found = explain(model.columns, bench.days())
        for sentence in moved_together(found):
            print(sentence)
        for each in found:
            print(f"\n{each.column.column.name} ({each.column.window})")
            for sentence in each.sentences:
                print(f"  {sentence}")
        bench.close()


def quarter() -> None:
    """Print the history of the quarter."""
    rng = np.random.default_rng(1)
    with TemporaryDirectory() as folder:
        bench = Offline(Path(folder), Config(), START)
        for day in range(90):
            n = int(rng.poisson(700 if day % 7 in (4, 5) else 1200))
            times = START + day * DAY_SECONDS + np.sort(rng.uniform(0, DAY_SECONDS, n))
            bench.now = START + (day + 1) * DAY_SECONDS - 60
            bench.send(
                timestamp=times.tolist(),
                latency_ms=rng.lognormal(3 + day / 200, 0.4, n).tolist(),
                y_pred=rng.choice(["stays", "leaves"], n, p=[0.8, 0.2]).tolist(),
                features={
                    "price": (rng.gamma(4, 6, n) * (100 if day >= 59 else 1)).tolist(),
                    "age": rng.normal(40, 12, n).tolist(),
                    "plan": rng.choice(["basic", "plus", "pro"], n, p=[0.5, 0.3, 0.2]).tolist(),
                },
            )
            bench.commit()
            bench.record()
        bench.move()
        print(history_table(msgspec.to_builtins([day_answer(day) for day in bench.days(90)])))
        (model,) = bench.statistics()
        for each in explain(model.columns, bench.days()):
            print(f"\n{each.column.column.name}: {' '.join(each.sentences)}")
        bench.close()


def main() -> None:
    """Print both."""
    flights = load(find_data())
    print("July against January\n")
    july(flights)
    print("\nA quarter of a shop's model\n")
    quarter()


if __name__ == "__main__":
    main()
