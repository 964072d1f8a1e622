"""The report on spend is the sum of the bills."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from support.aws import Bill
from support.spending import Spending

from mlguard_exporter.report import spend_report

NAMES = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
OWNERS = [
    ("shop", "churn", "predict"),
    ("shop", "churn", "batch"),
    ("shop", "rank", "predict"),
    ("a/b", "..", "<b>"),
    ("bank", "", ""),
    ("", "", ""),
]
SERVICES = ("Amazon SageMaker", "AWS Lambda", "Amazon Simple Storage Service")


def bills(rng: random.Random, today: date) -> list[Bill]:
    """Seventy days of cents, some of which are given back."""
    found = []
    for n in range(70):
        for owner in OWNERS:
            for service in SERVICES:
                if rng.random() < 0.7:
                    amount = Decimal(rng.randrange(-50, 5000)) / 100
                    tags = {name: value for name, value in zip(NAMES, owner, strict=True) if value}
                    day = today - timedelta(days=n)
                    found.append(Bill(day, tags, service, "Usage", *[amount] * 3))
    return found


def near(amount: float | None, cents: Decimal) -> bool:
    return amount is not None and abs(Decimal(repr(amount)) - cents) < Decimal("0.0001")


@pytest.mark.parametrize(
    "today", [date(2027, 5, 11), date(2027, 3, 1), date(2027, 3, 2), date(2027, 12, 31),
              date(2028, 2, 29)],
)  # fmt: skip
@pytest.mark.parametrize("project", [None, "shop", "a/b", "", "nobody"])
def test_every_sum_of_the_report(fake_aws, tmp_path, today, project):
    made = bills(random.Random(f"{today}"), today)
    fake_aws.bills = made
    now = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    fake_aws.clock = lambda: now
    budgets = [{"project": "shop", "amount": 10}, {"project": "shop", "model": "rank", "amount": 9}]
    with Spending(tmp_path, now, budgets=budgets) as spending:
        spending.tick()
        report = spend_report(spending.snapshot, today, project, {OWNERS[0]: 250.0})
    settled = today - timedelta(days=2)

    def total(**wanted) -> Decimal:
        """What the bills of a month, day, owner or service come to."""
        return sum(
            (
                bill.unblended
                for bill in made
                if all(
                    {
                        "month": bill.day >= today.replace(day=1),
                        "day": bill.day == value,
                        "owner": tuple(bill.tags.get(name, "") for name in NAMES) == value,
                        "project": value in (None, bill.tags.get(NAMES[0], "")),
                        "model": bill.tags.get(NAMES[1]) == value,
                        "service": bill.service == value,
                    }[name]
                    for name, value in wanted.items()
                )
            ),
            Decimal(0),
        )

    owners = {(o.project, o.model, o.model_endpoint): o for o in report.owners}
    assert set(owners) == {owner for owner in OWNERS if project in (None, owner[0])}
    for owner, spent in owners.items():
        assert near(spent.month_to_date, total(month=True, owner=owner))
        assert near(spent.settled_day, total(day=settled, owner=owner))
        if owner == OWNERS[0]:
            assert near(spent.per_1000_inferences, 4 * total(day=settled, owner=owner))
        else:
            assert spent.per_1000_inferences is None
    sums = [owner.month_to_date for owner in report.owners]
    assert sums == sorted(sums, reverse=True)
    for service in report.services:
        assert near(service.month_to_date, total(month=True, service=service.aws_service))
        assert near(service.settled_day, total(day=settled, service=service.aws_service))
    for day in report.days:
        assert near(day.amount, total(day=day.day, project=project))
        assert day.is_settled == (day.day <= settled)
    assert report.days[-1].day >= settled
    assert len({day.day for day in report.days}) == len(report.days) >= 58
    whole, rank = report.budgets
    assert near(whole.month_to_date, total(month=True, project="shop"))
    assert near(rank.month_to_date, total(month=True, project="shop", model="rank"))

    last = {settled - timedelta(days=n) for n in range(7)}
    by_project: defaultdict[tuple, Decimal] = defaultdict(Decimal)
    for bill in made:
        if bill.day in last:
            by_project[tuple(bill.tags.get(name, "") for name in NAMES)] += bill.unblended
    untagged = by_project[OWNERS[-1]] / sum(by_project.values())
    assert near(report.untagged_ratio, untagged)
