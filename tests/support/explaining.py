"""Explanations of a column whose values change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_sidecar.config import BaselineConfig, Config
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.statistics import explain
from support.offline import Offline

if TYPE_CHECKING:
    from pathlib import Path

    from mlguard_sidecar.statistics import ChangeKind, Explanation


def explained(folder: Path, then: list, now: list, days: int = 1) -> list[Explanation]:
    """Learn a baseline from values, count others on the days after it, and explain column x."""
    bench = Offline(folder, Config(baseline=BaselineConfig(events=len(then))))
    try:
        bench.send(features={"x": then})
        bench.commit()
        for _ in range(days):
            bench.now += DAY_SECONDS
            bench.send(features={"x": now})
            bench.commit()
        bench.move()
        (model,) = bench.statistics()
        return explain(model.columns, bench.days())
    finally:
        bench.close()


def guess_of(folder: Path, then: list, now: list) -> ChangeKind | None:
    """Return the kind of change that an explanation guesses."""
    found = explained(folder, then, now)
    return found[0].guess if found else None
