"""The AWS of the tests behaves as AWS does, seen through boto3."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from moto.server import ThreadedMotoServer
from support import aws
from support.aws import ROLE, USER, Bill, FakeAws

PROJECT, MODEL, ENDPOINT = "mlguard:project", "mlguard:model", "mlguard:endpoint"
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def bill(day: int, amount: str, service: str = "SageMaker", kind: str = "Usage", **tags: str):
    cost = Decimal(amount)
    named = {f"mlguard:{name}": value for name, value in tags.items()}
    return Bill(date(2026, 3, day), named, service, kind, cost, cost * 2, cost / 2)


@pytest.fixture
def fake(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_MAX_ATTEMPTS"):
        monkeypatch.delenv(name, raising=False)
    with FakeAws(clock=lambda: NOW) as fake:
        for name, value in fake.env().items():
            monkeypatch.setenv(name, value)
        yield fake


def client(service: str = "ce", **config):
    settings = {"retries": {"total_max_attempts": 1}, "read_timeout": 10} | config
    return boto3.Session().client(service, region_name="us-east-1", config=Config(**settings))


def ask(ce, first: int, end: int, *groups: str, metrics=("UnblendedCost",), **more):
    by = [{"Type": "TAG" if ":" in g else "DIMENSION", "Key": g} for g in groups]
    return ce.get_cost_and_usage(
        TimePeriod={"Start": f"2026-03-{first:02}", "End": f"2026-03-{end:02}"},
        Granularity="DAILY",
        Metrics=list(metrics),
        **({"GroupBy": by} if by else {}),
        **more,
    )


def amounts(answer) -> dict[tuple[str, ...], str]:
    return {
        (result["TimePeriod"]["Start"][-2:], *group["Keys"]): group["Metrics"]["UnblendedCost"][
            "Amount"
        ]
        for result in answer["ResultsByTime"]
        for group in result["Groups"]
    }


def test_bills_are_summed_by_day_and_by_two_groups(fake):
    fake.bills = [
        bill(1, "1.10", project="a$b", model="m"),
        bill(1, "2.20", project="a$b", model="m", service="EC2"),
        bill(1, "0.5"),
        bill(3, "7", project="c"),
        bill(4, "100"),
    ]
    answer = ask(client(), 1, 4, PROJECT, MODEL, metrics=("UnblendedCost", "AmortizedCost"))
    assert amounts(answer) == {
        ("01", f"{PROJECT}$", f"{MODEL}$"): "0.5",
        ("01", f"{PROJECT}$a$b", f"{MODEL}$m"): "3.30",
        ("03", f"{PROJECT}$c", f"{MODEL}$"): "7",
    }
    days = answer["ResultsByTime"]
    assert [d["TimePeriod"] for d in days] == [
        {"Start": f"2026-03-0{n}", "End": f"2026-03-0{n + 1}"} for n in (1, 2, 3)
    ]
    assert all(d["Total"] == {} and d["Estimated"] for d in days)
    assert days[0]["Groups"][1]["Metrics"]["AmortizedCost"] == {"Amount": "6.60", "Unit": "USD"}

    total = ask(client(), 1, 3)["ResultsByTime"]
    assert [d["Total"]["UnblendedCost"]["Amount"] for d in total] == ["3.80", "0"]
    assert total[0]["Groups"] == []

    fake.active_tags.discard(MODEL)
    assert ("01", f"{PROJECT}$a$b", f"{MODEL}$") in amounts(ask(client(), 1, 4, PROJECT, MODEL))


def test_filters(fake):
    fake.bills = [
        bill(1, "1", project="a"),
        bill(1, "2", project="a", service="EC2"),
        bill(1, "4"),
        bill(1, "8", kind="Tax"),
        bill(1, "16", project="b", kind="Credit"),
    ]

    def total(tree) -> str:
        (day,) = ask(client(), 1, 2, Filter=tree)["ResultsByTime"]
        return day["Total"]["UnblendedCost"]["Amount"]

    tagged = {"Tags": {"Key": PROJECT, "Values": ["a"]}}
    untagged = {"Tags": {"Key": PROJECT, "MatchOptions": ["ABSENT"]}}
    usage = {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Usage"]}}
    assert total(tagged) == "3"
    assert total(untagged) == "12"
    assert total({"Tags": {"Key": PROJECT, "Values": ["", "b"]}}) == "28"
    assert total({"And": [usage, untagged]}) == "4"
    assert total({"Or": [usage, untagged]}) == "15"
    assert total({"Not": usage}) == "24"
    fake.active_tags.clear()
    assert total(tagged) == "0"


def test_a_page_ends_within_a_day_and_goes_on_with_the_same_request(fake):
    fake.bills = [bill(d, str(n), project=f"p{n}") for d in (1, 2) for n in range(3)]
    fake.page_size = 2
    ce = client()
    found, page, pages = [], {}, 0
    while True:
        answer = ask(ce, 1, 4, PROJECT, **page)
        found += amounts(answer)
        pages += 1
        if "NextPageToken" not in answer:
            break
        page = {"NextPageToken": answer["NextPageToken"]}
    assert pages == 4
    assert found == [(f"0{d}", f"{PROJECT}$p{n}") for d in (1, 2) for n in range(3)]
    with pytest.raises(ce.exceptions.RequestChangedException):
        ask(ce, 1, 3, PROJECT, NextPageToken=ask(ce, 1, 4, PROJECT)["NextPageToken"])
    with pytest.raises(ce.exceptions.InvalidNextTokenException):
        ask(ce, 1, 4, PROJECT, NextPageToken="x")


@pytest.mark.parametrize(
    "wrong",
    [
        {"GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}] * 3},
        {"Metrics": ["Cost"]},
        {"TimePeriod": {"Start": "2026-03-02", "End": "2026-03-02"}},
        {"TimePeriod": {"Start": "2024-12-31", "End": "2026-03-02"}},
    ],
)
@pytest.mark.usefixtures("fake")
def test_what_aws_refuses_is_refused(wrong):
    request = {
        "TimePeriod": {"Start": "2026-03-01", "End": "2026-03-02"},
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost"],
    }
    client().get_cost_and_usage(**request)
    with pytest.raises(ClientError, match="ValidationException"):
        client().get_cost_and_usage(**request | wrong)


def test_a_group_of_two_currencies_is_a_fault_of_the_test(fake):
    fake.bills = [
        bill(1, "1"),
        Bill(date(2026, 3, 1), {}, "EC2", "Usage", *[Decimal(1)] * 3, "CNY"),
    ]
    with pytest.raises(ClientError):
        ask(client(), 1, 2, PROJECT)
    with pytest.raises(ValueError, match="one unit"):
        fake.check()


def test_tags_are_listed_and_activated(fake):
    fake.active_tags.discard(MODEL)
    fake.known_tags.discard(ENDPOINT)
    ce = client()
    listed = ce.list_cost_allocation_tags(TagKeys=[PROJECT, MODEL, ENDPOINT])["CostAllocationTags"]
    assert {t["TagKey"]: t["Status"] for t in listed} == {PROJECT: "Active", MODEL: "Inactive"}
    assert len(ce.list_cost_allocation_tags(Status="Inactive")["CostAllocationTags"]) == 1
    wanted = [{"TagKey": tag, "Status": "Active"} for tag in (MODEL, ENDPOINT)]
    with pytest.raises(ClientError, match="Tag keys not found: mlguard:endpoint"):
        ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=wanted)
    fake.known_tags.add(ENDPOINT)
    with pytest.raises(ClientError, match="ValidationException"):
        ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=wanted * 11)
    assert MODEL not in fake.active_tags
    fake.tag_errors[ENDPOINT] = "try again"
    (error,) = ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=wanted)["Errors"]
    assert (error["TagKey"], error["Message"]) == (ENDPOINT, "try again")
    assert MODEL in fake.active_tags
    fake.linked = True
    with pytest.raises(ClientError, match="Linked account doesn't have access"):
        ce.list_cost_allocation_tags()


def test_values_of_tags_that_spend_carries(fake):
    fake.bills = [bill(1, "1", project="a"), bill(2, "1", model="m"), bill(9, "1", endpoint="e")]
    period = {"Start": "2026-03-01", "End": "2026-03-05"}
    assert client().get_tags(TimePeriod=period)["Tags"] == [MODEL, PROJECT]
    assert client().get_tags(TimePeriod=period, TagKey=PROJECT)["Tags"] == ["", "a"]


def test_a_backfill_runs_once_a_day(fake):
    ce = client()
    ce.start_cost_allocation_tag_backfill(BackfillFrom="2025-03-01T00:00:00Z")
    with pytest.raises(ce.exceptions.BackfillLimitExceededException):
        ce.start_cost_allocation_tag_backfill(BackfillFrom="2025-03-01T00:00:00Z")
    fake.backfills[0]["BackfillStatus"] = "SUCCEEDED"
    fake.clock = lambda: NOW + timedelta(days=2)
    ce.start_cost_allocation_tag_backfill(BackfillFrom="2026-03-01T00:00:00Z")
    history = ce.list_cost_allocation_tag_backfill_history()["BackfillRequests"]
    assert [h["BackfillStatus"] for h in history] == ["PROCESSING", "SUCCEEDED"]
    fake.backfills.clear()
    for wrong in ("2025-03-02T00:00:00Z", "2025-02-01T00:00:00Z", "2026-04-01T00:00:00Z"):
        with pytest.raises(ClientError, match="ValidationException"):
            ce.start_cost_allocation_tag_backfill(BackfillFrom=wrong)


def test_a_role_is_assumed_with_its_external_id(fake):
    sts = client("sts")
    assert sts.get_caller_identity()["Arn"] == USER
    fake.external_id = "right"
    for wrong in ({"ExternalId": "wrong"}, {}):
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(RoleArn=ROLE, RoleSessionName="us", **wrong)
    given = sts.assume_role(RoleArn=ROLE, RoleSessionName="us", ExternalId="right")["Credentials"]
    session = boto3.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], "us-east-1"
    )
    assert session.client("sts").get_caller_identity()["Arn"].endswith("assumed-role/mlguard/us")
    session.client("ce").list_cost_allocation_tags()
    fake.sessions[0].expired = True
    with pytest.raises(ClientError, match="ExpiredToken"):
        session.client("ce").list_cost_allocation_tags()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (aws.LIMIT_EXCEEDED, "LimitExceededException"),
        (aws.THROTTLED, "ThrottlingException"),
        (aws.denied("ce:GetCostAndUsage"), "not authorized to perform: ce:GetCostAndUsage"),
        (aws.EXPIRED, "ExpiredTokenException"),
        (aws.server_error, "500"),
    ],
)
def test_a_fault_is_answered_once(fake, fault, expected):
    fake.fail(1, fault)
    with pytest.raises(ClientError, match=expected):
        ask(client(), 1, 2)
    ask(client(), 1, 2)
    assert fake.count("GetCostAndUsage") == 2


def test_a_connection_that_is_cut(fake):
    fake.fail(1, aws.no_answer)
    with pytest.raises(ConnectionClosedError):
        ask(client(), 1, 2)


@pytest.mark.parametrize("fault", [aws.cut_body, aws.cut_json, aws.empty_object])
def test_boto3_tells_an_answer_that_is_cut_as_an_empty_one(fake, fault):
    fake.fail(1, fault, "GetCostAndUsage")
    client("sts").get_caller_identity()
    assert "ResultsByTime" not in ask(client(), 1, 2)
    assert "ResultsByTime" in ask(client(), 1, 2)


def test_a_slow_answer_ends_with_its_client(fake):
    slow = aws.Slow()
    fake.fail(1, slow)
    with pytest.raises(ReadTimeoutError):
        ask(client(read_timeout=0.1), 1, 2)
    assert slow.begun.wait(10)
    assert slow.left.wait(10)


def test_the_answer_has_the_shape_of_moto_s(fake, monkeypatch):
    fake.bills = [bill(1, "1", project="a")]
    ours = ask(client(), 1, 2, PROJECT)
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL_COST_EXPLORER", f"http://{host}:{port}")
        theirs = ask(client(), 1, 2, PROJECT)
    finally:
        moto.stop()
    assert theirs.keys() <= ours.keys()
    assert isinstance(theirs["ResultsByTime"], list)
