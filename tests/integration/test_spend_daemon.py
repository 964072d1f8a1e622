"""The running exporter publishes AWS spend, alerts on it, and survives kills and hangs."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support import aws
from support.aws import Bill, Slow
from support.billing import Charge, MonthFiles, cur_csv
from support.sidecar import eventually

from mlguard_exporter.exposition import METRICS

TODAY = datetime.now(UTC).date()
SETTLED = TODAY - timedelta(days=2)
NAMES = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
COST = {"accounts": [{"name": "main"}]}

SOMETIMES = {"mlguard_cost_late_spike_excess_usd", "mlguard_cost_closing_month_usd"}


def bills(spike: int = 100) -> list[Bill]:
    """Ninety days of one model, with the settled day as asked for, and of what carries no tag."""
    tags = dict(zip(NAMES, ("shop", "churn", "predict"), strict=True))
    found = []
    for n in range(90):
        day = TODAY - timedelta(days=n)
        for of, amount in ((tags, spike if day == SETTLED else 100), ({}, 10)):
            found.append(Bill(day, of, "Amazon SageMaker", "Usage", *[Decimal(amount)] * 3))
    found.append(Bill(TODAY, {}, "Tax", "Tax", *[Decimal("1.5")] * 3))
    return found


@pytest.fixture
def exporter(fake_aws, make_exporter):
    """Makes exporters that read the spend of that AWS."""
    fake_aws.bills = bills()
    return lambda **more: make_exporter(**({"cost": COST} | more))


def is_read(exporter) -> bool:
    return exporter.value("mlguard_cost_up") == 1


def test_spend_is_on_metrics_and_a_scrape_asks_aws_nothing(exporter, fake_aws):
    with exporter(cost=COST | {"budgets": [{"project": "shop", "amount": 2500}]}) as running:
        eventually(lambda: is_read(running))
        asked = fake_aws.count()
        assert asked == 4
        settled = "mlguard_cost_settled_day_usd"
        assert (
            running.value(settled, project="shop", model="churn", model_endpoint="predict") == 100
        )
        assert running.value(settled, project="") == 10
        assert running.value("mlguard_cost_settled_day_by_service_usd") == 110
        assert running.value("mlguard_cost_other_usd", charge="Tax") == 1.5
        assert running.value("mlguard_cost_api_spend_usd_total") == 0.04
        for _ in range(50):
            page = running.get("/metrics")
        assert fake_aws.count() == asked
    families = {family.name: family for family in text_string_to_metric_families(page)}
    for metric in METRICS:
        family = families.get(metric.name.removesuffix("_total"))
        if family is None:
            assert metric.name in SOMETIMES
            continue
        assert (family.type, family.documentation) == (metric.type, metric.documentation)
        labels = tuple(sorted(metric.labels))  # as the library writes them
        assert {tuple(sample.labels) for sample in family.samples} == {labels}


@pytest.mark.needs("promtool")
def test_promtool_wants_no_more_than_seconds_where_a_day_is_named(exporter):
    with exporter() as running:
        eventually(lambda: is_read(running))
        page = running.get("/metrics")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    reported = (done.stdout + done.stderr).splitlines()
    assert all('use base unit "seconds" instead of "days"' in line for line in reported), reported
    assert done.returncode in (0, 3)


def test_after_a_restart_the_figures_are_there_before_aws_is_asked(exporter, fake_aws):
    running = exporter()
    with running:
        eventually(lambda: is_read(running))
        shown = {
            key: v for key, v in running.metrics().items() if key[0].startswith("mlguard_cost")
        }
    asked = fake_aws.count()
    fake_aws.denied = {"ce:GetCostAndUsage"}
    with running:
        eventually(lambda: is_read(running))
        again = {
            key: v for key, v in running.metrics().items() if key[0].startswith("mlguard_cost")
        }
    assert again == shown
    assert fake_aws.count() == asked


def test_a_read_that_is_killed_leaves_nothing_and_is_not_repeated_in_haste(exporter, fake_aws):
    slow = Slow()
    fake_aws.faults = [None, slow]
    running = exporter().start()
    assert slow.begun.wait(20)
    running.kill()
    with closing(sqlite3.connect(running.folder / "data/exporter.db")) as db:
        assert db.execute("SELECT count(*) FROM spend_costs").fetchone() == (0,)
    slow.go_on.set()
    with running:
        eventually(lambda: running.value("mlguard_cost_api_spend_usd_total") == 0.02)
        assert not any(name == "mlguard_cost_settled_day_usd" for name, _ in running.metrics())
        running.process.send_signal(signal.SIGHUP)  # somebody looks after it
        eventually(lambda: is_read(running))
        assert running.value("mlguard_cost_settled_day_usd", project="shop") == 100
        assert running.value("mlguard_cost_api_spend_usd_total") == fake_aws.count() / 100
    assert fake_aws.count() == 6


def test_it_ends_at_once_while_aws_does_not_answer(exporter, fake_aws):
    slow = Slow()
    fake_aws.faults = [slow]
    running = exporter().start()
    assert slow.begun.wait(20)
    begin = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - begin < 5
    assert "Traceback" not in running.log()
    slow.go_on.set()


def test_it_serves_while_aws_is_out(exporter, fake_aws):
    fake_aws.denied = {"ce:GetCostAndUsage"}
    with exporter() as running:
        eventually(lambda: "spend is not read" in running.log())
        assert running.value("mlguard_cost_up", account="main") == 0
        assert running.get("/readyz").startswith("ready")
    (line,) = [line for line in running.log().splitlines() if "not read" in line]
    assert "ce:GetCostAndUsage" in line
    assert aws.SECRET_KEY not in running.log()


def test_a_reload_reads_other_accounts_and_a_broken_file_changes_nothing(exporter, fake_aws):
    with exporter() as running:
        eventually(lambda: is_read(running))
        running.config["cost"] = {
            "accounts": [{"name": "main"}, {"name": "second"}],
            "budgets": [{"project": "shop", "amount": 50}],
        }
        running.write_config()
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: running.value("mlguard_cost_up") == 2)
        assert running.value("mlguard_cost_budget_usd") == 50
        asked = fake_aws.count()
        assert asked == 8
        running.config["cost"] = {"accounts": [{"name": "second"}], "interval": "1h"}
        running.write_config()
        running.process.send_signal(signal.SIGHUP)
        reloads = "mlguard_exporter_config_reloads_total"
        eventually(lambda: running.value(reloads, outcome="failure"))
        assert "cost: interval: expected 6h to 24h" in running.log()
        assert running.value("mlguard_cost_up") == 2
    assert fake_aws.count() == asked


def test_without_accounts_aws_is_left_alone(exporter, fake_aws):
    with exporter(cost={}) as running:
        assert not [name for name, _ in running.metrics() if name.startswith("mlguard_cost")]
    assert fake_aws.count() == 0


def test_a_billing_export_in_a_folder_is_read_instead(exporter, fake_aws, tmp_path):
    def put(name: str, content: bytes) -> None:
        path = tmp_path / "bills" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    tags = dict(zip(NAMES, ("shop", "churn", "predict"), strict=True))
    settled = datetime(SETTLED.year, SETTLED.month, SETTLED.day, tzinfo=UTC)
    MonthFiles(put, SETTLED).write(
        cur_csv([Charge(settled, "Usage", unblended=Decimal("12.25"), tags=tags)])
    )
    account = {"name": "files", "export": str(tmp_path / "bills")}
    with exporter(cost={"accounts": [account]}) as running:
        eventually(lambda: is_read(running))
        assert running.value("mlguard_cost_settled_day_usd", project="shop") == 12.25
    assert fake_aws.count() == 0


RULES = """
groups:
  - name: at once
    rules:
      - alert: Spike
        expr: mlguard_cost_spike_excess_usd and mlguard_cost_spike == 1
        labels: {severity: warning}
        annotations:
          summary: "{{ $labels.project }} jumped by {{ $value }} {{ or $labels.currency `USD` }}"
"""


def test_a_spike_notifies_the_receiver(exporter, fake_aws, hook, tmp_path):
    fake_aws.bills = bills(spike=350)
    (tmp_path / "own.rules.yml").write_text(RULES)
    running = exporter(
        rules={"files": [str(tmp_path / "own.rules.yml")], "interval": "1s"},
        notify={
            "receivers": [{"name": "team", "url": hook.url}],
            "routes": [{"receivers": ["team"], "group_wait": "1s"}],
        },
    )
    with running:
        eventually(lambda: hook.got)
    assert hook.titles == ["[WARNING] Spike: shop/churn/predict"]
    assert "shop jumped by 250 USD" in str(hook.got)


def test_a_second_exporter_on_the_same_data_is_refused(exporter):
    with exporter() as running:
        second = subprocess.run(
            [
                sys.executable, "-m", "mlguard_exporter", "--config", str(running.config_path),
                "--listen", "127.0.0.1:0",
            ],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert second.returncode == 2
        assert "is in use by another process of ML Guard" in second.stderr
        assert second.stderr.count("\n") == 1
        assert running.get("/readyz").startswith("ready")
