"""How the exporter's page looks in a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import expect
from support.aws import Bill
from support.browsing import faults
from support.pages import NAMES
from support.sidecar import eventually

pytestmark = pytest.mark.needs("chromium")

TAGS = ("mlguard:project", "mlguard:model", "mlguard:endpoint")


@pytest.fixture
def exporter(fake_aws, make_exporter):
    today = datetime.now(UTC).date()
    fake_aws.bills = [
        Bill(today - timedelta(days=n), dict.fromkeys(TAGS, name), "Amazon SageMaker", "Usage",
             *[Decimal(amount * (5 if n == 2 and name == NAMES[0] else 1))] * 3)
        for n in range(60)
        for amount, name in enumerate(NAMES, start=-1)
    ]  # fmt: skip
    cost = {
        "accounts": [{"name": "main"}, {"name": "broken", "profile": "missing"}],
        "budgets": [{"project": name, "amount": 20} for name in NAMES[:5]],
    }
    notify = {"receivers": [{"name": "W" * 40, "url": "json://127.0.0.1:1"}]}
    running = make_exporter(rules={"enabled": False}, cost=cost, notify=notify).start()
    eventually(lambda: running.value("mlguard_cost_up", account="main") == 1)
    return running


def test_the_page_of_spend_can_be_used_by_everyone_in_every_width(looks, exporter):
    page = looks.open(exporter)
    assert faults(page) == []
    for name in ("..", "a/b?c#d", NAMES[0], NAMES[-1], "W" * 128):
        page.goto(exporter.url)
        page.locator("nav a bdi").get_by_text(name[:20]).first.click()
        expect(page.locator("h1 bdi")).to_have_text(name)
    assert faults(page) == []


def test_without_an_account_the_page_can_be_used_by_everyone(looks, make_exporter):
    page = looks.open(make_exporter(rules={"enabled": False}).start())
    assert faults(page) == []
    expect(page.get_by_text("No account is configured")).to_be_visible()


def test_spend_is_readable_without_javascript(looks, exporter):
    page = looks.open(exporter, java_script_enabled=False)
    page.get_by_text("The same as numbers").click()
    expect(page.get_by_role("columnheader", name="Anomaly from")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
