"""The simulated spend, as the exporter reads and judges it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from support.account_costs import account_costs_of
from support.aws_cost_explorer import TAGS, Bill, CostExplorer

from mlguard_demo.cost_explorer import answer_operation
from mlguard_demo.spend import BUDGETS_USD, SPIKE_OWNER, Spend
from mlguard_exporter.analysis import detect_anomalies, forecast_month
from mlguard_exporter.spend import Kind
from mlguard_exporter.spikes import SpikeConfig

TODAY = date(2027, 3, 4)
METRICS = ["UnblendedCost", "AmortizedCost", "NetUnblendedCost"]
USAGE = {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Usage"]}}
# every weekday, and nearly every day of a month
BEGINS = [date(2027, 1, 1) + timedelta(days=n) for n in range(0, 730, 11)]


def bill(charge) -> Bill:
    tags = {tag: value for tag, value in zip(TAGS, charge.owner, strict=True) if value}
    return Bill(charge.day, tags, charge.service, "Usage", *[charge.amount] * 3)


def costs_of(spend: Spend):
    settled = [spend.spike_day - timedelta(days=n) for n in range(58, -1, -1)]
    end = settled[-1] + timedelta(days=1)
    charges = spend.charges(settled[0], end, spend.begun)
    return account_costs_of({(c.owner, c.service, c.day): c.amount for c in charges}, settled)


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("GetCostAndUsage", {"GroupBy": [("DIMENSION", "SERVICE"), ("DIMENSION", "RECORD_TYPE")]}),
        *(
            ("GetCostAndUsage", {"GroupBy": [("TAG", one), ("TAG", other)], "Filter": USAGE})
            for one in TAGS
            for other in TAGS
            if one != other
        ),
        ("ListCostAllocationTags", {"TagKeys": list(TAGS)}),
    ],
)
def test_the_stand_in_answers_as_cost_explorer_does(operation, body):
    spend = Spend(TODAY)
    model = CostExplorer(
        bills=[bill(charge) for charge in spend.charges(date.min, date.max, TODAY)],
        clock=lambda: datetime.combine(TODAY, time(12), UTC),
    )
    if operation == "GetCostAndUsage":
        body = body | {
            "TimePeriod": {"Start": "2026-12-01", "End": "2027-03-05"},
            "Granularity": "DAILY",
            "Metrics": METRICS,
            "GroupBy": [{"Type": kind, "Key": key} for kind, key in body["GroupBy"]],
        }
    assert answer_operation(operation, body, spend, TODAY) == model.answer(operation, body)


@pytest.mark.parametrize("body", [{}, {"Granularity": "MONTHLY"}])
def test_what_the_stand_in_does_not_know_is_refused(body):
    with pytest.raises((KeyError, ValueError)):
        answer_operation("GetCostAndUsage", body, Spend(TODAY), TODAY)
    with pytest.raises(ValueError, match="GetDimensionValues"):
        answer_operation("GetDimensionValues", body, Spend(TODAY), TODAY)


def test_whatever_the_day_one_spike_is_reported():
    for begun in BEGINS:
        spend = Spend(begun)
        reported = {
            (one.subject.series.project, one.subject.series.model, one.subject.series.endpoint): (
                one.reportable
            )
            for one in detect_anomalies(costs_of(spend), SpikeConfig())
            if one.reportable
        }
        assert reported == {SPIKE_OWNER: {spend.spike_day}}, begun


def test_whatever_the_month_the_shop_alone_exceeds_its_budget():
    for begun in BEGINS:
        spend = Spend(begun)
        costs = costs_of(spend)
        forecasts = defaultdict(Decimal)
        for series, days in costs.of(Kind.OWNER).items():
            spikes = [spend.spike_day] if series.project == "shop" else []
            forecasts[series.project] += forecast_month(days, costs.settled, spikes, begun)
        over = [name for name, limit in BUDGETS_USD.items() if forecasts[name] > limit]
        assert over == ["shop"], begun


def test_a_day_changes_only_until_it_is_settled():
    spend, day = Spend(TODAY), TODAY + timedelta(days=3)
    amounts = [
        sum(c.amount for c in spend.charges(day, day + timedelta(days=1), day + timedelta(days=n)))
        for n in (-1, 0, 1, 2, 30)
    ]
    assert amounts[0] == 0 < amounts[1] < amounts[2] < amounts[3] == amounts[4]
