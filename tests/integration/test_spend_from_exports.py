"""An account whose spend is in an export: what it does not carry is never quietly absent."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from support import billing
from support.billing import COLUMNS, Charge, MonthFiles, cur_csv
from support.spending import Spending

NOW = datetime(2027, 5, 11, 6, tzinfo=UTC)
TAGS = {"mlguard:project": "shop", "mlguard:model": "churn", "mlguard:endpoint": "predict"}


class Export:
    """An export in a folder, delivered at the time of the clock."""

    def __init__(self, path) -> None:
        self.path = path

    def deliver(self, file: bytes, now: datetime = NOW) -> None:
        def put(name: str, content: bytes) -> None:
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            os.utime(target, (now.timestamp() - 7200,) * 2)

        MonthFiles(put, now.date()).write(file)


@pytest.fixture
def export(tmp_path):
    return Export(tmp_path / "export")


@pytest.fixture
def spending(export, tmp_path):
    account = {"name": "main", "export": str(export.path)}
    with Spending(tmp_path / "data", NOW, accounts=[account]) as made:
        yield made


def charge(days_ago: int = 2) -> Charge:
    start = (NOW - timedelta(days=days_ago)).replace(tzinfo=None)
    return Charge(start, "Usage", tags=TAGS)


def focus() -> bytes:
    return billing.focus_csv([charge()])


def cur_without(*lacking: str) -> bytes:
    return cur_csv([charge()], [name for name in COLUMNS if name not in lacking])


RESERVED = "reservation_effective_cost"
BROKEN = {
    "FOCUS with net": (focus, "net_unblended", "line_item_net_unblended_cost"),
    "CUR without reservations": (lambda: cur_without(RESERVED), "amortized", RESERVED),
    "CUR without a currency": (
        lambda: cur_without("line_item_currency_code"), "unblended", "line_item_currency_code",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_columns_that_are_not_there_are_an_error_with_their_names(export, spending, caplog, name):
    make, basis, column = BROKEN[name]
    export.deliver(make())
    spending.reload(basis=basis)
    spending.tick()
    assert spending.value("mlguard_cost_up") == 0
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert record.getMessage().startswith("main: spend is not read: ")
    assert column in record.getMessage()
    assert not spending.samples("mlguard_cost_last_success_timestamp_seconds")


def test_another_basis_that_is_lacking_is_an_error_at_once(export, spending, caplog):
    export.deliver(focus())
    spending.tick()
    assert spending.value("mlguard_cost_up") == 1
    assert spending.value("mlguard_cost_settled_day_usd", project="shop") == 1
    spending.reload(basis="net_unblended")
    spending.tick()
    assert spending.value("mlguard_cost_up") == 0
    assert "line_item_net_unblended_cost" in caplog.text
    spending.reload(basis="amortized")
    spending.tick()
    assert spending.value("mlguard_cost_up") == 1
    assert spending.value("mlguard_cost_settled_day_usd", project="shop") == 1
    assert spending.value("mlguard_cost_restated_days_total") == 0


@pytest.mark.parametrize(
    ("lines", "since"),
    [
        ([], "on any day that was read"),
        ([(NOW - timedelta(days=40)).replace(tzinfo=None)], "since 2027-05-01"),
    ],
)
def test_an_export_without_recent_charges_says_so(export, spending, caplog, lines, since):
    late = NOW + timedelta(days=9)
    export.deliver(cur_csv([Charge(start, "Usage") for start in lines]), late)
    spending.at(late).tick()
    assert spending.value("mlguard_cost_up") == 0
    absent = (
        f"spend is absent: the export is delivered, but holds no charge for usage {since};"
        " if there is spend, check of"
    )
    assert absent in caplog.text


def test_nothing_in_the_folder_is_no_success(export, spending, caplog):
    export.path.mkdir()
    spending.tick()
    assert spending.value("mlguard_cost_up") == 0
    assert "nothing is there, no manifest was found; correct the account's `export`" in caplog.text


def test_an_export_without_tags_is_logged(export, spending, caplog):
    export.deliver(cur_without("resource_tags"))
    spending.tick()
    assert spending.value("mlguard_cost_up") == 1
    assert spending.value("mlguard_cost_untagged_ratio") == 1
    assert "has no column of resource tags, and its spend counts as untagged" in caplog.text


def test_focus_of_another_spelling_of_usage_is_no_success(export, spending, caplog):
    row = billing.focus_cells(charge()) | {"ChargeCategory": "usage"}
    export.deliver(billing.pack(billing.csv_text([row], list(row))))
    spending.tick()
    assert spending.value("mlguard_cost_up") == 0
    assert "spend is absent: the export is delivered, but holds no charge for usage" in caplog.text
