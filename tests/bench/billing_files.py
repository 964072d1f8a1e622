"""How fast a billing export is read, and in how much memory.

Run: `.venv/bin/python tests/bench/billing_files.py [LINES]`. Lines of CUR 2.0 with all of its
columns are written to a temporary folder as AWS delivers them, gzip CSV in files of 250,000 lines,
and read as one month.
"""

from __future__ import annotations

import gzip
import random
import re
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "exporter"))

from support import billing

from mlguard_exporter.config import TagsConfig
from mlguard_exporter.sources.aws.billing_export import BillingExportSource
from mlguard_exporter.spend import Basis, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES, FILE, BLOCK = 500_000, 250_000, 25_000
MONTH = date(2026, 3, 1)


def blocks() -> Iterator[tuple[str, int]]:
    """Different lines for one file after another, a block at a time."""
    rng = random.Random(20260301)
    made = [
        billing.csv_text(
            map(billing.cur_cells, billing.charges(rng, MONTH, BLOCK)), billing.COLUMNS
        ).split("\n", 1)[1]
        for _ in range(4)
    ]
    while True:
        yield rng.choice(made), BLOCK


def write(folder: Path, count: int) -> None:
    """Write an export of so many lines."""

    def put(name: str, content: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    source = blocks()
    header = ",".join(billing.COLUMNS) + "\n"
    delivery = billing.MonthFiles(put, MONTH)
    names = delivery.names(-(-count // FILE))
    plain = 0
    for name in names:
        put(name, b"")
        with gzip.open(folder / name, "wt", 6, encoding="utf-8", newline="") as file:
            plain += file.write(header)
            written = 0
            while written < min(FILE, count):
                text, lines = next(source)
                plain += file.write(text)
                written += lines
            count -= written
    delivery.write_manifest(names)
    packed = sum((folder / name).stat().st_size for name in names)
    print(f"{len(names)} files, {plain / 2**20:,.0f} MiB of CSV, {packed / 2**20:,.0f} MiB packed")


def read(folder: Path) -> None:
    """Read it, and say what it took."""
    before = peak_mib()
    wall, cpu = time.perf_counter(), time.process_time()
    (reading,) = BillingExportSource(str(folder), TagsConfig(), Basis.UNBLENDED, str).read(
        MONTH, reading_end(), ()
    )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    count = int((folder / "lines").read_text())
    owners = {s for day in reading.days.values() for s in day if s.kind is Kind.OWNER}
    sums = sum(len(day) for day in reading.days.values())
    print(
        f"{count:,} lines: {cpu:.1f} s of CPU, {wall:.1f} s; {count / cpu:,.0f} lines/s of CPU\n"
        f"{len(owners):,} owners, {sums:,} sums; peak {peak_mib():,.0f} MiB resident, "
        f"{before:,.0f} before"
    )


def peak_mib() -> float:
    """Of this process's resident memory; getrusage returns that of its parent, if it was more."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024


def reading_end() -> date:
    """The first day of the next month."""
    return MONTH.replace(month=MONTH.month + 1)


def main() -> None:
    """Write here and read in a process of its own, whose memory is that of the reading alone."""
    if len(sys.argv) == 3:
        read(Path(sys.argv[2]))
        return
    count = int(sys.argv[1].replace("_", "").replace(",", "")) if len(sys.argv) > 1 else LINES
    count = -(-count // BLOCK) * BLOCK
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), count)
        (Path(name) / "lines").write_text(str(count))
        subprocess.run([sys.executable, __file__, "read", name], check=True)


if __name__ == "__main__":
    main()
