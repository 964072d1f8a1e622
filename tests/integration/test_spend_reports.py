"""Spikes, forecasts and corrections, as they are published while days go by."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from support.aws import ROLE, Bill
from support.spending import Spending, superseded

from mlguard_exporter.polling import request_history
from mlguard_exporter.spend import Kind

NAMES = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
FIRST = date(2027, 2, 1)
TODAY = date(2027, 5, 11)
SETTLED = TODAY - timedelta(days=2)
CHURN, RANK, FRAUD = (
    ("shop", "churn", "predict"),
    ("shop", "rank", "predict"),
    ("bank", "fraud", "p"),
)
BATCH = ("shop", "churn", "batch")


def moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 0, 16, tzinfo=UTC)


class Bills:
    """What AWS knows, by day and owner."""

    def __init__(self, fake) -> None:
        self._fake = fake
        self._amounts: dict[tuple[date, tuple[str, ...], str], Decimal] = {}

    def set(
        self,
        owner: tuple[str, ...],
        amount: float,
        first: date,
        last: date | None = None,
        service: str = "Amazon SageMaker",
    ) -> None:
        """What an owner's days cost, from the first to the last."""
        for n in range(((last or first) - first).days + 1):
            self._amounts[first + timedelta(days=n), owner, service] = Decimal(str(amount))
        self._tell()

    def rename(self, owner: tuple[str, ...], new: tuple[str, ...]) -> None:
        """Let all that an owner ever cost be another's."""
        self._amounts = {
            (day, new if each == owner else each, service): cost
            for (day, each, service), cost in self._amounts.items()
        }
        self._tell()

    def _tell(self) -> None:
        self._fake.bills = [
            Bill(day, dict(zip(NAMES, owner, strict=False)), service, "Usage", *[cost] * 3)
            for (day, owner, service), cost in self._amounts.items()
        ]


@pytest.fixture(autouse=True)
def bills(fake_aws):
    made = Bills(fake_aws)
    for owner, amount in ((CHURN, 100), (RANK, 80), (FRAUD, 60), ((), 10)):
        made.set(owner, amount, FIRST, date(2027, 7, 1))
    return made


@pytest.fixture
def make(fake_aws, tmp_path):
    made = []

    def start(today: date = TODAY, **cost) -> Spending:
        made.append(Spending(tmp_path / str(len(made)), moment(today), **cost))
        fake_aws.clock = lambda: made[-1].now
        made[-1].tick()
        return made[-1]

    yield start
    for spending in made:
        spending.close()


def next_day(spending: Spending, days: int = 1) -> None:
    for _ in range(days):
        spending.at(spending.now + timedelta(days=1)).tick()
        assert spending.value("mlguard_cost_up") == 1


def read_all_again(spending: Spending) -> None:
    """Have it read what it has read already, as a backfill does."""
    with spending.db.atomic():
        request_history(spending.db, "main", date(2026, 11, 1), spending.now.timestamp())


def reported(spending: Spending, name: str = "spike") -> list[tuple[str, str]]:
    """Scope and name of what is reported."""
    found = spending.samples(f"mlguard_cost_{name}")
    return [
        (s["scope"], s.get("aws_service") or "/".join(
            s[label] for label in ("project", "model", "model_endpoint") if label in s))
        for s, value in found if value
    ]  # fmt: skip


def test_nothing_is_reported_for_ordinary_days(make):
    spending = make()
    for _ in range(5):
        assert reported(spending) == []
        assert not spending.samples("mlguard_cost_late_spike_excess_usd")
        next_day(spending)


def test_a_spike_is_reported_for_the_endpoint_that_it_comes_from_on_its_settled_day_alone(
    bills, make
):
    bills.set(CHURN, 250, TODAY)
    spending = make()
    next_day(spending)
    assert reported(spending) == []  # as that day may still grow
    next_day(spending)
    assert reported(spending) == [("endpoint", "shop/churn/predict")]
    own = {"scope": "endpoint", "model": "churn"}
    assert spending.value("mlguard_cost_expected_usd", **own) == 100
    assert spending.value("mlguard_cost_spike_excess_usd", **own) == 150
    judged = spending.value("mlguard_cost_judged_day_timestamp_seconds")
    assert judged == datetime(2027, 5, 11, tzinfo=UTC).timestamp()
    next_day(spending)
    assert reported(spending) == []


def test_what_only_together_is_a_spike_is_reported_for_the_model_the_project_or_the_service(
    bills, make
):
    bills.set(BATCH, 100, FIRST, TODAY + timedelta(days=30))
    for owner in (CHURN, BATCH, RANK, FRAUD):
        bills.set(owner, 30, FIRST, TODAY + timedelta(days=30))
    quiet = {"minimum_usd": 25.0}
    bills.set(CHURN, 50, SETTLED)
    bills.set(BATCH, 50, SETTLED)
    assert reported(make(spikes=quiet)) == [("model", "shop/churn")]
    bills.set(BATCH, 30, SETTLED)
    bills.set(RANK, 54, SETTLED)
    assert reported(make(spikes=quiet)) == [("project", "shop")]
    bills.set(RANK, 30, SETTLED)
    bills.set(FRAUD, 54, SETTLED)
    bills.set((), 34, SETTLED)
    assert reported(make(spikes=quiet)) == [("service", "Amazon SageMaker")]


def test_spend_that_begins_is_reported_unless_it_only_got_its_tags(bills, make):
    bills.set(("shop", "new", "predict"), 130, SETTLED, TODAY)
    assert reported(make()) == [("endpoint", "shop/new/predict")]
    bills.set(("shop", "new", "predict"), 0, SETTLED, TODAY)
    bills.set((), 200, FIRST, SETTLED - timedelta(days=1))
    bills.set((), 70, SETTLED, TODAY)
    bills.set(("shop", "tagged", "predict"), 130, SETTLED, TODAY)
    assert reported(make()) == []


def reported_until(spending: Spending, last: date) -> list[tuple[str, str]]:
    found = reported(spending)
    while spending.now.date() < last:
        next_day(spending)
        found += reported(spending) + reported(spending, "late_spike_excess_usd")
    return found


@pytest.mark.parametrize("hour", [2, 12, 22])
def test_tags_that_come_into_use_by_day_are_not_reported(bills, make, hour):
    bills.set((), 400, FIRST, TODAY)
    share = hour / 24
    bills.set((), 400 * share, SETTLED)
    bills.set(("shop", "tagged", "predict"), 400 * (1 - share), SETTLED)
    bills.set((), 0, SETTLED + timedelta(days=1), date(2027, 7, 1))
    bills.set(("shop", "tagged", "predict"), 400, SETTLED + timedelta(days=1), date(2027, 7, 1))
    assert reported_until(make(), TODAY + timedelta(days=10)) == []


@pytest.mark.parametrize("successor", [("shop", "churn", "v2"), ("shop", "churn_v2", "predict")])
def test_a_version_that_takes_over_by_day_is_not_reported_and_what_comes_later_is(
    bills, make, successor
):
    bills.set(CHURN, 300, FIRST, TODAY)
    bills.set(CHURN, 130, SETTLED)
    bills.set(successor, 170, SETTLED)
    bills.set(CHURN, 0, SETTLED + timedelta(days=1), date(2027, 7, 1))
    bills.set(successor, 300, SETTLED + timedelta(days=1), date(2027, 7, 1))
    spending = make()
    assert reported_until(spending, TODAY + timedelta(days=10)) == []
    later = ("shop", "ltv", "predict")
    bills.set(later, 290, TODAY + timedelta(days=11), date(2027, 7, 1))
    assert reported_until(spending, TODAY + timedelta(days=16)) == [
        ("endpoint", "shop/ltv/predict")
    ]


def test_spend_that_begins_by_day_is_reported_once(bills, make):
    begins = TODAY + timedelta(days=1)
    bills.set(BATCH, 40, begins)
    bills.set(BATCH, 200, begins + timedelta(days=1), date(2027, 7, 1))
    spending = make()
    assert reported_until(spending, TODAY + timedelta(days=30)) == [
        ("endpoint", "shop/churn/batch")
    ]


def test_an_endpoint_s_spike_does_not_hide_that_of_another_service(bills, make):
    bills.set((), 100, FIRST, date(2027, 7, 1))
    for owner in (CHURN, RANK, FRAUD, ()):
        bills.set(owner, 20, FIRST, date(2027, 7, 1), service="Amazon S3")
        bills.set(owner, 40, SETTLED, service="Amazon S3")
    bills.set(FRAUD, 260, SETTLED)
    assert reported(make()) == [("endpoint", "bank/fraud/p"), ("service", "Amazon S3")]


def test_a_step_is_reported_for_three_days_and_is_the_new_level(bills, make):
    bills.set(CHURN, 300, TODAY, date(2027, 7, 1))
    spending = make()
    days = []
    for _ in range(8):
        next_day(spending)
        days.append(bool(reported(spending)))
    assert days == [False, True, True, True, False, False, False, False]
    assert spending.value("mlguard_cost_expected_usd", scope="endpoint", model="churn") == 300


def test_a_spike_that_aws_takes_back_ends_and_one_that_it_finds_is_reported_late(bills, make):
    bills.set(CHURN, 250, SETTLED)
    spending = make()
    assert reported(spending) == [("endpoint", "shop/churn/predict")]
    bills.set(CHURN, 100, SETTLED)
    bills.set(FRAUD, 200, SETTLED - timedelta(days=3))
    assert spending.value("mlguard_cost_restated_days_total") == 0
    next_day(spending)
    assert reported(spending) == []
    late = spending.samples("mlguard_cost_late_spike_excess_usd")
    assert reported(spending, "late_spike_excess_usd") == [("endpoint", "bank/fraud/p")]
    assert [value for _, value in late] == [140]
    assert spending.value("mlguard_cost_restated_days_total") == 2
    before = [
        (row.day, row.costs.unblended)
        for row in superseded(spending.db)
        if row.series.kind is Kind.OWNER
    ]
    assert sorted(before) == [(SETTLED - timedelta(days=3), 60), (SETTLED, 250)]
    next_day(spending)
    assert not spending.samples("mlguard_cost_late_spike_excess_usd")


def test_what_is_read_for_the_first_time_is_not_reported_as_late(bills, make):
    bills.set(CHURN, 300, SETTLED - timedelta(days=5))
    spending = make()
    assert not spending.samples("mlguard_cost_late_spike_excess_usd")
    spending.reload(accounts=[{"name": "main"}, {"name": "second"}])
    spending.tick()
    assert spending.value("mlguard_cost_up", account="second") == 1
    assert not spending.samples("mlguard_cost_late_spike_excess_usd")


def test_a_day_missed_in_an_outage_is_reported_late(bills, make, fake_aws):
    spending = make()
    bills.set(CHURN, 300, TODAY)
    fake_aws.denied = {"ce:GetCostAndUsage"}
    for _ in range(10):
        spending.at(spending.now + timedelta(hours=12)).tick()
    assert reported(spending) == []
    fake_aws.denied = set()
    next_day(spending)
    assert reported(spending) == []
    assert reported(spending, "late_spike_excess_usd") == [("endpoint", "shop/churn/predict")]


def test_a_day_that_was_complete_before_it_settled_is_reported_late_if_the_next_read_failed(
    bills, make
):
    bills.set(CHURN, 300, TODAY)
    spending = make()
    next_day(spending)
    spending.at(spending.now + timedelta(days=2)).tick()
    assert reported(spending) == []
    assert reported(spending, "late_spike_excess_usd") == [("endpoint", "shop/churn/predict")]
    spending.restart()
    spending.tick()
    assert reported(spending, "late_spike_excess_usd") == [("endpoint", "shop/churn/predict")]
    next_day(spending)
    assert reported(spending, "late_spike_excess_usd") == []


@pytest.mark.parametrize("hours", [1, 9, 23])
def test_what_was_reported_at_a_late_read_is_not_reported_again_as_late(bills, make, hours):
    bills.set(CHURN, 150, TODAY)
    spending = make()
    bills.set(CHURN, 300, TODAY)
    spending.at(spending.now + timedelta(days=2, hours=hours)).tick()
    assert reported(spending) == [("endpoint", "shop/churn/predict")]
    for _ in range(3):
        spending.at(moment(spending.now.date() + timedelta(days=1))).tick()
        assert reported(spending) == []
        assert reported(spending, "late_spike_excess_usd") == []


def test_other_settings_tell_nothing_late_of_days_that_did_not_change(bills, make):
    bills.set(CHURN, 150, SETTLED - timedelta(days=3))
    spending = make(spikes={"minimum_usd": 80.0})
    next_day(spending)
    spending.reload(spikes={"minimum_usd": 5.0})
    spending.tick()
    assert reported(spending, "late_spike_excess_usd") == []
    bills.set(CHURN, 400, SETTLED - timedelta(days=4))
    next_day(spending)
    assert reported(spending, "late_spike_excess_usd") == [("endpoint", "shop/churn/predict")]
    assert spending.value("mlguard_cost_late_spike_excess_usd", model="churn") == 300


def test_an_outage_that_another_role_ends_is_made_up_for(bills, make, fake_aws):
    spending = make()
    bills.set(CHURN, 300, TODAY)
    fake_aws.denied = {"ce:GetCostAndUsage"}
    for _ in range(10):
        spending.at(spending.now + timedelta(hours=12)).tick()
    fake_aws.denied = set()
    spending.reload(accounts=[{"name": "main", "role_arn": ROLE}])
    spending.tick()
    assert spending.value("mlguard_cost_up") == 1
    assert reported(spending, "late_spike_excess_usd") == [("endpoint", "shop/churn/predict")]


@pytest.mark.parametrize("parts", [1, 3])
def test_a_spike_that_gets_its_tags_later_is_not_reported_again(bills, make, parts):
    bills.set((), 600, SETTLED)
    spending = make()
    assert reported(spending) == [("endpoint", "")]
    next_day(spending)
    owners = [("shop", f"m{n}", "predict") for n in range(parts)]
    for owner in owners:
        bills.set(owner, 4, FIRST, date(2027, 7, 1))
        bills.set(owner, 580 / parts, SETTLED)
    bills.set((), 20, SETTLED)
    read_all_again(spending)
    for _ in range(3):
        next_day(spending)
        assert reported(spending) == []
        assert reported(spending, "late_spike_excess_usd") == []


def test_a_spike_whose_project_gets_another_name_is_not_reported_again(bills, make):
    bills.set(CHURN, 400, SETTLED)
    spending = make()
    assert reported(spending) == [("endpoint", "shop/churn/predict")]
    next_day(spending)
    bills.rename(CHURN, ("store", "churn", "predict"))
    read_all_again(spending)
    for _ in range(3):
        next_day(spending)
        assert reported(spending) == []
        assert reported(spending, "late_spike_excess_usd") == []


def test_a_small_spike_that_was_reported_hides_no_large_one_that_is_found_later(bills, make):
    bills.set(CHURN, 110, SETTLED)
    bills.set(BATCH, 10, FIRST, date(2027, 7, 1))
    bills.set(BATCH, 25, SETTLED)
    spending = make()
    assert reported(spending) == [("endpoint", "shop/churn/batch")]
    bills.set(CHURN, 5000, SETTLED)
    next_day(spending)
    assert reported(spending, "late_spike_excess_usd") == [("endpoint", "shop/churn/predict")]
    bills.set(BATCH, 400, SETTLED)  # far more than was reported
    next_day(spending)
    assert reported(spending, "late_spike_excess_usd") == [("endpoint", "shop/churn/batch")]


def test_what_was_reported_late_by_a_clock_that_was_wrong_is_not_shown_for_days(bills, make):
    spending = make()
    bills.set(CHURN, 400, SETTLED - timedelta(days=4))
    spending.at(spending.now + timedelta(days=6)).tick()
    assert reported(spending, "late_spike_excess_usd") == [("endpoint", "shop/churn/predict")]
    for n in range(1, 4):
        spending.at(moment(TODAY + timedelta(days=n))).tick()
        assert reported(spending, "late_spike_excess_usd") == []


def test_a_late_spike_is_reported_once_where_its_scope_changes(bills, make):
    bills.set(BATCH, 30, FIRST, date(2027, 7, 1))
    bills.set(CHURN, 30, FIRST, date(2027, 7, 1))
    spending = make(spikes={"minimum_usd": 25.0})
    day = SETTLED - timedelta(days=3)
    bills.set(CHURN, 50, day)
    bills.set(BATCH, 50, day)
    next_day(spending)
    assert reported(spending, "late_spike_excess_usd") == [("model", "shop/churn")]
    bills.set(BATCH, 80, day)
    next_day(spending)
    assert reported(spending, "late_spike_excess_usd") == []


def test_a_month_s_forecast_is_what_it_comes_to(bills, make):
    for n in range((date(2027, 7, 1) - FIRST).days):
        day = FIRST + timedelta(days=n)
        bills.set(CHURN, 40 if day.weekday() > 4 else 100, day)
    spending = make(today=date(2027, 5, 1))
    month = [date(2027, 5, 1) + timedelta(days=n) for n in range(31)]
    comes_to = sum(40 if day.weekday() > 4 else 100 for day in month)
    own = {"project": "shop", "model": "churn"}
    for _ in range(30):
        assert spending.value("mlguard_cost_month_forecast_usd", **own) == comes_to
        next_day(spending)
    assert spending.value("mlguard_cost_month_to_date_usd", **own) == comes_to


def test_what_a_month_comes_to_is_shown_while_its_last_days_settle(bills, make):
    own = {"project": "shop", "model": "churn"}
    spending = make(today=date(2027, 5, 31))
    assert spending.value("mlguard_cost_closing_month_usd", **own) is None
    spending.at(datetime(2027, 6, 1, 0, 1, tzinfo=UTC))  # before the day's read
    assert spending.value("mlguard_cost_closing_month_usd", **own) == 3100
    assert spending.value("mlguard_cost_month_to_date_usd", **own) is None
    spending.at(moment(date(2027, 6, 1))).tick()
    assert spending.value("mlguard_cost_closing_month_usd", **own) == 3100
    bills.set(CHURN, 400, date(2027, 5, 31))
    next_day(spending)
    assert spending.value("mlguard_cost_closing_month_usd", **own) == 3400
    assert spending.value("mlguard_cost_month_to_date_usd", **own) == 200
    next_day(spending)
    spending.at(datetime(2027, 6, 3, 23, 59, tzinfo=UTC))
    assert spending.value("mlguard_cost_closing_month_usd", **own) == 3400
    spending.at(datetime(2027, 6, 4, tzinfo=UTC))
    assert spending.value("mlguard_cost_closing_month_usd", **own) is None


def test_a_spike_is_not_forecast_to_come_again(bills, make):
    bills.set(CHURN, 1000, SETTLED)
    spending = make()
    own = {"project": "shop", "model": "churn"}
    assert spending.value("mlguard_cost_month_forecast_usd", **own) == 31 * 100 + 900


def test_budgets_are_shown_as_configured(make):
    budgets = [
        {"project": "shop", "amount": 2000},
        {"project": "shop", "model": "churn", "amount": 50.5, "currency": "EUR"},
    ]
    spending = make(budgets=budgets)
    assert spending.samples("mlguard_cost_budget_usd") == [
        ({"project": "shop"}, 2000),
        ({"project": "shop", "model": "churn", "currency": "EUR"}, 50.5),
    ]
    spending.reload(budgets=[])
    spending.tick()
    assert spending.samples("mlguard_cost_budget_usd") == []


def test_other_tags_have_the_history_read_again_and_another_basis_asks_nothing(make, fake_aws):
    spending = make()
    asked = fake_aws.count()
    spending.reload(basis="amortized", spikes={"minimum_usd": 1.0}, interval="6h")
    spending.tick()
    assert fake_aws.count() == asked
    assert spending.value("mlguard_cost_settled_day_usd", project="shop", model="churn") == 100
    team = {"project": "team", "model": "mlguard:model", "endpoint": "mlguard:endpoint"}
    fake_aws.active_tags.add("team")
    fake_aws.known_tags.add("team")
    fake_aws.bills = [
        Bill(b.day, b.tags | {"team": "growth"}, b.service, b.record_type, *[b.unblended] * 3)
        for b in fake_aws.bills
    ]
    spending.reload(tags=team)
    spending.tick()
    assert fake_aws.count() > asked
    projects = {
        row.series.project
        for row in spending.cost_store.rows("main", FIRST, TODAY)
        if row.series.kind is Kind.OWNER
    }
    assert projects == {"growth"}


def test_an_account_that_is_taken_off_is_shown_no_more_and_kept(make):
    spending = make(accounts=[{"name": "a"}, {"name": "b"}])
    kept = list(spending.cost_store.rows("b", FIRST, TODAY))
    spending.reload(accounts=[{"name": "a"}])
    spending.tick()
    shown = {labels["account"] for labels, _ in spending.samples("mlguard_cost_latest_day_usd")}
    assert shown == {"a"}
    spending.reload(accounts=[])
    spending.tick()
    assert not spending.samples("mlguard_cost_up")
    assert list(spending.cost_store.rows("b", FIRST, TODAY)) == kept
    assert kept


def test_history_that_was_asked_for_is_read_for_two_days(make, fake_aws):
    spending = make()
    read_all_again(spending)
    firsts = []
    for _ in range(4):
        next_day(spending)
        asked = [r.body for r in fake_aws.requests if r.operation == "GetCostAndUsage"]
        firsts.append(asked[-1]["TimePeriod"]["Start"])
    assert firsts == ["2026-11-01", "2026-11-01", "2027-04-01", "2027-04-01"]
