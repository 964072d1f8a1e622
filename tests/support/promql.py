"""Random metrics, for an evaluator to be compared with Prometheus."""

from __future__ import annotations

import itertools
import math
import random

ZONES, RACKS = ("eu", "us"), ("1", "2", "3")

COMMON = [(("rack", rack), ("zone", zone)) for rack, zone in itertools.product(RACKS, ZONES)]

SERIES = {
    "step": [()],
    "temp": COMMON,
    "load": COMMON,
    "flap": COMMON,
    "hits_total": [(("code", code), *pairs) for code in ("200", "500") for pairs in COMMON],
    "misses_total": COMMON,
    "weird": COMMON,
    "limit": [(("zone", zone),) for zone in ZONES],
    "owner_info": [(("owner", f"team {rack}"), ("rack", rack)) for rack in RACKS],
    "caps": [(("Caps", "A"), ("zone", zone)) for zone in ZONES],
    "lone": [()],
    "lat_bucket": [
        (("le", le), ("zone", zone))
        for le in ("+Inf", "0.1", "0.5", "1.0", "2.5")
        for zone in ZONES
    ],
    "ghost": [(("zone", zone),) for zone in ZONES],
}
"""Labels of the series of each metric, in the order in which Prometheus adds them up."""

PRESENCE = {
    "flap": 0.6,
    "ghost": 0.15,
    "hits_total": 0.95,
    "weird": 0.9,
    "lone": 0.9,
    "caps": 0.9,
    "lat_bucket": 0.97,
}

ODD = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1e300, -1e300, 1e-300, 0.5, -0.5, 2.5, -2.5, 7.0)


def steps(seed: int, count: int) -> list[dict[str, list[tuple[tuple, float]]]]:
    """Snapshots: gauges, counters with resets, series that come and go, odd values.

    Their order is that of Prometheus, as the last digits of a sum depend on it.
    """
    rng = random.Random(seed)
    counters: dict[tuple, float] = {}
    snapshots = []
    for step in range(count):
        snapshot: dict[str, list[tuple[tuple, float]]] = {}
        for metric, series in SERIES.items():
            for labels in series:
                value = _value(rng, metric, step, counters, labels)
                if rng.random() < PRESENCE.get(metric, 1.0):
                    snapshot.setdefault(metric, []).append((labels, value))
        snapshots.append(snapshot)
    return snapshots


def _value(rng, metric, step, counters, labels) -> float:
    if metric == "step":
        return float(step)
    if metric == "owner_info":
        return 1.0
    if metric == "lat_bucket":
        # cumulated, but for a bucket that now and then falls below the one before
        before = counters.get((metric, labels), 0.0)
        rank = ("0.1", "0.5", "1.0", "2.5", "+Inf").index(dict(labels)["le"])
        counters[metric, labels] = before + rng.choice((0, 0, 1, 3)) + rank * 2
        return counters[metric, labels]
    if metric == "weird":
        return rng.choice(ODD)
    if metric.endswith("_total"):
        before = counters.get((metric, labels), 0.0)
        reset = rng.random() < 0.12
        now = rng.choice((0.0, 1.0)) if reset else before + rng.choice((0, 0, 1, 2, 5.25))
        counters[metric, labels] = now
        return now
    return rng.randint(-12, 40) / 4


def exposition(snapshot) -> bytes:
    """A snapshot in the text format."""
    lines = []
    for metric, samples in snapshot.items():
        for labels, value in samples:
            pairs = ",".join(f'{name}="{text}"' for name, text in labels)
            lines.append(f"{metric}{{{pairs}}} {value!r}\n".replace("nan", "NaN"))
    return "".join(lines).replace(" inf", " +Inf").replace(" -inf", " -Inf").encode()
