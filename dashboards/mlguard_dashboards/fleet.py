"""Fleet: all models on one page, those in trouble first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_dashboards import panels as p
from mlguard_dashboards import queries as q
from mlguard_dashboards import tables
from mlguard_dashboards.frame import MODELS, dashboard, link_to, query_variable

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from mlguard_dashboards.layout import Placed

_LEGEND = "{{project}}/{{model}}/{{model_endpoint}}"
_TO_MODEL = p.link(
    "Model",
    link_to(
        "model",
        project="${__field.labels.project:percentencode}",
        model="${__field.labels.model:percentencode}",
        endpoint="${__field.labels.model_endpoint:percentencode}",
    ),
)
_BOTH_MODES = "Sidecars with exposition: fleet need the recording rules of fleet.rules.yml."


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        "fleet",
        "All models: what fires, traffic, latency, drift and cost. A row leads to its model.",
        [
            query_variable(
                "project",
                "Project",
                "label_values(mlguard_inferences_total, project)",
                several=True,
            ),
            query_variable(
                "model",
                "Model",
                'label_values(mlguard_inferences_total{project=~"$project"}, model)',
                several=True,
            ),
        ],
        [_numbers(), [_alerts()], [_models()], [_traffic(), _latency()], [_drift(), _cost()]],
        alerts=q.firing(MODELS),
        links=("cost", "health"),
    )


def _count(severity: str) -> str:
    of_severity = f'label_replace(vector(1), "severity", "{severity}", "", "")'
    return f"count(({q.firing(MODELS)}) and on (severity) {of_severity}) or vector(0)"


def _numbers() -> list[Placed]:
    over = f"({q.judged_p95(MODELS)})\n> {q.limit('mlguard_latency_p95_threshold_seconds', MODELS)}"
    return [
        p.number(
            "Critical alerts",
            "Firing alerts with severity critical of the models chosen. They are for the engineer"
            " on call; the table below names them.",
            _count("critical"),
            p.COUNT,
            steps=p.ANY_IS_BAD,
        ),
        p.number(
            "Warnings",
            "Firing alerts with severity warning of the models chosen. They can wait for working"
            " hours.",
            _count("warning"),
            p.COUNT,
            steps=((None, "green"), (1, "yellow")),
        ),
        p.number(
            "Models with drift",
            "Models of which a feature or prediction has drifted: its index exceeds"
            " the limit in each window and chance in one. The alert fires after half"
            " an hour. " + _BOTH_MODES,
            f"count(({q.drifted_columns(MODELS)}) > 0) or vector(0)",
            p.COUNT,
            steps=((None, "green"), (1, "yellow")),
        ),
        p.number(
            "Models over their latency limit",
            "Models whose 95th percentile exceeds thresholds.latency_p95_seconds."
            " Models without that limit are not counted. " + _BOTH_MODES,
            f"count({over}) or vector(0)",
            p.COUNT,
            steps=p.ANY_IS_BAD,
        ),
        p.number(
            "Inferences",
            "Inferences a second of the models chosen.",
            q.rate("mlguard_inferences_total", MODELS),
            p.RATE,
        ),
        p.number(
            "Spend of a day",
            "Usage charges at AWS of the UTC day two days ago, the latest that is settled, of the"
            " projects and models chosen, in US dollars. Needs the exporter.",
            q.settled_day(MODELS),
            p.DOLLARS,
            links=[p.link("Cost", link_to("cost"))],
        ),
    ]


def _alerts() -> Placed:
    return tables.alerts(
        MODELS,
        "Firing alerts of the models chosen, each once however many replicas report it. The"
        " column Runbook leads to what to do; `mlguard rules explain ALERT` prints the same.",
        height=7,
    )


def _models() -> Placed:
    named = f'{MODELS}, model_endpoint!=""'
    firing = f"count by ({q.MODEL}) ({q.firing(named)})"
    return tables.rows(
        "Models",
        "One row for each model. Drift is the largest index of its features and"
        " predictions as a multiple of the limit, of the window that has least:"
        " above 1, and beyond chance, a column has drifted. Latency is of the window"
        " that alerts use. Spend is of the UTC day two days ago; cost per 1,000"
        " inferences needs the recording rules. " + _BOTH_MODES,
        tables.MODEL_KEYS,
        [
            tables.Column("Alerts", firing, p.COUNT, p.ANY_IS_BAD),
            tables.Column("Drifted columns", q.drifted_columns(MODELS), p.COUNT, p.ANY_IS_BAD),
            tables.Column(
                "Drift / limit",
                f"max by ({q.MODEL}) ({q.drift_ratio(MODELS)})",
                "none",
                p.OVER_ONE,
                2,
            ),
            tables.Column("p95", q.judged_p95(MODELS), p.SECONDS),
            tables.Column(
                "p95 / limit",
                f"({q.judged_p95(MODELS)})\n"
                f"/ {q.limit('mlguard_latency_p95_threshold_seconds', MODELS)}",
                p.RATIO,
                p.OVER_ONE,
                0,
            ),
            tables.Column(
                "Inferences",
                q.rate("mlguard_inferences_total", MODELS, q.MODEL),
                p.RATE,
            ),
            tables.Column("Spend", q.settled_day(named, q.MODEL), p.DOLLARS),
            tables.Column("Per 1,000", q.per_thousand(MODELS), p.DOLLARS),
        ],
        sort_by="Drift / limit",
        link=("Model", tables.TO_MODEL),
    )


def _traffic() -> Placed:
    return p.graph(
        "Traffic",
        "Inferences a second of each model, over all replicas.",
        {_LEGEND: q.rate("mlguard_inferences_total", MODELS, q.MODEL)},
        p.RATE,
        links=[_TO_MODEL],
    )


def _latency() -> Placed:
    return p.graph(
        "Latency, 95th percentile",
        "One request in twenty takes longer, of each model. With exposition: full it is of the"
        " window that alerts use, of the slowest replica; else of all replicas over 5 minutes, by"
        " recording rules.",
        {_LEGEND: q.judged_p95(MODELS)},
        p.SECONDS,
        links=[_TO_MODEL],
    )


def _drift() -> Placed:
    return p.graph(
        "Drift as a multiple of its limit",
        "The largest index of each model's features and predictions, divided by the"
        " model's limit, of the window that has least. Above the line at 1 a column"
        " has drifted, unless it is by chance. Absent with little data. " + _BOTH_MODES,
        {_LEGEND: f"max by ({q.MODEL}) ({q.drift_ratio(MODELS)})"},
        "none",
        steps=((None, "green"), (1, "red")),
        links=[_TO_MODEL],
    )


def _cost() -> Placed:
    return p.graph(
        "Spend of a day by model",
        "Usage charges at AWS of each model, in US dollars, of the UTC day two days before the"
        " time shown. Needs the exporter.",
        {"{{project}}/{{model}}": q.settled_day(f'{MODELS}, model!=""', "project", "model")},
        p.DOLLARS,
        daily=True,
        links=[p.link("Cost", link_to("cost"))],
    )
