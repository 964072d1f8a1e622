from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlite_utils import Database
from support.spending import superseded

from mlguard_exporter.spend import CostReport, Costs, CostSeries, Kind
from mlguard_exporter.spend.cost_store import CostStore, migrations

SHOP = CostSeries(Kind.OWNER, "shop", "churn", "predict")
BANK = CostSeries(Kind.OWNER, "bank", "fraud", "predict")
FIRST = date(2026, 3, 1)


def at(day: int, hour: int = 1) -> float:
    return datetime(2026, 3, day, hour, tzinfo=UTC).timestamp()


def costs(text: str) -> Costs:
    return Costs(Decimal(text), Decimal(text), None)


def reading(
    days: dict[int, dict[CostSeries, str]],
    end: int = 20,
    version: str = "",
    as_of: float | None = None,
) -> CostReport:
    found = {date(2026, 3, d): {s: costs(c) for s, c in of.items()} for d, of in days.items()}
    return CostReport(FIRST, date(2026, 3, end), found, version, as_of)


@pytest.fixture
def db(tmp_path):
    made = Database(sqlite3.connect(tmp_path / "x.db", isolation_level=None))
    migrations.apply(made)
    yield made
    made.conn.close()


@pytest.fixture
def cost_store(db):
    return CostStore(db)


def kept(cost_store, account="main"):
    return {
        (row.day.day, row.series.project): str(row.costs.unblended)
        for row in cost_store.rows(account, FIRST, date(2026, 3, 31))
    }


def test_amounts_are_kept_to_the_last_digit(cost_store):
    exact = "12345678901234567890.0000000001"
    cost_store.store("main", reading({1: {SHOP: exact}}), at(2))
    (row,) = cost_store.rows("main", FIRST, FIRST)
    assert row == (FIRST, SHOP, costs(exact), at(2))


def test_a_reading_replaces_its_days_and_no_others(cost_store):
    cost_store.store("main", reading({1: {SHOP: "1", BANK: "2"}, 9: {SHOP: "9"}}), at(10))
    cost_store.store("other", reading({1: {SHOP: "7"}}), at(10))
    cost_store.store("main", reading({1: {SHOP: "3"}}, end=2), at(11))
    assert kept(cost_store) == {(1, "shop"): "3", (9, "shop"): "9"}
    assert kept(cost_store, "other") == {(1, "shop"): "7"}
    assert cost_store.accounts() == ["main", "other"]


def test_a_day_is_restated_when_it_changes_after_it_was_settled(cost_store, db):
    assert cost_store.store("main", reading({1: {SHOP: "1"}}), at(2)) == 0
    assert (
        cost_store.store("main", reading({1: {SHOP: "5"}}), at(3)) == 0
    )  # was not settled on the 2nd
    assert cost_store.store("main", reading({1: {SHOP: "5"}}), at(4)) == 0  # the same
    assert cost_store.store("main", reading({1: {SHOP: "5.009"}}), at(5)) == 0  # less than a cent
    assert cost_store.store("main", reading({1: {SHOP: "6"}}), at(6)) == 1
    assert cost_store.store("main", reading({1: {BANK: "6"}}), at(7)) == 1
    known = cost_store.known_days("main")[FIRST]
    assert known == (at(7), 2)
    before = [(row.series, row.costs, row.read_at) for row in superseded(db)]
    assert before == [(SHOP, costs("5.009"), at(3)), (SHOP, costs("6"), at(6))]
    (row,) = cost_store.rows("main", FIRST, FIRST)
    assert (row.series, row.read_at) == (BANK, at(7))


def test_a_day_is_not_taken_back_by_an_answer_without_it(cost_store, caplog):
    cost_store.store("main", reading({1: {SHOP: "1"}, 2: {SHOP: "2"}}), at(4))
    assert cost_store.store("main", reading({2: {SHOP: "2"}}), at(5)) == 0
    assert cost_store.store("main", reading({}), at(6)) == 0
    assert kept(cost_store) == {(1, "shop"): "1", (2, "shop"): "2"}
    assert "days with spend that the answer lacks: 2, from 2026-03-01 on" in caplog.text


def test_a_complete_reading_takes_back_what_it_does_not_tell(cost_store, db, caplog):
    cost_store.store("main", reading({1: {SHOP: "1"}, 2: {SHOP: "2"}}, version="a"), at(4))
    assert cost_store.store("main", reading({1: {SHOP: "3"}}, version="b"), at(5)) == 2
    assert kept(cost_store) == {(1, "shop"): "3"}
    assert [row.costs for row in superseded(db)] == [costs("1"), costs("2")]
    assert not caplog.records


def test_a_day_between_days_with_spend_has_cost_nothing(cost_store):
    cost_store.store("main", reading({3: {SHOP: "1"}, 6: {SHOP: "2"}}), at(8))
    assert [day.day for day in cost_store.known_days("main")] == [3, 4, 5, 6]
    cost_store.store("main", reading({3: {SHOP: "1"}, 6: {SHOP: "2"}, 8: {SHOP: "2"}}), at(9))
    assert {
        day.day: at_ for day, (at_, _) in cost_store.known_days("main").items()
    } == dict.fromkeys(range(3, 9), at(9))
    assert cost_store.store("main", reading({4: {SHOP: "5"}, 8: {SHOP: "2"}}), at(10)) == 1


def test_a_day_is_settled_by_when_its_source_knew_of_it(cost_store):
    cost_store.store("main", reading({1: {SHOP: "1"}}, version="a", as_of=at(2)), at(4))
    assert cost_store.known_days("main")[FIRST].read_at == at(2)
    assert cost_store.store("main", reading({1: {SHOP: "9"}}, version="b", as_of=at(4)), at(4)) == 0
    assert cost_store.store("main", reading({1: {SHOP: "8"}}, version="c", as_of=at(9)), at(5)) == 1
    assert cost_store.known_days("main")[FIRST].read_at == at(5)


def test_what_is_read_otherwise_is_not_restated_and_not_lost(cost_store, db):
    cost_store.store("main", reading({1: {SHOP: "1"}}), at(4))
    assert cost_store.store("main", reading({1: {BANK: "1"}}), at(5), full_refresh=True) == 0
    assert cost_store.known_days("main")[FIRST].restatements == 0
    assert [row.series for row in superseded(db)] == [SHOP]


def test_a_delivery_that_another_source_has_replaced_is_read_again(cost_store):
    cost_store.store("main", reading({1: {SHOP: "1"}}, version="a"), at(4))
    cost_store.store("main", reading({1: {SHOP: "2"}}), at(5))
    assert cost_store.versions("main") == set()


def test_versions_are_those_of_the_latest_readings(cost_store):
    cost_store.store("main", reading({1: {SHOP: "1"}}, version="a"), at(4))
    cost_store.store("main", reading({1: {SHOP: "1"}}, version="b"), at(4))
    cost_store.store("other", reading({1: {SHOP: "1"}}, version="c"), at(4))
    assert cost_store.versions("main") == {"b"}


def test_a_basis_that_is_not_reported_stays_unknown(cost_store):
    cost_store.store("main", reading({1: {SHOP: "1"}}), at(4))
    (row,) = cost_store.rows("main", FIRST, FIRST)
    assert row.costs.net_unblended is None
    known = CostReport(FIRST, FIRST + timedelta(days=1), {FIRST: {SHOP: Costs(*(Decimal(1),) * 3)}})
    assert cost_store.store("main", known, at(5)) == 1
