"""What goes wrong between the exporter and AWS changes no figure and costs next to nothing."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from botocore.config import Config
from support import aws
from support.aws import Bill, Slow
from support.spending import Spending

from mlguard_exporter.sources.aws import session

NAMES = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
READ = datetime(2027, 5, 11, 0, 16, tzinfo=UTC)
NEXT = READ + timedelta(days=1)
FIGURES = (
    "latest_day_usd", "month_to_date_usd", "other_usd", "untagged_ratio", "spike", "expected_usd",
    "judged_day_timestamp_seconds", "restated_days_total", "last_success_timestamp_seconds",
)  # fmt: skip


def bill(day: date, amount: str, *owner: str, kind: str = "Usage") -> Bill:
    cost = Decimal(amount)
    tags = dict(zip(NAMES, owner, strict=False))
    return Bill(day, tags, "Amazon SageMaker", kind, cost, cost, cost)


def days(first: date, end: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((end - first).days)]


@pytest.fixture
def quick(monkeypatch, request):
    """One attempt at each request, and three seconds for an answer, or one where none comes."""
    is_slow = "[slow-" in request.node.name  # the fault of that name
    once = Config(
        retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=1.0 if is_slow else 3.0
    )
    monkeypatch.setattr(session, "_PATIENT", session._PATIENT.merge(once))


@pytest.fixture
def spending(fake_aws, tmp_path):
    """Spend that has been read once, with another day's bills to come."""
    with Spending(tmp_path, READ) as made:
        fake_aws.clock = lambda: made.now
        fake_aws.bills = [
            bill(day, amount, *owner)
            for day in days(date(2027, 2, 1), READ.date())
            for amount, owner in (("10.5", ("shop", "churn", "predict")), ("20", ("bank", "fraud")))
        ]
        made.tick()
        assert made.value("mlguard_cost_up") == 1
        yield made


def more_bills(fake) -> None:
    fake.bills = [
        *(bill(each.day, "99", *each.tags.values()) for each in fake.bills),
        bill(READ.date(), "7", "shop", "churn", "predict"),
        bill(READ.date(), "-7", kind="Refund"),
    ]


def figures(spending: Spending) -> dict:
    return {name: spending.samples(f"mlguard_cost_{name}") for name in FIGURES}


def kept(spending: Spending) -> list:
    return list(spending.cost_store.rows("main", date.min, date.max))


FAULTS = {
    "limit": (aws.LIMIT_EXCEEDED, "throttled"),
    "throttled": (aws.THROTTLED, "throttled"),
    "denied": (aws.denied("ce:GetCostAndUsage"), "denied"),
    "no data": (aws.DATA_UNAVAILABLE, "unavailable"),
    "expired": (aws.EXPIRED, "expired"),
    "unknown key": (aws.UNRECOGNIZED, "denied"),
    "page token": (aws.INVALID_TOKEN, "invalid"),
    "500": (aws.server_error, "server_error"),
    "no answer": (aws.no_answer, "connection"),
    "cut body": (aws.cut_body, None),
    "cut JSON": (aws.cut_json, None),
    "empty": (aws.empty_object, None),
    "slow": (Slow(), "timeout"),
}


PLACES = {"1st": (0, None), "2nd": (1, None), "3rd": (2, None), "page": (4, 40)}
"""Answers before the one that fails, and the size of a page."""


def faults_and_places():
    """Yield each fault at each place; one place of each is for the ordinary run."""
    for n, name in enumerate(FAULTS):
        for m, (place, (good, page_size)) in enumerate(PLACES.items()):
            marks = () if n % len(PLACES) == m else pytest.mark.long
            yield pytest.param(name, good, page_size, id=f"{name}-{place}", marks=marks)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("name", "good", "page_size"), list(faults_and_places()))
def test_an_answer_that_fails_leaves_all_as_it_was_known(
    fake_aws, spending, caplog, name, good, page_size
):
    fault, outcome = FAULTS[name]
    before, rows, asked = figures(spending), kept(spending), fake_aws.count()
    more_bills(fake_aws)
    fake_aws.page_size = page_size
    fake_aws.faults = [*[None] * good, fault]
    spending.at(NEXT).tick()
    assert fake_aws.count() == asked + good + 1
    assert spending.value("mlguard_cost_up") == 0
    assert figures(spending) == before
    assert kept(spending) == rows
    assert not spending.samples("mlguard_cost_settled_day_usd")  # that of yesterday's
    reported = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(reported) == 1
    assert reported[0].getMessage().startswith("main: spend is not read: ")
    assert not reported[0].exc_info
    if outcome is not None:
        failed = spending.value(
            "mlguard_cost_api_requests_total", operation="GetCostAndUsage", outcome=outcome
        )
        assert failed == 1
    assert spending.value("mlguard_cost_api_spend_usd_total") == fake_aws.count() / 100

    asked = fake_aws.count()
    spending.at(NEXT + timedelta(minutes=14, seconds=59)).tick()
    assert fake_aws.count() == asked
    spending.at(NEXT + timedelta(minutes=15)).tick()
    assert spending.value("mlguard_cost_up") == 1
    settled = spending.value("mlguard_cost_settled_day_usd", project="shop")
    assert settled == 99
    for secret in (aws.ACCESS_KEY, aws.SECRET_KEY):
        assert secret not in caplog.text


def test_requests_that_fail_for_a_moment_are_tried_again_at_once(fake_aws, spending):
    asked = fake_aws.count()
    fake_aws.faults = [aws.THROTTLED, aws.server_error, None, aws.no_answer]
    spending.at(NEXT).tick()
    assert spending.value("mlguard_cost_up") == 1
    assert fake_aws.count() == asked + 6
    ended = {
        labels["outcome"]: n
        for labels, n in spending.samples("mlguard_cost_api_requests_total")
        if labels["operation"] == "GetCostAndUsage"
    }
    assert ended == {"success": 6, "throttled": 1, "server_error": 1, "connection": 1}
    assert spending.value("mlguard_cost_api_spend_usd_total") == fake_aws.count() / 100


@pytest.mark.usefixtures("quick")
def test_an_outage_is_asked_about_less_and_less_and_ends_in_all_that_was_missed(fake_aws, spending):
    before, end = figures(spending), NEXT + timedelta(days=10)
    fake_aws.denied = {"ce:GetCostAndUsage"}
    attempts, asked = [], fake_aws.count()
    spending.at(NEXT)
    while spending.now < end:
        wait = spending.tick()
        if fake_aws.count() > asked:
            asked = fake_aws.count()
            attempts.append(spending.now)
            assert spending.value("mlguard_cost_up") == 0
            if spending.now.day % 3 == 0:
                spending.restart()
        spending.at(spending.now + timedelta(seconds=min(wait, 60) * 15))
    minutes = [(b - a).total_seconds() / 60 for a, b in itertools.pairwise(attempts)]
    assert minutes[:8] == [15, 30, 60, 120, 240, 480, 720, 720]
    assert set(minutes[8:]) == {720}
    assert figures(spending) == before
    fake_aws.denied = set()
    for day in days(READ.date(), end.date()):
        fake_aws.bills.append(bill(day, "4", "shop", "churn", "predict"))
    spending.at(attempts[-1] + timedelta(hours=12)).tick()
    assert spending.value("mlguard_cost_up") == 1
    assert spending.value("mlguard_cost_month_to_date_usd", project="shop") == 10 * 10.5 + 11 * 4
    assert spending.value("mlguard_cost_settled_day_usd", project="shop") == 4


@pytest.mark.parametrize("pages", [None, 40])
def test_the_month_s_limit_is_never_passed_whatever_fails_and_restarts(
    fake_aws, tmp_path, monkeypatch, caplog, pages
):
    monkeypatch.setattr(
        session, "_PATIENT", session._PATIENT.merge(Config(retries={"total_max_attempts": 2}))
    )
    sent = Counter()
    with Spending(tmp_path, READ, max_requests_per_month=25, interval="6h") as spending:
        fake_aws.clock = lambda: spending.now
        fake_aws.before = lambda _: sent.update([spending.now.strftime("%Y-%m")])
        fake_aws.page_size = pages
        fake_aws.bills = [
            bill(day, "1", "a", "b", "c") for day in days(date(2027, 2, 1), date(2027, 7, 1))
        ]
        while spending.now < datetime(2027, 6, 3, tzinfo=UTC):
            if spending.now.day % 5 == 0:
                spending.restart()
                fake_aws.fail(1, aws.EXPIRED)
            spending.tick()
            spending.at(spending.now + timedelta(hours=3))
            if spending.now.month == 6 and sent["2027-06"] == 0:
                assert spending.value("mlguard_cost_up") == 0
        assert spending.value("mlguard_cost_api_spend_usd_total") == sum(sent.values()) / 100
    assert sent["2027-05"] == 25
    assert 0 < sent["2027-06"] <= 25
    assert "limit of 25 requests to Cost Explorer in 2027-05 is reached" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_limit_of_none_asks_nothing(fake_aws, tmp_path):
    with Spending(tmp_path, READ, max_requests_per_month=0) as spending:
        fake_aws.clock = lambda: spending.now
        spending.tick()
        assert spending.value("mlguard_cost_up") == 0
    assert fake_aws.count() == 0


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "fault", [aws.denied("ce:ListCostAllocationTags"), aws.cut_json, aws.empty_object]
)
def test_tags_whose_states_are_not_reported_leave_the_rest_alone(fake_aws, tmp_path, fault):
    with Spending(tmp_path, READ) as spending:
        fake_aws.clock = lambda: spending.now
        fake_aws.bills = [bill(READ.date(), "1", "a", "b", "c")]
        fake_aws.fail(1, fault, "ListCostAllocationTags")
        spending.tick()
        assert spending.value("mlguard_cost_up") == 1
        assert not spending.samples("mlguard_cost_tag_active")
        fake_aws.active_tags.discard("mlguard:model")
        fake_aws.known_tags.discard("mlguard:endpoint")
        spending.at(READ + timedelta(days=8)).tick()
        assert {labels["tag"]: n for labels, n in spending.samples("mlguard_cost_tag_active")} == {
            "mlguard:project": 1,
            "mlguard:model": 0,
        }


def test_a_clock_that_goes_back_stops_nothing(spending):
    spending.at(READ - timedelta(days=40)).tick()
    spending.at(NEXT).tick()
    assert spending.value("mlguard_cost_up") == 1
    assert spending.value("mlguard_cost_settled_day_usd", project="shop") == 10.5
