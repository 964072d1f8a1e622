"""Spend day by day, for some weeks or two years: every figure is that of the bills, to the cent."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from support.aws import Bill
from support.spending import Spending

CENT = Decimal("0.005")
OWNERS = [
    ("shop", "churn", "predict", "Amazon SageMaker"),
    ("shop", "churn", "batch", "Amazon SageMaker"),
    ("bank", "fraud", "", "Amazon SageMaker"),
    ("", "", "", "Amazon S3"),
]
OTHERS = {1: ("AWS Support", "Recurring reservation fee", "90"), 3: ("Tax", "Tax", "17.17")}
CREDITS = {10: ("Amazon SageMaker", "Credit", "-33.3"), 20: ("Amazon EC2", "Refund", "-5.55")}
"""By the day of the month."""


class Line(NamedTuple):
    """A line of a bill, as AWS will have it in the end."""

    bill: Bill
    early: Decimal
    """What a day has at first, and on the day after, as a share."""
    corrected_after: int | None
    """Days after which AWS takes a third off."""

    def seen(self, today: date) -> Bill | None:
        """Return what AWS reports of it on a day."""
        bill, age = self.bill, (today - self.bill.day).days
        share = Decimal(1)
        if age < 2 and bill.record_type == "Usage":
            share = self.early * (age + 1)
        if self.corrected_after is not None and age >= self.corrected_after:
            share = Decimal(2) / 3
        if age < 0:
            return None
        amounts = (x * share for x in (bill.unblended, bill.amortized, bill.net_unblended))
        return Bill(bill.day, bill.tags, bill.service, bill.record_type, *amounts, bill.currency)


def bill(day: date, owner: tuple, amount: Decimal, kind: str = "Usage", currency="USD") -> Bill:
    names = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
    tags = {name: value for name, value in zip(names, owner[:3], strict=True) if value}
    amount = amount.quantize(Decimal("0.0000000001"))
    return Bill(day, tags, owner[3], kind, amount, amount + 1, amount / 4, currency)


def lines_of(rng: random.Random, day: date) -> list[Line]:
    found = []
    for n, owner in enumerate(OWNERS):
        if rng.random() < 0.03:
            continue  # a day without spend
        amount = Decimal(10 + 15 * n) * (Decimal("0.45") if day.weekday() > 4 else 1)
        amount *= Decimal(str(rng.gauss(1, 0.1)))
        corrected = rng.randint(3, 30) if rng.random() < 0.02 else None
        early = Decimal(str(round(rng.uniform(0, 0.5), 3)))
        found.append(Line(bill(day, owner, amount), early, corrected))
    if day >= date(2027, 9, 10):  # a contract in another currency
        euros = bill(day, ("kiosk", "vision", "predict", "Partner"), Decimal(80), currency="EUR")
        found.append(Line(euros, Decimal("0.3"), None))
    for service, kind, amount in (both[day.day] for both in (OTHERS, CREDITS) if day.day in both):
        found.append(
            Line(bill(day, ("", "", "", service), Decimal(amount), kind), Decimal(0), None)
        )
    return found


def summed(bills: list[Bill], by, basis: str = "unblended") -> dict[tuple, Decimal]:
    sums: defaultdict[tuple, Decimal] = defaultdict(Decimal)
    for each in bills:
        currency = "" if each.currency == "USD" else each.currency
        sums[*by(each), currency] += getattr(each, basis)
    return dict(sums)


def owner(each: Bill) -> tuple:
    return tuple(each.tags.get(f"mlguard:{name}", "") for name in ("project", "model", "endpoint"))


def shown(spending: Spending, name: str, *labels: str) -> dict[tuple, Decimal]:
    """Samples by their labels; what is zero is left out."""
    return {
        tuple(found.get(label, "") for label in (*labels, "currency")): Decimal(value)
        for found, value in spending.samples(f"mlguard_cost_{name}")
        if abs(value) > 1e-9
    }


def assert_equal(found: dict[tuple, Decimal], expected: dict[tuple, Decimal], what: object) -> None:
    expected = {key: amount for key, amount in expected.items() if amount}
    assert found.keys() == expected.keys(), what
    for key, amount in expected.items():
        assert abs(found[key] - amount) < CENT, (what, key)


OWNER = ("project", "model", "model_endpoint")
LEAP_DAY = date(2028, 2, 29)


@pytest.fixture
def far_zone(monkeypatch):
    """The machine's own time zone, with daylight saving, which no figure follows."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def assert_figures(spending: Spending, bills: list[Bill], today: date) -> None:
    usage = [each for each in bills if each.record_type == "Usage"]
    settled, month = today - timedelta(days=2), today.replace(day=1)
    of_day = [each for each in usage if each.day == settled]
    of_month = [each for each in usage if each.day >= month]
    assert_equal(shown(spending, "settled_day_usd", *OWNER), summed(of_day, owner), today)
    assert_equal(
        shown(spending, "settled_day_by_service_usd", "aws_service"),
        summed(of_day, lambda each: (each.service,)),
        today,
    )
    latest = max(each.day for each in bills)
    assert_equal(
        shown(spending, "latest_day_usd", *OWNER),
        summed([each for each in usage if each.day == latest], owner),
        today,
    )
    assert_equal(shown(spending, "month_to_date_usd", *OWNER), summed(of_month, owner), today)
    assert_equal(
        shown(spending, "other_usd", "charge"),
        summed(
            [each for each in bills if each.record_type != "Usage" and each.day >= month],
            lambda each: (each.record_type,),
        ),
        today,
    )
    week = [each for each in usage if settled - timedelta(days=7) < each.day <= settled]
    everything = summed(week, lambda _: ())
    untagged = summed([each for each in week if "mlguard:project" not in each.tags], lambda _: ())
    ratios = {key: untagged.get(key, Decimal(0)) / total for key, total in everything.items()}
    found = {
        (labels.get("currency", ""),): Decimal(value)
        for labels, value in spending.samples("mlguard_cost_untagged_ratio")
    }
    assert found.keys() == ratios.keys()
    assert all(abs(found[key] - ratio) < Decimal("1e-9") for key, ratio in ratios.items())


@pytest.mark.usefixtures("far_zone")
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("first", "days"),
    [
        # a leap day, the end of a month, and the begin of daylight saving
        pytest.param(date(2028, 2, 25), 20, id="three-weeks"),
        # a contract that begins in another currency, and every month of the year
        pytest.param(date(2027, 6, 20), 731, id="two-years", marks=pytest.mark.long),
    ],
)
def test_figures_are_those_of_the_bills(fake_aws, tmp_path, first, days):
    rng = random.Random(20270620)
    lines = [line for n in range(-130, days) for line in lines_of(rng, first + timedelta(days=n))]
    by_month = Counter()
    begin = datetime(first.year, first.month, first.day, 6, tzinfo=UTC)
    with Spending(tmp_path, begin) as spending:
        fake_aws.clock = lambda: spending.now
        fake_aws.before = lambda _: by_month.update([spending.now.strftime("%Y-%m")])
        lines_from = 0
        for n in range(days):
            today = first + timedelta(days=n)
            while lines[lines_from].bill.day < today - timedelta(days=130):
                lines_from += 1
            seen = (line.seen(today) for line in lines[lines_from : lines_from + 1500])
            fake_aws.bills = [each for each in seen if each is not None]
            if n:
                midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
                spending.at(midnight + timedelta(seconds=rng.randrange(900)))
                if today.day in (1, 15):
                    spending.tick()
                assert not spending.samples("mlguard_cost_settled_day_usd")
                assert bool(spending.samples("mlguard_cost_month_to_date_usd")) == (today.day > 1)
                spending.at(midnight + timedelta(minutes=15, seconds=rng.randrange(60)))
            spending.tick()
            assert spending.value("mlguard_cost_up") == 1
            assert_figures(spending, fake_aws.bills, today)
        assert LEAP_DAY in spending.cost_store.known_days("main")
        assert len(spending.cost_store.known_days("main")) > days + 80
    assert max(by_month.values()) < 100
