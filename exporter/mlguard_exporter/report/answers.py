"""What the report on spend says, from which its JSON is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - msgspec reads the annotations
from datetime import date  # noqa: TC003 - likewise

import msgspec

from mlguard_exporter.analysis import Scope  # noqa: TC001 - likewise

Owner = tuple[str, str, str]
"""Project, model and endpoint."""


class OwnerSpend(msgspec.Struct, frozen=True):
    """Spend of a project, model and endpoint; empty texts where a tag is missing.

    Attributes:
        settled_day: of the UTC day two days ago; None until it is read as settled.
        month_to_date: of this UTC month.
        month_forecast: of all of it; None while no ordinary day is known.
        per_1000_inferences: of the settled day; None where inferences are not known.
    """

    account: str
    project: str
    model: str
    model_endpoint: str
    currency: str
    settled_day: float | None
    month_to_date: float
    month_forecast: float | None
    per_1000_inferences: float | None = None


class BudgetUse(msgspec.Struct, frozen=True):
    """Use of a budget in this UTC month."""

    project: str
    model: str | None
    currency: str
    amount: float
    month_to_date: float
    month_forecast: float | None


class ServiceSpend(msgspec.Struct, frozen=True):
    """Spend on an AWS service."""

    account: str
    aws_service: str
    currency: str
    settled_day: float | None
    month_to_date: float


class DaySpend(msgspec.Struct, frozen=True):
    """Spend on a UTC day.

    Attributes:
        expected: by level and weekday; None while there is too little history, as `limit`.
        limit: excess from which the day is an anomaly.
    """

    day: date
    amount: float
    is_settled: bool
    expected: float | None
    limit: float | None


class ReportedAnomaly(msgspec.Struct, frozen=True):
    """Day on which something cost much more than was expected."""

    account: str
    scope: Scope
    name: str
    currency: str
    day: date
    amount: float
    expected: float | None


class AccountState(msgspec.Struct, frozen=True):
    """How reading an account goes.

    Attributes:
        succeeded_at: epoch seconds of the last success.
        requests: requests to AWS so far.
        api_spend_usd: what they cost.
    """

    account: str
    up: bool | None
    succeeded_at: float | None
    requests: int
    outcomes: Mapping[str, int]
    api_spend_usd: float
    restatements: int


class SpendReport(msgspec.Struct, frozen=True):
    """All of it.

    Attributes:
        today: the UTC day.
        currency: of the trend.
        project: whose spend is shown; None for all.
        settled_day: the day two days ago.
        untagged_ratio: share of spend without a project in the last seven settled days.
    """

    today: date
    project: str | None
    currency: str
    settled_day: date
    days: Sequence[DaySpend]
    owners: Sequence[OwnerSpend]
    budgets: Sequence[BudgetUse]
    services: Sequence[ServiceSpend]
    anomalies: Sequence[ReportedAnomaly]
    untagged_ratio: float | None
    untagged_threshold_ratio: float
    other_usd: Mapping[str, float]
    accounts: Sequence[AccountState]
