"""`mlguard-exporter check` of billing exports in a folder: what is missing, and what to do."""

from __future__ import annotations

import os
from datetime import datetime, time, timedelta
from decimal import Decimal

import pytest
from support import billing
from support.aws import FakeAws
from support.billing import COLUMNS, Charge, MonthFiles, cur_csv, pack
from support.setup_command import Command

from mlguard_exporter.sources.aws.billing_export import sample

NAMES = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
NET, RESERVED = "line_item_net_unblended_cost", "reservation_effective_cost"


class Checked:
    """A folder that `check` is asked about."""

    def __init__(self, fake: FakeAws, folder) -> None:
        self.fake = fake
        self.folder = folder / "export"
        self.folder.mkdir()
        self.command = Command(fake, folder)
        self.basis()

    def basis(self, basis: str = "unblended") -> None:
        self.command.configure({"name": "main", "export": str(self.folder)}, basis=basis)

    def put(self, name: str, content: bytes = b"") -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def deliver(self, *files: bytes, suffix: str = ".csv.gz") -> None:
        MonthFiles(self.put, self.fake.today, suffix=suffix).write(*files)

    def charge(self, *names: str, kind: str = "Usage") -> Charge:
        start = datetime.combine(self.fake.today, time())
        return Charge(start, kind, unblended=Decimal(2), tags=dict.fromkeys(names, "x"))

    def without(self, *lacking: str) -> bytes:
        columns = [name for name in COLUMNS if name not in lacking]
        return cur_csv([self.charge(*NAMES)], columns)

    def __call__(self) -> str:
        """The report of an export that is not well."""
        run = self.command("check")
        assert (run.status, run.err) == (1, "")
        assert "All is well" not in run.out
        assert self.fake.count() == 0
        return run.out


@pytest.fixture
def export(tmp_path):
    with FakeAws() as fake:
        yield Checked(fake, tmp_path)


FILES = {
    "CUR": (cur_csv, ".csv.gz", "CUR 2.0"),
    "FOCUS": (billing.focus_csv, ".csv.gz", "FOCUS"),
    "CUR in Parquet": (billing.cur_parquet, ".parquet", "CUR 2.0"),
    "FOCUS in Parquet": (billing.focus_parquet, ".parquet", "FOCUS"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("basis", ["unblended", "amortized"])
def test_an_export_that_is_well(export, name, basis):
    make, suffix, form = FILES[name]
    export.basis(basis)
    lines = [export.charge(*NAMES), export.charge(), export.charge(kind="Tax")]
    export.deliver(make(lines * 2), make(lines), suffix=suffix)
    run = export.command("check")
    assert run == (0, run.out, "")
    assert f"ok       export: 1 month is there; the newest is {export.fake.today:%Y-%m}" in run.out
    assert f"can be read: {form}, with cost.basis {basis}" in run.out
    assert "ok       data: 9 rows of " in run.out
    for tag in NAMES:
        assert f"ok       tag {tag}: on 3 of 6 rows of usage" in run.out
    assert "All is well." in run.out


def test_parquet_is_read_by_a_process_of_its_own(export):
    export.deliver(billing.cur_parquet([export.charge(*NAMES)]), suffix=".parquet")
    run = export.command.in_a_process("check", "--config", str(export.command.config))
    assert run == (0, run.out, "")
    assert "ok       data: 1 row of " in run.out


def test_nothing_is_there(export):
    report = export()
    assert f"missing  export: {export.folder}: nothing is there" in report
    assert "1. Correct the account's `export`" in report


def test_an_export_that_has_stopped(export):
    export.deliver(cur_csv([export.charge(*NAMES)]))
    for file in export.folder.rglob("*Manifest.json"):
        os.utime(file, (1e9, 1e9))
    report = export()
    assert "missing  export: nothing new is there" in report
    assert "Data Exports" in report


@pytest.mark.parametrize(("lacking", "basis"), [(NET, "net_unblended"), (RESERVED, "amortized")])
def test_a_basis_that_the_export_does_not_carry(export, lacking, basis):
    export.basis(basis)
    export.deliver(export.without(lacking))
    report = export()
    assert f"cost.basis is {basis}, which needs {lacking}, and this CUR 2.0 export" in report
    assert "1. Add these columns to the export, or set cost.basis to unblended" in report
    export.basis()
    assert export.command("check").status == 0


def test_net_costs_of_focus(export):
    export.basis("net_unblended")
    export.deliver(billing.focus_csv([export.charge(*NAMES)]))
    report = export()
    assert f"which needs {NET}, and this FOCUS export lacks that" in report
    assert "or set cost.basis to unblended or amortized." in report


def test_no_currency(export):
    export.deliver(export.without("line_item_currency_code"))
    report = export()
    assert "missing  data: " in report
    assert "it lacks line_item_currency_code" in report
    assert "1. Add these columns to the export." in report


def test_no_tags(export):
    export.deliver(export.without("resource_tags"))
    report = export()
    assert "missing  tags: the export has no column of resource tags" in report
    assert "1. Include resource tags in the export" in report


def test_tags_that_nothing_carries(export):
    export.deliver(cur_csv([export.charge(NAMES[0])]))
    report = export()
    assert f"ok       tag {NAMES[0]}: on 1 of 1 rows of usage" in report
    assert f"missing  tag {NAMES[1]}: on 0 of 1 rows of usage\n" in report
    assert f"with {NAMES[1]} and {NAMES[2]}." in report


@pytest.mark.parametrize("lines", [[], ["Tax"]])
def test_no_usage(export, lines):
    export.deliver(cur_csv([export.charge(kind=kind) for kind in lines]))
    run = export.command("check")
    assert run == (0, run.out, "")
    assert f"unknown  data: no usage yet in {len(lines)} row" in run.out
    assert "1. Wait a day, if the month or the account is new." in run.out
    assert "All is well" not in run.out


@pytest.mark.parametrize("lines", [[], ["Credit"]])
def test_the_month_before_where_the_newest_has_no_usage_yet(export, lines):
    before = export.fake.today.replace(day=1) - timedelta(days=1)
    MonthFiles(export.put, before).write(cur_csv([export.charge(*NAMES)]))
    export.deliver(cur_csv([export.charge(kind=kind) for kind in lines]))
    run = export.command("check")
    assert run == (0, run.out, "")
    assert f"{before:%Y-%m}/spend-00001.csv.gz can be read" in run.out
    assert "All is well." in run.out


def test_a_small_file_without_tags_beside_a_large_one(export):
    export.deliver(cur_csv([export.charge(*NAMES)] * 1000), cur_csv([export.charge()]))
    run = export.command("check")
    assert run == (0, run.out, "")
    assert "ok       data: 1,001 rows of " in run.out
    assert "spend-00001.csv.gz and 1 more can be read" in run.out
    assert "on 1,000 of 1,001 rows of usage" in run.out


def test_tags_that_no_row_of_a_large_file_carries(export, monkeypatch):
    monkeypatch.setattr(sample, "MAX_ROWS", 10)
    export.deliver(cur_csv([export.charge()] * 20))
    run = export.command("check")
    assert run == (0, run.out, "")
    assert f"unknown  tag {NAMES[0]}: on 0 of 10 rows of usage that were read" in run.out
    assert "1. Tag what costs money" in run.out


def test_large_parquet_files_are_left_out(export, monkeypatch):
    lines = [export.charge(*NAMES)]
    large = billing.cur_parquet([export.charge(str(i)) for i in range(3000)])
    small = billing.cur_parquet(lines)
    monkeypatch.setattr(sample, "_MAX_PARQUET_BYTES", len(small))
    export.deliver(large, small, suffix=".parquet")
    assert "ok       data: 1 row of " in export.command("check").out
    monkeypatch.setattr(sample, "_MAX_PARQUET_BYTES", 1)
    assert "ok       data: 1 row of " in export.command("check").out


START, COST = "line_item_usage_start_date", "line_item_unblended_cost"


@pytest.mark.parametrize(
    ("column", "cells", "text"),
    [
        (START, ["1/11/2026"], "the charge begins at '1/11/2026'; expected a time"),
        (START, [""], "the charge begins at ''; expected a time"),
        (COST, ["1e-150", "1e150"], "an amount has too many digits"),
    ],
)
def test_rows_that_the_daemon_refuses(export, column, cells, text):
    good = billing.cur_cells(export.charge(*NAMES))
    rows = [good | {column: cell} for cell in cells]
    export.deliver(pack(billing.csv_text(rows, COLUMNS)))
    assert text in export()


@pytest.mark.parametrize("month", ["0000-05", "9999-12", "2026-13"])
def test_a_folder_that_is_of_no_month(export, month):
    export.deliver(cur_csv([export.charge(*NAMES)]))
    export.put(f"metadata/BILLING_PERIOD={month}/spend-Manifest.json", b"{}")
    run = export.command("check")
    assert run == (0, run.out, "")
    assert "1 month is there" in run.out


def test_a_row_that_cannot_be_read(export):
    good = billing.cur_cells(export.charge(*NAMES))
    bad = good | {"line_item_unblended_cost": "1,5"}
    export.deliver(pack(billing.csv_text([good, bad], COLUMNS)))
    report = export()
    what = "spend-00001.csv.gz, line 5: found '1,5'; expected an amount\n"
    advice = "1. Copy the file again, or have AWS deliver the month again:\n"
    assert report.count(what) == 2
    assert advice in report


def test_a_manifest_that_names_nothing(export):
    export.put(f"metadata/BILLING_PERIOD={export.fake.today:%Y-%m}/spend-Manifest.json", b"{}")
    what = "has no dataFiles; expected the manifest of an export with its files\n"
    report = export()
    assert report.count(what) == 2
    assert "1. Put this right:\n" in report


LEGACY = {
    "CSV": (
        "report/20240301-20240401/report-Manifest.json",
        "report/20240301-20240401/8c2e/report-00001.csv.gz",
    ),
    "CSV in folders": ("bills/2024/report/20240301-20240401/report-Manifest.json",),
    "Parquet": (
        "report/report/year=2024/month=3/report-00001.snappy.parquet",
        "report/cost_and_usage_data_status/cost_and_usage_data_status.parquet",
    ),
}


@pytest.mark.parametrize("name", LEGACY)
def test_a_tree_of_a_legacy_report(export, name):
    for each in LEGACY[name]:
        export.put(each)
    report = export()
    assert "this is a legacy Cost and Usage Report, which is not read" in report
    assert "1. Create an export of the type Standard data export (CUR 2.0), or FOCUS" in report


def test_files_of_something_else(export):
    export.put("20240301-20240331/part_0_0001.csv")
    report = export()
    assert "no manifest was found" in report
    assert "legacy" not in report
