"""How often `mlguard explain` guesses the kind of a change, and how often it is wrong.

Run: `.venv/bin/python tests/bench/guesses.py [TRIALS]`. It prints the table of sidecar/README.md:
made changes of simulated columns, with a baseline of 1,000 values and a window of 2,000.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import changes
from support.explaining import guess_of

TRIALS = int(sys.argv[1]) if len(sys.argv) > 1 else 20


def main() -> None:
    """Print the table."""
    print(f"{'change':<44} {'trials':>6} {'right':>6} {'none':>6} {'wrong':>6}  wrong guesses")
    numeric = [
        (name, change, kind, list(changes.COLUMNS.values()))
        for name, (change, kind) in changes.CHANGES.items()
    ]
    numeric += [
        (name, change, kind, changes.REPEATED) for name, (change, kind) in changes.MISSING.items()
    ]
    rows = [*numeric, *((n, c, k, [changes.plans]) for n, (c, k) in changes.CATEGORIES.items())]
    total: Counter[str] = Counter()
    for name, change, kind, columns in rows:
        found: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        for seed in range(TRIALS):
            for i, make in enumerate(columns):
                rng = np.random.default_rng([seed, i])
                with TemporaryDirectory() as folder:
                    then = make(rng, 1000).tolist()
                    said = guess_of(Path(folder), then, change(make(rng, 2000), rng))
                outcome = "right" if said == kind else "none" if said is None else "wrong"
                found[outcome] += 1
                if outcome == "wrong":
                    wrong[str(said)] += 1
        total += found
        figures = " ".join(f"{found[key]:>6}" for key in ("right", "none", "wrong"))
        listed = ", ".join(f"{n} {what}" for what, n in wrong.most_common(3))
        print(f"{name:<44} {sum(found.values()):>6} {figures}  {listed}", flush=True)
    figures = " ".join(f"{total[key]:>6}" for key in ("right", "none", "wrong"))
    print(f"{'ALL':<44} {sum(total.values()):>6} {figures}")


if __name__ == "__main__":
    main()
