"""`mlguard-exporter export` writes what was ever read, for a spreadsheet and for a Prometheus."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import urllib.parse
import urllib.request
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from support.aws import Bill
from support.sidecar import eventually, free_port
from support.spending import Spending

NAMES = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
TODAY = datetime.now(UTC).date()
ODD = 'pri"ce, \\ $1\n名'


def bill(amount: str, day: date, *owner: str, kind: str = "Usage", **more: str) -> Bill:
    cost = Decimal(amount)
    tags = {name: value for name, value in zip(NAMES, owner, strict=False) if value}
    service, currency = more.get("service", "Amazon SageMaker"), more.get("currency", "USD")
    return Bill(day, tags, service, kind, cost, cost * 2, cost / 2, currency)


@pytest.fixture
def folder(fake_aws, tmp_path) -> Path:
    """A database with three weeks of spend, of which one day was restated."""
    days = [TODAY - timedelta(days=n) for n in range(20, -1, -1)]
    fake_aws.bills = [
        each
        for n, day in enumerate(days, 1)
        for each in (
            bill(f"{n}.0123456789", day, "shop", "churn", "predict"),
            bill(f"{n}.5", day, "shop", ODD, "predict"),
            bill("7", day, currency="CNY", service="Elsewhere"),
            bill("-1.25", day, kind="Credit", service="Credits"),
        )
    ]
    now = datetime(TODAY.year, TODAY.month, TODAY.day, 0, 20, tzinfo=UTC)
    with Spending(tmp_path / "data", now - timedelta(days=1)) as spending:
        fake_aws.clock = lambda: spending.now
        later, fake_aws.bills = fake_aws.bills, [b for b in fake_aws.bills if b.day < TODAY]
        spending.tick()
        fake_aws.bills = [
            bill("99", b.day, *b.tags.values()) if b.unblended == Decimal("5.5") else b
            for b in later
        ]
        spending.at(now).tick()
        assert spending.value("mlguard_cost_restated_days_total") == 1
    return tmp_path / "data"


def export(folder: Path, form: str) -> str:
    done = subprocess.run(
        [*COMMAND, "--data-dir", str(folder), "--format", form],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


COMMAND = [sys.executable, "-m", "mlguard_exporter", "export"]


def test_csv_has_every_amount_as_it_was_read(folder, fake_aws):
    text = export(folder, "csv")
    rows = list(csv.DictReader(text.splitlines(keepends=True)))
    owners = {
        (row["day"], row["project"], row["model"], row["endpoint"], row["currency"]): tuple(
            Decimal(row[basis]) for basis in ("unblended", "amortized", "net_unblended")
        )
        for row in rows
        if row["kind"] == "owner"
    }
    assert owners == {
        (str(b.day), *(b.tags.get(name, "") for name in NAMES), b.currency): (
            b.unblended, b.amortized, b.net_unblended,
        )
        for b in fake_aws.bills
        if b.record_type == "Usage"
    }  # fmt: skip
    others = [row for row in rows if row["kind"] == "other"]
    assert {(row["name"], row["unblended"]) for row in others} == {("Credit", "-1.25")}
    assert {row["restatements"] for row in rows if row["unblended"] == "99"} == {"1"}
    assert {row["account"] for row in rows} == {"main"}


@pytest.mark.needs("promtool", "prometheus")
def test_a_prometheus_takes_openmetrics_and_draws_the_settled_days(folder, fake_aws, tmp_path):
    (tmp_path / "spend.om").write_text(export(folder, "openmetrics"))
    tsdb = tmp_path / "tsdb"
    made = subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", tmp_path / "spend.om", tsdb],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    (tmp_path / "prometheus.yml").write_text("{}")
    port = free_port()
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus", f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tsdb}", "--storage.tsdb.retention.time=10y",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip

    def ask(expression: str, at: date) -> list:
        moment = datetime(at.year, at.month, at.day, 12, tzinfo=UTC).timestamp()
        query = urllib.parse.urlencode({"query": expression, "time": moment})
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}") as answer:
                return json.load(answer)["data"]["result"]
        except OSError:
            return []

    try:
        day = TODAY - timedelta(days=2)
        eventually(lambda: ask("last_over_time(mlguard_cost_day_usd[1d])", day))
        for each in (
            day,
            day - timedelta(days=13),
            day + timedelta(days=1),
            day + timedelta(days=2),
        ):
            found = {
                tuple(
                    series["metric"].get(name, "") for name in ("project", "model", "currency")
                ): (series["value"][1])
                for series in ask("last_over_time(mlguard_cost_day_usd[1d])", each)
            }
            expected = {
                (
                    b.tags.get(NAMES[0], ""), b.tags.get(NAMES[1], ""),
                    "" if b.currency == "USD" else b.currency,
                ): float(b.unblended)
                for b in fake_aws.bills
                if b.day == each and b.record_type == "Usage" and each <= day
            }  # fmt: skip
            assert {key: float(value) for key, value in found.items()} == expected
        (other,) = ask("sum(last_over_time(mlguard_cost_day_other_usd[1d]))", day)
        assert other["value"][1] == "-1.25"
        services = ask("last_over_time(mlguard_cost_day_by_service_usd[1d])", day)
        assert len(services) == 2
    finally:
        process.terminate()
        process.wait()


def test_it_writes_while_the_daemon_runs_and_changes_nothing(fake_aws, make_exporter):
    fake_aws.bills = [bill("3", TODAY, "shop", "churn", "predict")]
    with make_exporter(cost={"accounts": [{"name": "main"}]}) as running:
        eventually(lambda: running.value("mlguard_cost_up") == 1)
        folder = Path(running.config["data_dir"])
        for form in ("csv", "openmetrics"):
            assert export(folder, form)
        assert "main" in export(folder, "csv")
        assert running.get("/readyz").startswith("ready")
        assert running.value("mlguard_alerting_store_errors_total") == 0


def test_a_reader_that_has_gone_is_no_error(folder):
    with subprocess.Popen(
        [*COMMAND, "--data-dir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        reported = process.stderr.read()
    assert (process.returncode, reported) == (141, b"")


def test_where_nothing_was_kept_that_is_reported(tmp_path):
    done = subprocess.run(
        [*COMMAND, "--data-dir", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"mlguard-exporter: {tmp_path / 'exporter.db'} does not exist:"
        " start the daemon first, or give its --data-dir\n"
    )
    assert not list(tmp_path.iterdir())
