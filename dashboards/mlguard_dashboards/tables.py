"""Tables: one row for each set of labels, one column for each query."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models import dashboard as m
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

import mlguard_rules
from mlguard_dashboards import queries as q
from mlguard_dashboards.frame import RUNBOOK, SOURCE, link_to
from mlguard_dashboards.layout import Placed
from mlguard_dashboards.panels import HEIGHT, NEUTRAL, Steps, instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TO_MODEL = link_to(
    "model",
    project="${__data.fields.Project:percentencode}",
    model="${__data.fields.Model:percentencode}",
    endpoint="${__data.fields.Endpoint:percentencode}",
)
"""Address of the model that a row is of."""

MODEL_KEYS = {"project": "Project", "model": "Model", "model_endpoint": "Endpoint"}
"""Labels of a model -> their columns."""

_OF_MODELS = {**MODEL_KEYS, "feature": "Column"}
_SEVERITIES = {
    "critical": {"text": "critical", "color": "red"},
    "warning": {"text": "warning", "color": "orange"},
    "info": {"text": "info", "color": "blue"},
}
_BUNDLED = Path(mlguard_rules.__file__).parent / "bundled"


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        title: its heading.
        expression: of one series for each row.
        unit: of Grafana.
        steps: colours of the cells by value.
        decimals: shown.
    """

    title: str
    expression: str
    unit: str
    steps: Steps = NEUTRAL
    decimals: int | None = None


def rows(
    title: str,
    description: str,
    keys: Mapping[str, str],
    columns: Sequence[Column],
    *,
    sort_by: str,
    link: tuple[str, str] | None = None,
    linked: str = "Model",
    width: int = 24,
    height: int = HEIGHT,
) -> Placed:
    """Return a table, the largest value first.

    Args:
        title: of the panel.
        description: of the panel.
        keys: label -> its heading; other labels are not shown.
        columns: of numbers.
        sort_by: heading.
        link: title and address, for the cells of a heading.
        linked: that heading.
        width: of 24.
        height: in units of the grid.
    """
    refs = [chr(ord("A") + n) for n in range(len(columns))]
    values = ["Value"] if len(columns) == 1 else [f"Value #{ref}" for ref in refs]
    titles = [column.title for column in columns]
    made = _table(title, description)
    for column, ref in zip(columns, refs, strict=True):
        made = made.with_target(
            instant(column.expression, ref=ref).format(PromQueryFormat.TABLE)
        ).override_by_name(column.title, _cells(column))
    names = {**keys, **dict(zip(values, titles, strict=True))}
    made = made.transformations(_shown(names, merged=len(columns) > 1)).sort_by(
        [common.TableSortByFieldState().display_name(sort_by).desc(True)]
    )
    if link:
        made = made.override_by_name(linked, [_links(*link)])
    return Placed(made, width, height)


def alerts(
    selector: str,
    description: str,
    *,
    keys: Mapping[str, str] = _OF_MODELS,
    names: str = "MLGuard.*",
    without: str = q.REPLICA,
    height: int = 6,
) -> Placed:
    """Return the firing alerts, the worst first, with since when and the section of the runbook.

    Args:
        selector: matchers of the alerts.
        description: of the panel.
        keys: label -> its heading.
        names: regular expression of the alerts' names.
        without: labels that do not make another alert.
        height: in units of the grid.
    """
    since = q.active_since(selector, names, without)
    labelled = f'label_replace({since}, "runbook", "$1", "alertname", "(.*)")'
    shown = {
        "severity": "Severity",
        "alertname": "Alert",
        **keys,
        "runbook": "Runbook",
        "Value": "Active since",
    }
    made = (
        _table("Firing alerts", description)
        .with_target(instant(labelled).format(PromQueryFormat.TABLE))
        .transformations(_shown(shown))
        .override_by_name("Active since", [m.DynamicConfigValue("unit", "dateTimeFromNow")])
        .override_by_name(
            "Severity",
            [
                m.DynamicConfigValue("mappings", [{"type": "value", "options": _SEVERITIES}]),
                m.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
            ],
        )
        .override_by_name(
            "Runbook",
            [
                m.DynamicConfigValue("mappings", [_anchors()]),
                _links("What it means, and what to do", f"{RUNBOOK}#${{__value.text}}"),
            ],
        )
        .sort_by([common.TableSortByFieldState().display_name("Severity").desc(False)])
        .no_value("No alert is firing")
    )
    if "model" in keys:
        made = made.override_by_name("Model", [_links("Model", TO_MODEL)])
    return Placed(made, 24, height)


def _table(title: str, description: str) -> table.Panel:
    return table.Panel().title(title).description(description).datasource(SOURCE).no_value("none")


def _cells(column: Column) -> list[m.DynamicConfigValue]:
    cells = [m.DynamicConfigValue("unit", column.unit)]
    if column.decimals is not None:
        cells.append(m.DynamicConfigValue("decimals", column.decimals))
    if column.steps != NEUTRAL:
        steps = [{"value": bound, "color": colour} for bound, colour in column.steps]
        cells += [
            m.DynamicConfigValue("thresholds", {"mode": "absolute", "steps": steps}),
            m.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
        ]
    return cells


def _links(title: str, url: str) -> m.DynamicConfigValue:
    return m.DynamicConfigValue("links", [{"title": title, "url": url}])


def _shown(names: Mapping[str, str], *, merged: bool = False) -> list[m.DataTransformerConfig]:
    """Return the transformations that show these fields alone, in their order, renamed."""
    made = [
        m.DataTransformerConfig("filterFieldsByName", options={"include": {"names": list(names)}}),
        m.DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {},
                "indexByName": {name: n for n, name in enumerate(names)},
                "renameByName": dict(names),
            },
        ),
    ]
    if merged:
        made.insert(1, m.DataTransformerConfig("merge", options={}))
    return made


def _anchors() -> dict[str, object]:
    """Return the mapping of the bundled alerts to their sections of the runbook."""
    names = sorted(
        {
            rule["alert"]
            for path in _BUNDLED.glob("*.rules.yml")
            for group in yaml.safe_load(path.read_text())["groups"]
            for rule in group["rules"]
            if "alert" in rule
        }
    )
    return {"type": "value", "options": {name: {"text": name.lower()} for name in names}}
