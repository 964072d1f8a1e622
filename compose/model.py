"""A model server that talks to itself: five predictions a second, and a drift after an hour."""

from __future__ import annotations

import math
import random
import signal
import sys
import time

from mlguard import Guard

RATE = 5.0
DRIFT_AFTER_SECONDS, DRIFT_SECONDS = 3600.0, 7200.0


def predict(age: float, balance: float) -> float:
    """Return the probability that a customer leaves."""
    return 1 / (1 + math.exp(0.08 * (age - 35) + 0.0004 * (balance - 1500)))


def main() -> None:
    """Predict and log until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    guard = Guard()  # names and socket are in the environment
    begin = time.monotonic()
    while True:
        elapsed = time.monotonic() - begin
        moved = min(max((elapsed - DRIFT_AFTER_SECONDS) / DRIFT_SECONDS, 0.0), 1.0)
        age = random.gauss(41 + 12 * moved, 9)
        balance = random.lognormvariate(7, 0.6)
        country = random.choice(["CA", "US", "MX"])  # noqa: S311
        with guard.observe(features={"age": age, "balance": balance, "country": country}) as seen:
            time.sleep(random.uniform(0.005, 0.04))  # noqa: S311
            seen.y_proba = predict(age, balance)
            seen.y_pred = int(seen.y_proba > 0.5)
        time.sleep(1 / RATE)


if __name__ == "__main__":
    main()
