"""Tables of spend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_dashboards import panels as p
from mlguard_dashboards import queries as q
from mlguard_dashboards import tables

if TYPE_CHECKING:
    from mlguard_dashboards.layout import Placed

BUDGET = 'max by (project, model) (mlguard_cost_budget_usd{currency="", project=~"$project"})'
"""Budgets in US dollars, by project and model; without a model, of the whole project."""


def of_budget(metric: str, selector: str) -> str:
    """Return spend of what each budget is for, by project and model."""
    owned = q.spend(metric, f'{selector}, model!=""', "project", "model")
    whole = q.spend(metric, selector, "project")
    return f'({owned}\nor\nlabel_replace({whole}, "model", "", "", ""))'


def budgets(selector: str) -> Placed:
    """Return the budgets, with what is spent and expected of them."""
    spent, forecast, closing = (
        of_budget(f"mlguard_cost_{name}_usd", selector)
        for name in ("month_to_date", "month_forecast", "closing_month")
    )
    return tables.rows(
        "Budgets",
        "Configured budgets of projects, and of models where one is named, for a UTC month. Last"
        " month is shown for three days while its last days settle.",
        {"project": "Project", "model": "Model"},
        [
            tables.Column("Budget", BUDGET, p.DOLLARS),
            tables.Column("Month to date", _within(spent), p.DOLLARS),
            tables.Column("Used", _share(spent), p.RATIO, p.OVER_ONE, 0),
            tables.Column("Forecast", _within(forecast), p.DOLLARS),
            tables.Column("Forecast used", _share(forecast), p.RATIO, p.OVER_ONE, 0),
            tables.Column("Last month", _within(closing), p.DOLLARS),
        ],
        sort_by="Forecast used",
        width=12,
    )


def anomalies(account: str) -> Placed:
    """Return what spiked on the settled day, and days that were found to be spikes later."""
    keys = {
        "scope": "Scope",
        "project": "Project",
        "model": "Model",
        "model_endpoint": "Endpoint",
        "aws_service": "Service",
    }
    by = tuple(keys)
    spike = f'(mlguard_cost_spike{{currency="", {account}}} == 1)'
    excess = f"sum by ({', '.join(by)}) (mlguard_cost_spike_excess_usd and {spike})"
    expected = f"sum by ({', '.join(by)}) (mlguard_cost_expected_usd and {spike})"
    late = q.spend("mlguard_cost_late_spike_excess_usd", account, *by)
    return tables.rows(
        "Spikes",
        "What cost far more on the settled day than such a weekday does, as the smallest part"
        " that explains it, and earlier days that AWS has reported late. `none`: no spike.",
        keys,
        [
            tables.Column("Above expected", excess, p.DOLLARS),
            tables.Column("Expected", expected, p.DOLLARS),
            tables.Column("Late", late, p.DOLLARS),
        ],
        sort_by="Above expected",
        width=12,
    )


def owners(selector: str) -> Placed:
    """Return spend by project, model and endpoint."""
    by = ("project", "model", "model_endpoint")
    return tables.rows(
        "Spend by endpoint",
        "One row for each project, model and endpoint; the row without names is untagged spend."
        " Latest day is the last UTC day with any data, and may still grow. Cost per 1,000"
        " inferences needs the recording rules.",
        tables.MODEL_KEYS,
        [
            tables.Column("Settled day", q.settled_day(selector, *by), p.DOLLARS),
            tables.Column(
                "Latest day", q.spend("mlguard_cost_latest_day_usd", selector, *by), p.DOLLARS
            ),
            tables.Column(
                "Month to date", q.spend("mlguard_cost_month_to_date_usd", selector, *by), p.DOLLARS
            ),
            tables.Column(
                "Forecast", q.spend("mlguard_cost_month_forecast_usd", selector, *by), p.DOLLARS
            ),
            tables.Column("Per 1,000", q.per_thousand('project=~"$project"'), p.DOLLARS),
        ],
        sort_by="Month to date",
        link=("Model", tables.TO_MODEL),
    )


def _within(spent: str) -> str:
    return f"{spent}\nand on (project, model) {BUDGET}"


def _share(spent: str) -> str:
    return f"{spent}\n/ on (project, model) {BUDGET}"
