"""What Grafana does with a dashboard's queries: it fills in variables, and sends them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlguard_dashboards import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from support.engines import Engine

ALL = ".*"


@dataclass(frozen=True)
class Span:
    """A time range, as a user chooses it.

    Attributes:
        start: epoch seconds.
        end: the same.
        step: seconds between points, as `$__interval`.
        shown: `$__range`.
        rate: `$__rate_interval`.
    """

    start: float
    end: float
    step: float
    shown: str
    rate: str

    @property
    def values(self) -> dict[str, str]:
        step = f"{round(self.step)}s"
        return {"__range": self.shown, "__rate_interval": self.rate, "__interval": step}


@dataclass(frozen=True)
class Query:
    """One query of a dashboard.

    Attributes:
        place: title of the panel and letter of the query.
        expression: with variables.
        is_instant: whether it is of the end of the time range alone.
        legend: template of the series' names.
        panel: what it belongs to; empty for an annotation.
    """

    place: str
    expression: str
    is_instant: bool
    legend: str
    panel: dict[str, Any]

    def run(self, engine: Engine, span: Span, chosen: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return its series."""
        text = fill(self.expression, span.values | dict(chosen))
        if self.is_instant:
            return engine.instant(text, span.end)
        return engine.range(text, span.start, span.end, span.step)


def load(name: str) -> dict[str, Any]:
    """A dashboard as it is imported."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace variables."""
    return re.sub(r"\$\{?(\w+)\}?", lambda found: values.get(found[1], found[0]), text)


def queries(dashboard: dict[str, Any]) -> Iterator[Query]:
    """Every query of panels and annotations."""
    for annotation in dashboard["annotations"]["list"]:
        yield Query(annotation["name"], annotation["expr"], False, "", {})
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield Query(
                f"{panel['title']} {target['refId']}",
                target["expr"],
                target["instant"],
                target["legendFormat"],
                panel,
            )


def values_of(engine: Engine, variable: Mapping[str, Any], span: Span, chosen: Mapping[str, str]):
    """What a variable offers, as Grafana's Prometheus data source finds it."""
    text = fill(variable["query"], span.values | dict(chosen))
    if found := re.fullmatch(r"label_values\((.+),\s*(\w+)\)", text):
        return engine.get(
            f"label/{found[2]}/values",
            **{"match[]": found[1], "start": span.start, "end": span.end},
        )
    inner = re.fullmatch(r"query_result\((.+)\)", text)
    assert inner, text
    pattern = re.compile(variable["regex"].strip("/"))
    lines = [
        ",".join(f'{name}="{value}"' for name, value in series["metric"].items())
        for series in engine.instant(inner[1], span.end)
    ]
    return sorted({found[1] for line in lines if (found := pattern.search(line))})
