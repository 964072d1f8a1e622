"""What CloudEvents cost the sidecar, and how soon they are answered."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.payload_logger import send, traffic
from support.sidecar import Sidecar, cpu_seconds, eventually


def main(seconds: int = 60, rate: int = 2000) -> None:
    events, sent = traffic(seconds * rate, random.Random(1))
    with tempfile.TemporaryDirectory() as folder:
        config = {"cloudevents": {"join_timeout": "2s"}}
        with Sidecar(Path(folder), config) as sidecar:
            begin, started = cpu_seconds(sidecar.process.pid), time.perf_counter()
            port = int(sidecar.config["listen"].rpartition(":")[2])
            asyncio.run(send(port, events, rate, sent))
            took = time.perf_counter() - started
            used = cpu_seconds(sidecar.process.pid) - begin
            eventually(lambda: sidecar.value("mlguard_sidecar_cloudevents_pending") == 0)
            name = "mlguard_sidecar_cloudevents_total"
            found = {result: sidecar.value(name, result=result) for result in sent.results}
            time.sleep(1.5)
            rows = sidecar.value("mlguard_sidecar_events_committed_total", source="cloudevents")
    print(f"{len(events)} events in {took:.1f} s, {len(events) / took:.0f} a second")
    print(f"{len(events) / used:.0f} events per CPU second of the sidecar")
    for share in (0.5, 0.99, 0.999):
        print(f"answered within {sent.quantile(share) * 1e3:.2f} ms at p{share * 100:g}")
    print(f"{sent.late} events were sent late")
    print(f"rows: {rows:.0f} of {sent.rows}")
    for result, n in sent.results.items():
        print(f"{result}: {found[result]:.0f} of {n}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
