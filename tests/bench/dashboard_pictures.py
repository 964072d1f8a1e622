"""Draws each dashboard as a picture, from its own queries, into `dashboards/`.

Run: `make pictures`. This is no Grafana: panels are drawn where the dashboard has them, in its
units and with its thresholds, of what a Prometheus answers over a simulated fortnight.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import engines, recorded
from support.aws import FakeAws
from support.dashboards import ALL, Query, Span, load, queries, values_of
from support.drawing import draw
from support.fortnight import DAY, END, HOUR, Fortnight, Schedule
from support.receivers import Hook
from support.remote_write import RemoteWriter

from mlguard_dashboards import DASHBOARDS, FOLDER

CHURN = {"project": "shop", "model": "churn", "endpoint": "predict"}
CHOSEN = {
    "fleet": {"project": ALL, "model": ALL},
    "model": CHURN | {"window": "1h"},
    "feature": CHURN | {"feature": "age", "window": "24h"},
    "cost": {"account": ALL, "project": ALL},
    "health": {"instance": ALL},
}
HALF_A_DAY = Span(END - DAY / 2, END, 300, "12h", "10m")
SPANS = {"cost": Span(END - 14 * DAY, END, 4 * HOUR, "14d", "16h")}


def answers_of(engine: engines.Engine, name: str) -> list[tuple[Query, list]]:
    """Every query of a dashboard's panels with its series."""
    found, span, chosen = load(name), SPANS.get(name, HALF_A_DAY), dict(CHOSEN[name])
    for variable in found["templating"]["list"]:
        if variable["type"] == "query" and variable["name"] not in chosen:
            chosen[variable["name"]] = values_of(engine, variable, span, chosen)[0]
    return [(query, query.run(engine, span, chosen)) for query in queries(found) if query.panel]


def main() -> None:
    schedule = Schedule(minutes=13 * 60)
    with tempfile.TemporaryDirectory() as folder, FakeAws() as aws:
        os.environ |= aws.env()
        hook = Hook()
        with engines.prometheus(Path(folder) / "prometheus") as engine:
            writer = RemoteWriter(engine.url)
            Fortnight(Path(folder), aws, writer, hook.url, schedule).run()
            recorded.evaluate(engine, writer, schedule.evaluations)
            for name in DASHBOARDS:
                path = FOLDER / f"{name}.png"
                span = SPANS.get(name, HALF_A_DAY)
                draw(load(name), answers_of(engine, name), (span.start, span.end), path)
                print(f"{path.relative_to(FOLDER.parent)}: {path.stat().st_size / 1000:.0f} kB")
        hook.close()


if __name__ == "__main__":
    main()
