"""What is checked for anomalies: endpoints, models, projects and AWS services."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mlguard_exporter.spend import CostSeries, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from mlguard_exporter.analysis.account_costs import AccountCosts, Days

_ZERO = Decimal(0)

CostPool: TypeAlias = tuple[str, str]
"""A currency and a project, within which spend may be transferred; empty for untagged spend."""


class Scope(StrEnum):
    """What a subject adds up, the finest first."""

    ENDPOINT = "endpoint"
    MODEL = "model"
    PROJECT = "project"
    SERVICE = "service"


class Subject(NamedTuple):
    """One sum of spend; its series has no model or endpoint where these are added up."""

    scope: Scope
    series: CostSeries

    @property
    def cost_pool(self) -> CostPool:
        """The pool that its spend belongs to."""
        return self.series.currency, self.series.project

    def parents(self) -> list[Subject]:
        """Return the subjects that include this one.

        An endpoint's service is not known, so that no service is among them.
        """
        found = []
        if self.scope is Scope.ENDPOINT:
            found.append(Subject(Scope.MODEL, self.series._replace(endpoint="")))
        if self.scope in (Scope.ENDPOINT, Scope.MODEL):
            found.append(Subject(Scope.PROJECT, self.series._replace(model="", endpoint="")))
        return found


def subjects_of(costs: AccountCosts) -> dict[Subject, list[CostSeries]]:
    """Return each subject with the series that it adds up.

    A model with one endpoint, or a project with one model, is left out: the finer subject stands
    for it.
    """
    owners, services = costs.of(Kind.OWNER), costs.of(Kind.SERVICE)
    models, projects = defaultdict(list), defaultdict(list)
    for series in owners:
        models[series._replace(endpoint="")].append(series)
        projects[series._replace(model="", endpoint="")].append(series)
    return {
        **{Subject(Scope.ENDPOINT, series): [series] for series in owners},
        **{Subject(Scope.MODEL, s): parts for s, parts in models.items() if len(parts) > 1},
        **{
            Subject(Scope.PROJECT, s): parts
            for s, parts in projects.items()
            if len({part.model for part in parts}) > 1
        },
        **{Subject(Scope.SERVICE, series): [series] for series in services},
    }


def sum_by_day(costs: AccountCosts, parts: Sequence[CostSeries], settled: Sequence[date]) -> Days:
    """Return the sum of the parts' settled days; zero for empty days after the first amount."""
    days: Days = {}
    for day in settled:
        amounts = [costs.amounts[part][day] for part in parts if day in costs.amounts[part]]
        if amounts or days:
            days[day] = sum(amounts, _ZERO)
    return days
