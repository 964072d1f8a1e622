"""Cost: what AWS charges for projects, models, endpoints and services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_dashboards import cost_tables, tables
from mlguard_dashboards import distributions as dist
from mlguard_dashboards import panels as p
from mlguard_dashboards import queries as q
from mlguard_dashboards.frame import dashboard, link_to, query_variable

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from mlguard_dashboards.layout import Placed

_ACCOUNT = 'account=~"$account"'
_OWNER = f'{_ACCOUNT}, project=~"$project"'
_ALERTS = "MLGuard(Cost.*|PaidButIdle)"
_ALERT_KEYS = {**tables.MODEL_KEYS, "aws_service": "Service", "account": "Account"}


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        "cost",
        "Usage charges at AWS in US dollars, by UTC day; credits, refunds, tax and fees are"
        " separate. A day is settled two days later.",
        [
            query_variable(
                "account", "Account", "label_values(mlguard_cost_up, account)", several=True
            ),
            query_variable(
                "project",
                "Project",
                'label_values(mlguard_cost_month_to_date_usd{account=~"$account"}, project)',
                several=True,
            ),
        ],
        [
            _numbers(),
            [
                tables.alerts(
                    "",
                    "Firing alerts about spend, with what to do.",
                    keys=_ALERT_KEYS,
                    names=_ALERTS,
                    height=5,
                )
            ],
            [_projects(), _services()],
            [cost_tables.budgets(_OWNER), cost_tables.anomalies(_ACCOUNT)],
            [_expected(), _per_thousand()],
            [cost_tables.owners(_OWNER)],
            [_untagged(), _other(), _age()],
        ],
        alerts=q.firing("", _ALERTS),
        since="now-30d",
        links=("fleet", "health"),
    )


def _numbers() -> list[Placed]:
    used, forecast = (
        f"max({cost_tables.of_budget(metric, _OWNER)}\n/ on (project, model) {cost_tables.BUDGET})"
        for metric in ("mlguard_cost_month_to_date_usd", "mlguard_cost_month_forecast_usd")
    )
    return [
        p.number(
            "Settled day",
            "Usage charges of the UTC day two days ago, the latest whose amount does not grow any"
            " more.",
            q.settled_day(_OWNER),
            p.DOLLARS,
        ),
        p.number(
            "Month to date",
            "Usage charges of this UTC month, up to the latest day with data, which may still"
            " grow.",
            q.spend("mlguard_cost_month_to_date_usd", _OWNER),
            p.DOLLARS,
        ),
        p.number(
            "Forecast of the month",
            "Usage charges expected until the end of this UTC month: days to come are like the"
            " latest ordinary one of their weekday.",
            q.spend("mlguard_cost_month_forecast_usd", _OWNER),
            p.DOLLARS,
        ),
        p.number(
            "Budget used, at most",
            "Month to date as a share of the budget, of the project or model that has used most"
            " of it.",
            used,
            p.RATIO,
            steps=p.OVER_ONE,
            no_value="no budget",
            decimals=0,
        ),
        p.number(
            "Forecast of budget, at most",
            "Forecast of the month as a share of the budget, of the project or model with the"
            " largest.",
            forecast,
            p.RATIO,
            steps=p.OVER_ONE,
            no_value="no budget",
            decimals=0,
        ),
        p.number(
            "Untagged share",
            "Share of the usage charges of the last seven settled days that carry no project tag,"
            " of the account with the largest. Red from its limit on.",
            f"max(mlguard_cost_untagged_ratio{{{_ACCOUNT}}})",
            p.RATIO,
            limit="max(mlguard_cost_untagged_threshold_ratio > 0)",
            decimals=0,
        ),
    ]


def _projects() -> Placed:
    return p.graph(
        "Spend of a day by project",
        "Usage charges of the UTC day two days before the time shown, by project. The series"
        " without a name is spend without a project tag.",
        {"{{project}}": q.settled_day(_OWNER, "project")},
        p.DOLLARS,
        stacked=True,
        daily=True,
    )


def _services() -> Placed:
    return p.graph(
        "Spend of a day by AWS service",
        "Usage charges of the UTC day two days before the time shown, by service, of all projects.",
        {
            "{{aws_service}}": q.spend(
                "mlguard_cost_settled_day_by_service_usd", _ACCOUNT, "aws_service"
            )
        },
        p.DOLLARS,
        stacked=True,
        daily=True,
    )


def _expected() -> Placed:
    owner = f'{_OWNER}, project!=""'
    # a project of one part has no expectation of its own, but that of the part
    expected = "\nor\n".join(
        q.spend("mlguard_cost_expected_usd", f'{owner}, scope="{scope}"', "project")
        for scope in ("project", "model", "endpoint")
    )
    return p.graph(
        "Spend against expectation",
        "Usage charges of the settled day of each project, and what is expected of such a weekday"
        " (dashed). Spikes are days far above it; the table above says of what part.",
        {
            "{{project}}": q.settled_day(owner, "project"),
            "expected {{project}}": expected,
        },
        p.DOLLARS,
        daily=True,
    )


def _per_thousand() -> Placed:
    return p.graph(
        "Cost per 1,000 inferences",
        "Usage charges of the settled day divided by the inferences of that day, by model. Needs"
        " the recording rules of fleet.rules.yml, and tags for project, model and endpoint.",
        {"{{project}}/{{model}}/{{model_endpoint}}": q.per_thousand('project=~"$project"')},
        p.DOLLARS,
        daily=True,
        links=[
            p.link(
                "Model",
                link_to(
                    "model",
                    project="${__field.labels.project:percentencode}",
                    model="${__field.labels.model:percentencode}",
                    endpoint="${__field.labels.model_endpoint:percentencode}",
                ),
            )
        ],
    )


def _untagged() -> Placed:
    return p.graph(
        "Share of spend without a project tag",
        "Of the usage charges of the last seven settled days, by account, with the limit of the"
        " alert (dashed).",
        {
            "{{account}}": f"max by (account) (mlguard_cost_untagged_ratio{{{_ACCOUNT}}})",
            "limit": "max(mlguard_cost_untagged_threshold_ratio > 0)",
        },
        p.RATIO,
        width=8,
        daily=True,
    )


def _other() -> Placed:
    return dist.ranking(
        "Charges of the month that are not usage, and other currencies",
        "Credits, refunds, tax and fees of this UTC month in US dollars; then spend of the"
        " settled day in other currencies, which no other panel of this dashboard includes.",
        {
            "{{charge}}": q.spend("mlguard_cost_other_usd", _ACCOUNT, "charge"),
            "settled day in {{currency}} (not dollars)": "sum by (currency)"
            f' (mlguard_cost_settled_day_usd{{currency!="", {_OWNER}}})',
        },
        p.DOLLARS,
        width=8,
        from_zero=False,
    )


def _age() -> Placed:
    return p.graph(
        "Age of the figures",
        "Time since spend was last read, and since the begin of the settled day, by account. The"
        " dashed limit is that of the alert, 26 hours since the last read.",
        {
            "read {{account}}": "time() - max by (account)"
            f" (mlguard_cost_last_success_timestamp_seconds{{{_ACCOUNT}}})",
            "settled day {{account}}": "time() - max by (account)"
            f" (mlguard_cost_judged_day_timestamp_seconds{{{_ACCOUNT}}})",
            "limit of read": "vector(93600)",
        },
        p.SECONDS,
        width=8,
        daily=True,
    )
