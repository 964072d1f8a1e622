"""What all dashboards have in common: data source, variables, links, annotations, layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as m

from mlguard_dashboards.layout import place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_dashboards.layout import Placed

SOURCE = m.DataSourceRef(type_val="prometheus", uid="${datasource}")
"""The data source that the variable names."""

TITLES = {
    "fleet": "ML Guard / Fleet",
    "model": "ML Guard / Model",
    "feature": "ML Guard / Feature",
    "cost": "ML Guard / Cost",
    "health": "ML Guard / Health",
}
RUNBOOK = "${runbook_base}/rules/README.md"
"""The runbook; `runbook_base` is as `notify.runbook_base` of the configuration."""

ONE_MODEL = 'project="$project", model="$model", model_endpoint="$endpoint"'
"""Matchers of dashboards that show one model."""

MODELS = 'project=~"$project", model=~"$model"'
"""Matchers of dashboards that show several models."""

_TAG = "mlguard"


def uid(name: str) -> str:
    """Return the identifier of a dashboard, which never changes."""
    return f"mlguard-{name}"


def link_to(name: str, **variables: str) -> str:
    """Return the address of another dashboard, with data source and time range of this one.

    Args:
        name: of the dashboard.
        variables: its variables -> their values, which may be variables of this dashboard or
            fields of the data.
    """
    pairs = "".join(f"&var-{key}={value}" for key, value in variables.items())
    kept = "${datasource:queryparam}&${runbook_base:queryparam}&${__url_time_range}"
    return f"/d/{uid(name)}?{kept}{pairs}"


def of_model() -> list[Builder[m.VariableModel]]:
    """Return the variables that choose one model."""
    return [
        query_variable("project", "Project", "label_values(mlguard_inferences_total, project)"),
        query_variable(
            "model", "Model", 'label_values(mlguard_inferences_total{project="$project"}, model)'
        ),
        query_variable(
            "endpoint",
            "Endpoint",
            'label_values(mlguard_inferences_total{project="$project", model="$model"},'
            " model_endpoint)",
        ),
    ]


def query_variable(name: str, label: str, query: str, *, several: bool = False) -> d.QueryVariable:
    """Return a variable whose values are those of a label.

    Args:
        name: of the variable.
        label: shown before it.
        query: in the notation of Grafana's Prometheus data source.
        several: whether several values, or all of them, may be chosen.
    """
    made = (
        d.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(m.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(m.VariableSort.ALPHABETICAL_ASC)
    )
    if several:
        every = m.VariableOption(selected=True, text="All", value="$__all")
        made = made.multi(True).include_all(True).all_value(".*").current(every)
    return made


class _Annotation(m.AnnotationQuery):
    """An annotation of Prometheus, whose texts the library does not know."""

    def to_json(self) -> dict[str, object]:
        return super().to_json() | {
            "titleFormat": "{{alertname}}",
            "textFormat": "{{severity}} {{project}} {{model}} {{model_endpoint}} {{feature}}",
            "tagKeys": "severity",
        }


class _Alerts(Builder[m.AnnotationQuery]):
    """Builder of the annotation that marks when alerts fired."""

    def __init__(self, expression: str) -> None:
        self._expression = expression

    def build(self) -> m.AnnotationQuery:
        return _Annotation(
            name="Firing alerts",
            datasource=SOURCE,
            enable=True,
            icon_color="red",
            expr=self._expression,
        )


def dashboard(
    name: str,
    description: str,
    variables: Sequence[Builder[m.VariableModel]],
    rows: Sequence[Sequence[Placed]],
    *,
    alerts: str,
    since: str = "now-24h",
    links: Sequence[str] = (),
) -> m.Dashboard:
    """Return a dashboard.

    Args:
        name: of its file.
        description: what it shows.
        variables: besides the data source and the runbook's address.
        rows: panels from left to right, row by row, each row 24 columns wide.
        alerts: expression of the alerts that annotate its graphs.
        since: begin of the time range that it opens with.
        links: names of the dashboards that it links to, with all variables.
    """
    made = (
        d.Dashboard(TITLES[name])
        .uid(uid(name))
        .description(description)
        .tags([_TAG])
        .timezone("utc")
        .editable()
        .tooltip(m.DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .refresh("1m")
        .variables([d.DatasourceVariable("datasource").label("Data source").type("prometheus")])
        .annotation(_Alerts(alerts))
        .link(_runbook_link())
    )
    for variable in (*variables, _runbook_variable()):
        made = made.with_variable(variable)
    for target in links:
        made = made.link(_dashboard_link(target))
    built = made.build()
    built.panels = place(rows)
    return built


def _runbook_variable() -> d.TextBoxVariable:
    return (
        d.TextBoxVariable("runbook_base")
        .label("Runbook base")
        .description("Address of the folder that holds rules/README.md, as notify.runbook_base")
        .default_value("")
    )


def _runbook_link() -> d.DashboardLink:
    return (
        d.DashboardLink("Runbook")
        .type(m.DashboardLinkType.LINK)
        .icon("doc")
        .url(RUNBOOK)
        .tooltip("What each alert means, and what to do; or: mlguard rules explain ALERT")
        .target_blank(True)
    )


def _dashboard_link(name: str) -> d.DashboardLink:
    return (
        d.DashboardLink(TITLES[name].removeprefix("ML Guard / "))
        .type(m.DashboardLinkType.LINK)
        .icon("dashboard")
        .url(f"/d/{uid(name)}")
        .tooltip(TITLES[name])
        .include_vars(True)
        .keep_time(True)
    )
