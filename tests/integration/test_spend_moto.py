"""Spend is read from moto's server, whose Cost Explorer and STS are not of this project."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime

import pytest
from moto.server import ThreadedMotoServer
from support.spending import Spending

NOW = datetime(2027, 5, 11, 6, tzinfo=UTC)
NAMES = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
METRICS = ("UnblendedCost", "AmortizedCost", "NetUnblendedCost")


@pytest.fixture
def moto(monkeypatch):
    """Gives Cost Explorer's answers to moto, one for each request."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def answer(*results: dict) -> None:
        body = json.dumps({"results": results}).encode()
        address = f"{url}/moto-api/static/ce/cost-and-usage-results"
        post = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(post) as done:
            assert done.status == 201

    # it keeps its answers for as long as the process runs
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")).close()
    yield answer
    server.stop()


def result(days: dict[str, dict[tuple[str, str], str]], token: str | None = None) -> dict:
    """An answer as AWS documents it."""
    found = {
        "ResultsByTime": [
            {
                "TimePeriod": {"Start": day, "End": day},
                "Total": {},
                "Groups": [
                    {
                        "Keys": list(keys),
                        "Metrics": {m: {"Amount": amount, "Unit": "USD"} for m in METRICS},
                    }
                    for keys, amount in groups.items()
                ],
                "Estimated": False,
            }
            for day, groups in days.items()
        ],
        "DimensionValueAttributes": [],
    }
    return found | ({"NextPageToken": token} if token else {})


def tagged(first: int, second: int, **amounts: tuple[str, str]) -> dict[tuple[str, str], str]:
    return {
        (f"{NAMES[first]}${a}", f"{NAMES[second]}${b}"): amount
        for amount, (a, b) in (
            (x.replace("_", ".").strip("x"), pair) for x, pair in amounts.items()
        )
    }


def services(usage: str, credit: str) -> dict[tuple[str, str], str]:
    return {("Amazon SageMaker", "Usage"): usage, ("Amazon SageMaker", "Credit"): credit}


OWNERS = [
    services("30.75", "-2"),
    tagged(1, 0, x10_25=("churn", "shop"), x20_50=("fraud", "bank")),
    tagged(1, 2, x10_25=("churn", "predict"), x20_50=("fraud", "score")),
]


def assert_read(spending: Spending) -> None:
    assert spending.value("mlguard_cost_up") == 1
    shown = {
        (labels["project"], labels["model"], labels["model_endpoint"]): value
        for labels, value in spending.samples("mlguard_cost_settled_day_usd")
    }
    assert shown == {("shop", "churn", "predict"): 10.25, ("bank", "fraud", "score"): 20.5}
    assert spending.value("mlguard_cost_other_usd", charge="Credit") == -2


def test_spend_is_read(moto, tmp_path):
    moto(*(result({"2027-05-09": groups}) for groups in OWNERS))
    with Spending(tmp_path, NOW) as spending:
        spending.tick()
        assert_read(spending)
        answered = spending.value(
            "mlguard_cost_api_requests_total", operation="GetCostAndUsage", outcome="success"
        )
        assert answered == 3


def test_every_page_is_read_with_a_role(moto, tmp_path):
    pages = []
    for n, groups in enumerate(OWNERS):
        for place, (keys, amount) in enumerate(groups.items()):
            last = place == len(groups) - 1
            pages.append(result({"2027-05-09": {keys: amount}}, None if last else f"{n}-{place}"))
    moto(*pages)
    role = {
        "name": "main",
        "role_arn": "arn:aws:iam::123456789012:role/reader",
        "external_id": "for-ml",
    }
    with Spending(tmp_path, NOW, accounts=[role]) as spending:
        spending.tick()
        assert_read(spending)
        answered = spending.value(
            "mlguard_cost_api_requests_total", operation="GetCostAndUsage", outcome="success"
        )
        assert answered == len(pages) == 6
