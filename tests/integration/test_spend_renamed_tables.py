"""A database from before tables, columns and kinds had their present names."""

from __future__ import annotations

import io
import json
import sqlite3
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from support.spending import Spending, superseded

from mlguard_common.database import open_database, open_to_read
from mlguard_exporter.export import write_csv
from mlguard_exporter.polling import load_poll_state
from mlguard_exporter.sources import count_requests, sent_in_month
from mlguard_exporter.spend import CostReport, Costs
from mlguard_exporter.spend.cost_store import CostStore
from mlguard_exporter.store import DATABASE, MIGRATIONS

DATA = Path(__file__).parents[1] / "data"
NAME = "exporter-before-renaming"
"""Written on 2027-05-14 by the exporter of commit 696da23, with a restatement, a spike that was
reported in time and taken back, one that was reported late, a failed read, and a requested history.
"""
NOW = datetime(2027, 5, 14, 0, 16, tzinfo=UTC)
BUDGETS = [{"project": "shop", "amount": 4000}]


@pytest.fixture
def folder(tmp_path):
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.executescript((DATA / f"{NAME}.sql").read_text())
    connection.close()
    return tmp_path


@pytest.fixture
def spending(folder, fake_aws):
    with Spending(folder, NOW, budgets=BUDGETS) as running:
        fake_aws.clock = lambda: running.now
        yield running


def names(db) -> set[str]:
    return {f"{table}.{column.name}" for table in db.table_names() for column in db[table].columns}


def test_the_same_figures_are_exposed_without_a_request(spending, fake_aws):
    spending.tick()
    found = sorted(
        f"{sample.name}{json.dumps(sample.labels, sort_keys=True)} {sample.value!r}"
        for family in spending.collect()
        for sample in family.samples
    )
    assert found == (DATA / f"{NAME}.samples").read_text().splitlines()
    assert fake_aws.count() == 0


def test_the_history_is_exported_as_before(spending):
    written = io.StringIO()
    write_csv(spending.cost_store, written)
    assert written.getvalue() == (DATA / f"{NAME}.csv").read_text()
    assert {row.day for row in superseded(spending.db)} == {date(2027, 5, 9), date(2027, 5, 10)}


def test_the_history_is_exported_before_the_daemon_has_renamed_anything(folder):
    written, db = io.StringIO(), open_to_read(folder / DATABASE)
    write_csv(CostStore(db), written)
    db.conn.close()
    assert written.getvalue() == (DATA / f"{NAME}.csv").read_text()


def test_the_state_of_polling_and_the_request_meter_are_kept(spending):
    state = load_poll_state(spending.db, "main")
    assert state.failures == 0
    assert state.succeeded_at == NOW.timestamp()
    assert state.settings_since == datetime(2027, 5, 11, 0, 16, tzinfo=UTC).timestamp()
    assert state.history_first == date(2027, 1, 1)
    assert state.history_requested_at == (NOW - timedelta(days=1)).timestamp()
    assert count_requests(spending.db, "main").sent == 14
    assert sent_in_month(spending.db, "main", NOW.timestamp()) == 14


def test_what_was_reported_is_not_reported_again(spending):
    spending.tick()
    late = "mlguard_cost_late_spike_excess_usd"
    assert [labels["model"] for labels, _ in spending.samples(late)] == ["fraud"]
    spending.at(NOW + timedelta(hours=21))
    spending.reload(untagged_threshold_ratio=0.3)
    spending.tick()
    assert spending.value("mlguard_cost_untagged_threshold_ratio") == 0.3
    assert spending.samples(late) == []


def test_a_day_that_is_restated_later_is_reported_late(spending):
    """The settings under which days were compared are recognized as the same."""
    day = date(2027, 5, 11)
    more = Costs(*[Decimal(200)] * 3)
    costs = {row.series: row.costs for row in spending.cost_store.rows("main", day, day)}
    costs |= {s: c.plus(more) for s, c in costs.items() if "churn" in s or "SageMaker" in s.name}
    with spending.db.atomic():
        report = CostReport(day, day + timedelta(days=1), {day: costs})
        assert spending.cost_store.store("main", report, NOW.timestamp()) == 1
    spending.tick()
    late = {s["model"]: v for s, v in spending.samples("mlguard_cost_late_spike_excess_usd")}
    assert late == {"fraud": 145, "churn": 200}


def test_nothing_is_called_as_before_and_a_new_database_is_the_same(spending, tmp_path):
    new = open_database(tmp_path / "new" / DATABASE, *MIGRATIONS)
    assert names(spending.db) == names(new)
    query = "SELECT migration_set, name FROM _sqlite_migrations"
    assert set(spending.db.execute(query)) == set(new.execute(query))
    assert not any("told" in name or "judged" in name for name in names(new))
    (settings,) = spending.db.execute("SELECT settings FROM anomaly_log_progress").fetchone()
    assert f"{spending.cost.spikes}" in settings
    new.conn.close()
