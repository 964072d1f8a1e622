"""What Cost Explorer answers becomes the spend of owners and services, exactly."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import aws
from support.aws import ROLE, Bill
from support.spending import Spending

from mlguard_exporter.config import AccountConfig
from mlguard_exporter.sources.aws import AwsSession
from mlguard_exporter.spend import Kind

NAMES = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
NOW = datetime(2027, 5, 11, 6, tzinfo=UTC)
DAY = date(2027, 5, 9)
"""The settled day."""


def bill(amount: str | Decimal, *owner: str, day: date = DAY, service="Amazon SageMaker", **more):
    cost = Decimal(amount)
    tags = dict(zip(NAMES, owner, strict=False))
    kind, currency = more.get("kind", "Usage"), more.get("currency", "USD")
    return Bill(day, tags, service, kind, cost, cost * 2, cost / 2, currency)


@pytest.fixture
def make(fake_aws, tmp_path):
    made = []

    def start(**cost) -> Spending:
        spending = Spending(tmp_path / str(len(made)), NOW, **cost)
        made.append(spending)
        fake_aws.clock = lambda: NOW
        return spending

    yield start
    for spending in made:
        spending.close()


def owners(spending: Spending, account: str = "main", basis: str = "unblended") -> dict:
    """What is kept, as exact decimals."""
    return {
        (row.day, row.series.project, row.series.model, row.series.endpoint, row.series.currency): (
            getattr(row.costs, basis)
        )
        for row in spending.cost_store.rows(account, date.min, date.max)
        if row.series.kind is Kind.OWNER
    }


def summed(bills: list[Bill], basis: str = "unblended") -> dict:
    sums: defaultdict[tuple, Decimal] = defaultdict(Decimal)
    for each in bills:
        if each.record_type == "Usage":
            owner = (each.tags.get(name, "") for name in NAMES)
            sums[each.day, *owner, each.currency] += getattr(each, basis)
    return dict(sums)


def read(fake, spending: Spending, *bills: Bill) -> int:
    """Let it read; the requests for spend that it took."""
    fake.bills = list(bills)
    before = fake.count("GetCostAndUsage")
    spending.tick()
    assert spending.value("mlguard_cost_up") == 1
    return fake.count("GetCostAndUsage") - before


ODD = [
    "a$b",
    "$",
    "$$a",
    "mlguard:model$x",
    "Ünï cödé 名",
    "with space",
    'q"uo\\te',
    "x" * 256,
    "a,b",
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", range(3))
def test_a_tag_s_value_is_kept_and_shown_as_it_is(fake_aws, make, odd, place):
    owner = ["shop", "churn", "predict"]
    owner[place] = odd
    spending = make()
    bills = [bill("1.25", *owner), bill("3", "shop", "churn", "predict")]
    assert read(fake_aws, spending, *bills) == 3
    assert owners(spending) == summed(bills)
    label = ("project", "model", "model_endpoint")[place]
    assert spending.value("mlguard_cost_settled_day_usd", **{label: odd}) == 1.25


PLAIN = {
    "two endpoints of one model": [("p", "m", "a"), ("p", "m", "b")],
    "two models of one endpoint": [("p", "m", "a"), ("p", "n", "a")],
    "two projects with the same names": [("p", "m", "a"), ("q", "m", "a")],
    "a team's whole house": [
        (p, f"{p}-{m}", e) for p in "pq" for m in "mn" for e in ("blue", "green")
    ],
}
CROSSED = {
    "some tags alone": ([("p",), ("q", "m"), ("", "n", "e"), ("", "", "f"), ()], 4),
    "a model of two projects with two endpoints each": (
        [("p", "m", "a"), ("p", "m", "b"), ("q", "m", "a"), ("q", "m", "b")], 4,
    ),
    "untagged models of two projects with two endpoints": (
        [("p", "", "a"), ("p", "", "b"), ("q", "", "a"), ("q", "", "b"), ("p", "m", "a")], 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_three_requests_tell_whose_spend_it_is(fake_aws, make, name):
    spending = make()
    bills = [bill(Decimal(n + 1) / 7, *owner) for n, owner in enumerate(PLAIN[name])]
    assert read(fake_aws, spending, *bills) == 3
    assert owners(spending) == summed(bills)


@pytest.mark.parametrize("name", CROSSED)
def test_one_more_tells_what_three_leave_open(fake_aws, make, name):
    owners_of, requests = CROSSED[name]
    spending = make()
    bills = [bill(Decimal(n + 1) * 3, *owner) for n, owner in enumerate(owners_of)]
    assert read(fake_aws, spending, *bills) == requests
    assert owners(spending) == summed(bills)


def test_what_was_ambiguous_is_asked_for_by_a_better_way_the_next_time(fake_aws, make):
    spending = make()
    bills = [
        bill(str(10 + n), project, model, f"{project}-{n}")
        for model in ("m", "n", "o")
        for n, project in enumerate(("p", "q", "r"))
    ]
    bills = [bill(str(n + 1), *(b.tags[name] for name in NAMES)) for n, b in enumerate(bills)]
    bills += [bill("1", b.tags[NAMES[0]], b.tags[NAMES[1]], b.tags[NAMES[2]] + "x") for b in bills]
    first = read(fake_aws, spending, *bills)
    assert owners(spending) == summed(bills)
    spending.at(NOW + timedelta(days=1))
    fake_aws.clock = lambda: spending.now
    assert read(fake_aws, spending, *bills) == 3 <= first
    assert owners(spending) == summed(bills)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_days_and_owners_that_span_pages_are_whole(fake_aws, make, size):
    spending = make(max_requests_per_month=9999)
    bills = [
        bill(f"{n}.{day.day:02}", p, m, "predict", day=day)
        for n, (p, m) in enumerate([("p", "m"), ("p", "n"), ("q", "o"), ("", "")], 1)
        for day in (DAY - timedelta(days=1), DAY, DAY + timedelta(days=1))
    ]
    fake_aws.page_size = size
    assert read(fake_aws, spending, *bills) > 20
    assert owners(spending) == summed(bills)


def test_a_pair_that_comes_twice_counts_twice(fake_aws, make):
    """AWS may split one key over the end of a page."""
    spending = make()
    real = fake_aws.answer

    def split(operation, body):
        answer = real(operation, body)
        for result in answer.get("ResultsByTime", ()):
            result["Groups"] = [
                group | {"Metrics": {m: v | {"Amount": str(Decimal(v["Amount"]) / 2)}
                                     for m, v in group["Metrics"].items()}}
                for group in result["Groups"] for _ in range(2)
            ]  # fmt: skip
        return answer

    fake_aws.answer = split
    bills = [bill("4", "p", "m", "e"), bill("6")]
    read(fake_aws, spending, *bills)
    assert owners(spending) == summed(bills)


def test_currencies_are_never_added_up(fake_aws, make):
    spending = make()
    bills = [
        bill("10", "p", "m", "e"),
        bill("70", "p", "n", "e", currency="CNY", service="Other service"),
        bill("-3", kind="Credit", service="Third", currency="CNY"),
    ]
    read(fake_aws, spending, *bills)
    assert owners(spending) == summed(bills)
    found = spending.samples("mlguard_cost_settled_day_usd")
    assert [(labels.get("currency"), value) for labels, value in found] == [(None, 10), ("CNY", 70)]
    (other,) = spending.samples("mlguard_cost_other_usd")
    assert other == ({"account": "main", "charge": "Credit", "currency": "CNY"}, -3)


@pytest.mark.parametrize(
    ("basis", "amount"), [("unblended", 10), ("amortized", 20), ("net_unblended", 5)]
)
def test_each_basis_is_kept_and_one_is_shown(fake_aws, make, basis, amount):
    spending = make(basis=basis)
    bills = [bill("10", "p", "m", "e")]
    assert read(fake_aws, spending, *bills) == 3
    assert spending.value("mlguard_cost_settled_day_usd", project="p") == amount
    for each in ("unblended", "amortized", "net_unblended"):
        assert owners(spending, basis=each) == summed(bills, each)


def test_charges_that_are_not_usage_are_reported_apart(fake_aws, make):
    spending = make()
    kinds = {
        "Usage": 1, "DiscountedUsage": 2, "SavingsPlanCoveredUsage": 4, "SavingsPlanNegation": -4,
        "SavingsPlanRecurringFee": 8, "RIFee": 16, "Tax": 32, "Credit": -64, "Refund": -128,
        "Fee": 256, "BundledDiscount": -512, "Support": 1024,
        "Reservation applied usage": 2048, "Savings Plan Negation": -4096,
        "Recurring reservation fee": 8192,
    }  # fmt: skip
    usage = (
        "Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "SavingsPlanNegation",
        "Reservation applied usage", "Savings Plan Negation",
    )  # fmt: skip
    bills = [bill(str(n), "p", "m", "e", kind=kind) for kind, n in kinds.items()]
    read(fake_aws, spending, *bills)
    assert spending.value("mlguard_cost_month_to_date_usd") == sum(kinds[kind] for kind in usage)
    found = {labels["charge"]: n for labels, n in spending.samples("mlguard_cost_other_usd")}
    assert found == {kind: n for kind, n in kinds.items() if kind not in usage}


@pytest.mark.parametrize("changed_at", [2, 3])
def test_figures_that_change_between_two_requests_are_not_taken(fake_aws, make, caplog, changed_at):
    spending = make()
    before = [bill("10", "p", "m", "e"), bill("5", "p", "n", "e")]
    after = [bill("11", "p", "m", "e"), bill("5", "p", "n", "e")]
    last = changed_at + read(fake_aws, spending, *before) + fake_aws.count("ListCostAllocationTags")

    def change(_):
        if fake_aws.count() == last:
            fake_aws.bills = after

    fake_aws.before = change
    spending.at(NOW + timedelta(days=1))
    fake_aws.clock = lambda: spending.now
    spending.tick()
    assert spending.value("mlguard_cost_up") == 0
    assert owners(spending) == summed(before)
    assert "do not agree" in caplog.text
    spending.at(spending.now + timedelta(minutes=15)).tick()
    assert spending.value("mlguard_cost_up") == 1
    assert owners(spending) == summed(after)


def test_a_day_that_is_answered_with_nothing_is_kept(fake_aws, make, caplog):
    spending = make()
    bills = [bill("10", "p", "m", "e"), bill("4", "p", "m", "e", day=DAY - timedelta(days=1))]
    read(fake_aws, spending, *bills)
    spending.at(NOW + timedelta(days=1))
    fake_aws.clock = lambda: spending.now
    read(fake_aws, spending, bills[0])
    assert owners(spending) == summed(bills)
    assert (
        "days with spend that the answer lacks: 1, from 2027-05-08 on; their costs are kept"
        in caplog.text
    )


ABSENT = "main: spend is absent: Cost Explorer answers, but without any charge for usage "


def last_success(spending):
    return spending.value("mlguard_cost_last_success_timestamp_seconds")


def test_spend_that_is_absent_is_read_all_the_same(fake_aws, make, caplog):
    spending = make()
    spending.tick()
    assert spending.value("mlguard_cost_up") == 0
    assert f"{ABSENT}on any day that was read; if there is spend, use credentials" in caplog.text
    assert fake_aws.count("GetCostAndUsage") == 1
    assert last_success(spending) == NOW.timestamp()
    spending.at(NOW + timedelta(hours=12)).tick()
    assert fake_aws.count("GetCostAndUsage") == 1  # once a day, as after a success
    spending.reload()
    fake_aws.bills = [bill("10", "p", "m", "e")]
    spending.tick()
    assert spending.value("mlguard_cost_up") == 1


def test_spend_that_ends_is_absent_after_two_weeks(fake_aws, make, caplog):
    spending = make()
    fake_aws.clock = lambda: spending.now
    bills = [bill("10", "p", "m", "e")]
    read(fake_aws, spending, *bills)
    up = {}
    for days in range(1, 20):
        spending.at(NOW + timedelta(days=days)).tick()
        up[days] = spending.value("mlguard_cost_up")
        assert last_success(spending) == spending.now.timestamp()
    last = 14 - (NOW.date() - DAY).days
    assert up == {days: int(days <= last) for days in up}
    assert f"{ABSENT}since {DAY}" in caplog.text
    assert owners(spending) == summed(bills)


def test_charges_that_are_not_usage_are_no_spend_of_models(fake_aws, make, caplog):
    spending = make()
    fake_aws.bills = [bill("10", kind="Tax"), bill("3", kind="Something new")]
    spending.tick()
    assert spending.value("mlguard_cost_up") == 0
    assert f"{ABSENT}on any day that was read" in caplog.text
    assert len(spending.samples("mlguard_cost_other_usd")) == 2


def test_charges_of_zero_are_spend(fake_aws, make):
    spending = make()
    read(fake_aws, spending, bill("0", "p", "m", "e"))


TAG = st.sampled_from(["", "a", "b", "c", "a$b"])
AMOUNT = st.decimals("-99", "999", places=5, allow_nan=False)


LINES = st.lists(st.tuples(AMOUNT, TAG, TAG, TAG, st.integers(0, 3)), min_size=1, max_size=25)
SIZES = st.sampled_from([None, 2, 5])
ONE_AWS = [HealthCheck.function_scoped_fixture]


@settings(max_examples=8, suppress_health_check=ONE_AWS)
@given(lines=LINES, size=SIZES)
def test_whatever_the_tags_the_sums_are_exact(fake_aws, tmp_path_factory, lines, size):
    assert_exact(fake_aws, tmp_path_factory.mktemp("any"), lines, size)


@pytest.mark.long
@settings(max_examples=100, suppress_health_check=ONE_AWS)
@given(lines=LINES, size=SIZES)
def test_whatever_the_tags_the_sums_are_exact_in_many_cases(
    fake_aws, tmp_path_factory, lines, size
):
    assert_exact(fake_aws, tmp_path_factory.mktemp("any"), lines, size)


def assert_exact(fake_aws, folder, lines, size) -> None:
    bills = [
        bill(amount, *tags, day=DAY - timedelta(days=day), service="ABCD"[day % 2])
        for amount, *tags, day in lines
    ]
    fake_aws.page_size = size
    with Spending(folder, NOW, max_requests_per_month=9999) as spending:
        fake_aws.clock = lambda: NOW
        read(fake_aws, spending, *bills)
        found = {key: amount for key, amount in owners(spending).items() if amount}
        expected = {key: amount for key, amount in summed(bills).items() if amount}
        assert found == expected


def test_accounts_are_read_by_their_roles_and_one_that_fails_stops_no_other(fake_aws, make):
    fake_aws.external_id = "right"
    role = {"role_arn": ROLE, "external_id": "right"}
    spending = make(
        accounts=[
            {"name": "a"}, {"name": "b", **role, "external_id": "wrong"}, {"name": "c", **role},
        ]
    )  # fmt: skip
    fake_aws.bills = [bill("10", "p", "m", "e")]
    spending.tick()
    assert [spending.value("mlguard_cost_up", account=name) for name in "abc"] == [1, 0, 1]
    shown = spending.samples("mlguard_cost_settled_day_usd")
    assert [labels["account"] for labels, _ in shown] == ["a", "c"]
    assert [spending.value("mlguard_cost_api_spend_usd_total", account=n) for n in "abc"] == [
        0.04, 0, 0.04,
    ]  # fmt: skip
    assert fake_aws.sessions[0].name == "mlguard-exporter"


def test_credentials_of_a_role_are_renewed(fake_aws, make, caplog):
    fake_aws.session_seconds = 300  # which boto3 takes for as good as over
    spending = make(accounts=[{"name": "main", "role_arn": ROLE}])
    read(fake_aws, spending, bill("10", "p", "m", "e"))
    for session in fake_aws.sessions:
        session.expired = True
    spending.at(NOW + timedelta(days=1))
    fake_aws.clock = lambda: spending.now
    read(fake_aws, spending, bill("20", "p", "m", "e", day=DAY + timedelta(days=1)))
    assert spending.value("mlguard_cost_settled_day_usd") == 20
    for secret in ("session-token-", "session-secret-", aws.SECRET_KEY):
        assert secret not in caplog.text


def test_an_answer_that_gives_the_same_page_for_ever_is_given_up(fake_aws, make, caplog):
    spending = make()
    real = fake_aws.answer

    def endless(operation, body):
        body.pop("NextPageToken", None)
        return real(operation, body) | {"NextPageToken": "again"}

    fake_aws.answer = endless
    fake_aws.bills = [bill("10", "p", "m", "e")]
    spending.tick()
    assert spending.value("mlguard_cost_up") == 0
    assert not spending.samples("mlguard_cost_settled_day_usd")
    assert fake_aws.count("GetCostAndUsage") == 2
    assert "does not end: a page comes again" in caplog.text


def ring(size: int) -> list[Bill]:
    """Each value of each tag goes with two values of both others."""
    return [
        bill(f"{n + 1}.{a}{b}", f"p{n}", f"m{(n + a) % size}", f"e{(n + b) % size}")
        for n in range(size)
        for a in range(2)
        for b in range(2)
    ]


def test_many_tags_that_leave_a_choice_are_asked_for_one_by_one_up_to_a_limit(
    fake_aws, make, caplog
):
    spending, bills = make(), ring(5)
    assert read(fake_aws, spending, *bills) == 1 + 3 + 5
    assert owners(spending) == summed(bills)
    spending.restart()
    spending.at(NOW + timedelta(days=1))
    fake_aws.clock = lambda: spending.now
    assert read(fake_aws, spending, *bills) <= 1 + 3 + 5
    assert owners(spending) == summed(bills)

    spending.at(NOW + timedelta(days=2))
    before = fake_aws.count("GetCostAndUsage")
    fake_aws.bills = ring(21)
    spending.tick()
    assert spending.value("mlguard_cost_up") == 0
    assert fake_aws.count("GetCostAndUsage") - before == 1 + 3
    assert owners(spending) == summed(bills)
    assert "21 values of the tag" in caplog.text
    assert "give endpoints or models names of their own" in caplog.text


def test_what_costs_nothing_leaves_no_choice(fake_aws, make):
    spending = make()
    free = [bill("0", p, "m", e) for p in "pq" for e in "ab"]
    bills = [bill("10", "p", "m", "a"), bill("5", "q", "m", "b")]
    assert read(fake_aws, spending, *free, *bills) <= 4
    found = {key: amount for key, amount in owners(spending).items() if amount}
    assert found == summed(bills)


def test_a_file_of_credentials_that_is_renewed_is_used_at_the_next_try(
    fake_aws, make, tmp_path, monkeypatch
):
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    def write(key: str) -> None:
        file.write_text(
            f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {aws.SECRET_KEY}\n"
        )

    write("AKIAOLDANDGONE000000")
    spending = make()
    fake_aws.bills = [bill("10", "p", "m", "e")]
    spending.tick()
    assert spending.value("mlguard_cost_up") == 0
    write(aws.ACCESS_KEY)
    spending.at(NOW + timedelta(minutes=15)).tick()
    assert spending.value("mlguard_cost_up") == 1
    assert spending.value("mlguard_cost_settled_day_usd") == 10


@pytest.mark.parametrize(
    ("region", "asked"),
    [
        ("eu-west-1", "us-east-1"),
        ("cn-north-1", "cn-northwest-1"),
        ("us-iso-west-1", "us-iso-east-1"),
        ("us-gov-west-1", "us-gov-west-1"),
        ("eusc-de-east-1", "eusc-de-east-1"),
    ],
)
@pytest.mark.usefixtures("fake_aws")
def test_cost_explorer_is_asked_where_it_is(monkeypatch, region, asked):
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    assert AwsSession(AccountConfig(name="main")).client("ce").meta.region_name == asked


def test_an_outage_over_the_end_of_a_month_is_made_up_for(fake_aws, make):
    spending = make()
    days = [date(2027, 5, 1) + timedelta(days=n) for n in range(40)]
    bills = [bill(f"{day.day}", "p", "m", "e", day=day) for day in days]
    begin = datetime(2027, 5, 28, 6, tzinfo=UTC)
    fake_aws.clock = lambda: spending.now
    spending.at(begin)
    read(fake_aws, spending, *(b for b in bills if b.day <= date(2027, 5, 27)))
    fake_aws.denied = {"ce:GetCostAndUsage"}
    for n in range(1, 10):
        spending.at(begin + timedelta(days=n)).tick()
    assert len(owners(spending)) == 27
    fake_aws.denied = set()
    spending.at(begin + timedelta(days=10, hours=12))
    known = [b for b in bills if b.day <= date(2027, 6, 6)]
    read(fake_aws, spending, *known)
    assert owners(spending) == summed(known)


def test_states_of_tags_outlast_a_failure_and_are_asked_for_daily_while_one_is_inactive(
    fake_aws, make
):
    fake_aws.active_tags = {NAMES[0], NAMES[1]}
    spending = make()
    fake_aws.clock = lambda: spending.now
    states = [1, 1, 0]

    def shown() -> list[float | None]:
        return [spending.value("mlguard_cost_tag_active", tag=name) for name in NAMES]

    read(fake_aws, spending, bill("10", "p", "m"))
    assert shown() == states
    fake_aws.fail(3, aws.server_error, "ListCostAllocationTags")
    spending.at(NOW + timedelta(days=1)).tick()
    assert fake_aws.count("ListCostAllocationTags") == 4
    assert shown() == states
    fake_aws.active_tags = set(NAMES)
    for n in range(2, 8):
        spending.at(NOW + timedelta(days=n)).tick()
        assert shown() == [1, 1, 1]
    assert fake_aws.count("ListCostAllocationTags") == 5


CANCELLING = st.sampled_from([Decimal(n) for n in (-3, -2, -1, 0, 1, 2, 3)])
TEAM = st.lists(
    st.tuples(CANCELLING, *[st.sampled_from(["", "a", "b"])] * 3, st.integers(0, 1)),
    min_size=1,
    max_size=14,
)


@settings(max_examples=25, suppress_health_check=ONE_AWS)
@given(lines=TEAM)
def test_lines_of_different_owners_that_cancel_are_split_exactly(fake_aws, tmp_path_factory, lines):
    assert_exact(fake_aws, tmp_path_factory.mktemp("any"), lines, None)


@pytest.mark.long
@settings(max_examples=60, suppress_health_check=ONE_AWS)
@given(lines=TEAM, size=SIZES)
def test_lines_that_cancel_are_split_exactly_in_many_cases(fake_aws, tmp_path_factory, lines, size):
    assert_exact(fake_aws, tmp_path_factory.mktemp("any"), lines, size)


HIDDEN = {
    "an endpoint": [(5, "p", "m", "a"), (-5, "q", "m", "a"), (7, "q", "m", "b")],
    "a project": [(5, "p", "m", "a"), (-5, "p", "m", "b"), (7, "q", "m", "b")],
    "both": [(5, "p", "m", "a"), (-5, "p", "m", "b"), (-5, "q", "m", "a"), (5, "q", "m", "b")],
    "of untagged models": [(5, "p", "", "a"), (-5, "q", "", "a"), (7, "q", "", "b")],
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_sum_of_nothing_hides_no_owner(fake_aws, make, name):
    spending = make()
    bills = [bill(amount, *owner) for amount, *owner in HIDDEN[name]]
    read(fake_aws, spending, *bills)
    found = {key: amount for key, amount in owners(spending).items() if amount}
    assert found == {key: amount for key, amount in summed(bills).items() if amount}


def test_owners_that_cost_nothing_take_no_request(fake_aws, make):
    spending = make()
    bills = [bill(5, "p", "m", "a"), bill(0, "q", "n", "a"), bill(0, "p", "m", "b")]
    assert read(fake_aws, spending, *bills) == 3
    assert {owner[1:4] for owner in owners(spending)} == {("p", "m", "a")}
