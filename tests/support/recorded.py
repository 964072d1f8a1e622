"""The bundled rules over times of the past: an engine computes their expressions.

What Prometheus' rule manager does beyond that is here: it writes the results of recording rules
back, and lets alerts be pending until `for` has passed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from support.engines import Engine
    from support.remote_write import RemoteWriter

BUNDLED = Path(__file__).resolve().parents[2] / "rules/mlguard_rules/bundled"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def evaluate(engine: Engine, writer: RemoteWriter, spans: dict[str, tuple[float, float, float]]):
    """Evaluate groups of rules, and write what they record, and the alerts.

    Args:
        engine: that computes.
        writer: into that engine.
        spans: name of the group -> begin, end and step of its evaluations.
    """
    engine.flush()
    for path in sorted(BUNDLED.glob("*.rules.yml"), key=lambda p: p.name != "fleet.rules.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                start, end, step = spans.get(group["name"], spans[""])
                for series in engine.range(rule["expr"], start, end, step):
                    if "record" in rule:
                        _record(writer, rule, series)
                    else:
                        _alert(writer, rule, series, step)
                writer.send()
                engine.flush()


def seconds(duration: str) -> float:
    """A duration of one unit, such as 30m."""
    found = re.fullmatch(r"(\d+)([smhd])", duration)
    assert found
    return int(found[1]) * _SECONDS[found[2]]


def _samples(series: dict[str, Any]) -> list[tuple[float, float]]:
    return [(at, float(value)) for at, value in series["values"]]


def _record(writer: RemoteWriter, rule: dict[str, Any], series: dict[str, Any]) -> None:
    labels = series["metric"] | rule.get("labels", {}) | {"__name__": rule["record"]}
    writer.add(labels, _samples(series))


def _alert(writer: RemoteWriter, rule: dict[str, Any], series: dict[str, Any], step: float) -> None:
    labels = {k: v for k, v in series["metric"].items() if k != "__name__"}
    labels |= rule.get("labels", {}) | {"alertname": rule["alert"]}
    since, last = 0.0, 0.0
    for at, _ in _samples(series):
        since = at if at - last > step else since
        last = at
        state = "firing" if at - since >= seconds(rule.get("for", "0s")) else "pending"
        writer.add(labels | {"__name__": "ALERTS", "alertstate": state}, [(at, 1.0)])
        writer.add(labels | {"__name__": "ALERTS_FOR_STATE"}, [(at, since)])
