"""How fast a baseline is built from a data file, and in how much memory.

Run: `.venv/bin/python tests/bench/data_files.py [ROWS]`. A table of 19 columns is written to a
temporary folder as CSV, NDJSON and Parquet, and `mlguard baseline build` reads each, twice: the
second time for its dry run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 1_000_000

_PEAK = """
import atexit, sys
def report():
    lines = open("/proc/self/status").readlines()
    sys.stderr.write(next(line for line in lines if line.startswith("VmHWM")))
atexit.register(report)
"""
"""Prints the largest resident memory at the end of the process."""


def table(rows: int) -> pd.DataFrame:
    """Return nine floats, five integers, three categories, a bool and a prediction."""
    rng = np.random.default_rng(20261126)
    columns = {f"float_{i}": rng.normal(size=rows).round(2 + i) for i in range(9)}
    columns |= {f"integer_{i}": rng.integers(0, 1000 * (i + 1), rows) for i in range(5)}
    columns |= {f"category_{i}": rng.choice(list("abcdefgh"), rows) for i in range(3)}
    columns |= {"flag": rng.random(rows) < 0.3, "y_pred": rng.integers(0, 2, rows)}
    return pd.DataFrame(columns)


def measure(path: Path, what: str, *, without_pyarrow: bool = False) -> None:
    """Build a baseline of a file, and print the time and the largest memory."""
    command = f"{_PEAK}\nfrom mlguard_sidecar.cli import main\nmain()"
    if without_pyarrow:
        command = f"import sys\nsys.modules['pyarrow'] = None\n{command}"
    arguments = [sys.executable, "-c", command, "baseline", "build", str(path), "-o", "/dev/null"]
    before = time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - before
    if done.returncode:
        print(done.stderr)
        sys.exit(1)
    peak = int(done.stderr.split()[-2]) // 1024
    size = path.stat().st_size >> 20
    print(f"{what:<24} {size:>5} MiB {seconds:>7.1f} s {peak:>6} MiB resident")


def main() -> None:
    """Write the files and measure."""
    rows = int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"t.{name}" for name in ("csv", "parquet", "ndjson")}
        frame = table(rows)
        frame.to_csv(files["csv"], index=False)
        frame.to_parquet(files["parquet"], index=False)
        frame.to_json(files["ndjson"], orient="records", lines=True)
        print(f"{rows:,} rows of {len(frame.columns)} columns; file, time, largest resident memory")
        measure(files["csv"], "CSV, pyarrow")
        measure(files["parquet"], "Parquet")
        measure(files["csv"], "CSV, standard library", without_pyarrow=True)
        measure(files["ndjson"], "NDJSON")


if __name__ == "__main__":
    main()
