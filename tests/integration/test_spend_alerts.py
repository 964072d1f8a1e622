"""The bundled rules over simulated spend: each thing is reported once, and nothing else is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from support.aws import Bill
from support.spending import Spending

from mlguard_rules.alert import State
from mlguard_rules.alerting import RuleManager
from mlguard_rules.rulefile import load_rules
from mlguard_rules.service import SampleConverter

RULES = Path(__file__).resolve().parents[2] / "rules/mlguard_rules/bundled/cost.rules.yml"
NAMES = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
STEP = timedelta(minutes=15)
OUTAGE = (datetime(2027, 6, 21, tzinfo=UTC), datetime(2027, 6, 25, 1, tzinfo=UTC))


def bills(today: date) -> list[Bill]:
    found = []
    for n in range(130):
        day = today - timedelta(days=n)
        weekend = Decimal("0.4") if day.weekday() > 4 else 1
        for owner, amount in ((("shop", "churn", "predict"), 100), (("bank", "fraud", "p"), 50)):
            cost = amount * weekend
            if owner[0] == "shop" and day == date(2027, 5, 19):
                cost *= 4
            if owner[0] == "bank" and day >= date(2027, 6, 9):
                cost *= 3
            tags = dict(zip(NAMES, owner, strict=True))
            found.append(Bill(day, tags, "Amazon SageMaker", "Usage", cost, cost, cost))
        if day.day == 1:
            fee = Decimal(500)
            found.append(Bill(day, {}, "AWS Support", "RIFee", fee, fee, fee))
    return found


SPANS = {
    ("MLGuardCostSpike", "warning", "endpoint", "shop"): [("05-21 00:35", 24)],
    ("MLGuardCostSpike", "warning", "endpoint", "bank"): [("06-11 00:35", 72)],
    # 2,600 of 2,500 once a Monday and a Tuesday are known on the new level
    ("MLGuardCostBudgetForecast", "warning", "project", "bank"): [
        ("06-17 06:20", 238),
        ("07-01 06:20", 66),
    ],
    # on the 25th 2,530 are spent; the outage ends at 01:00, and the next try is at 04:20
    ("MLGuardCostBudgetExceeded", "critical", "project", "bank"): [("06-25 04:20", 212)],
    ("MLGuardCostStale", "warning"): [("06-21 02:50", 97)],
    ("MLGuardCostStale", "critical"): [("06-23 00:50", 51)],
}
"""Begin and hours of each alert."""


def within(first: date, end: date) -> dict[tuple[str, ...], list[tuple[str, int]]]:
    """The alerts between two days, those at the end cut off."""
    found = {}
    for key, spans in SPANS.items():
        for begin, hours in spans:
            at = datetime.strptime(f"2027-{begin}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
            if first <= at.date() < end:
                last = datetime(end.year, end.month, end.day, 0, 5, tzinfo=UTC)
                left = round((last - at).total_seconds() / 3600)
                found.setdefault(key, []).append((begin, min(hours, left)))
    return found


@pytest.mark.parametrize(
    ("first", "end"),
    [
        pytest.param(date(2027, 6, 9), date(2027, 6, 26), id="a-fortnight"),
        pytest.param(date(2027, 5, 3), date(2027, 7, 4), id="two-months", marks=pytest.mark.long),
    ],
)
def test_each_thing_is_reported_once(fake_aws, tmp_path, first, end):
    engine = RuleManager(load_rules(RULES), STEP.total_seconds())
    reported: dict[tuple[str, ...], list[list[datetime]]] = {}
    begin = datetime(first.year, first.month, first.day, 0, 20, tzinfo=UTC)
    budgets = [{"project": "bank", "amount": 2500}, {"project": "shop", "amount": 9000}]
    with Spending(tmp_path, begin, budgets=budgets) as spending:
        fake_aws.clock = lambda: spending.now
        while spending.now.date() < end:
            fake_aws.bills = bills(spending.now.date())
            is_out = OUTAGE[0] <= spending.now < OUTAGE[1]
            fake_aws.denied = {"ce:GetCostAndUsage"} if is_out else set()
            spending.tick()
            engine.evaluate(
                spending.now.timestamp(),
                SampleConverter().convert(spending.collect(), engine.metric_names),
            )
            for alert in engine.alerts:
                if alert.state is State.FIRING:
                    labels = dict(alert.labels)
                    names = ("alertname", "severity", "scope", "project", "aws_service")
                    key = tuple(labels[name] for name in names if labels.get(name))
                    spans = reported.setdefault(key, [])
                    if not spans or spans[-1][1] < spending.now - STEP:
                        spans.append([spending.now, spending.now])
                    spans[-1][1] = spending.now
            spending.at(spending.now + STEP)
    assert engine.failures == 0
    hours = {
        key: [(f"{a:%m-%d %H:%M}", round((b - a).total_seconds() / 3600)) for a, b in spans]
        for key, spans in reported.items()
    }
    assert hours == within(first, end)
