"""Billing exports in a folder: which months are read, from which files, and which are not."""

from __future__ import annotations

import os
import random
import shutil
import time
from datetime import date, datetime
from decimal import Decimal

import pytest
from support.billing import COLUMNS, Charge, MonthFiles, charges, cur_csv, pack

from mlguard_exporter.config import TagsConfig
from mlguard_exporter.sources import SourceError
from mlguard_exporter.sources.aws.billing_export import BillingExportSource
from mlguard_exporter.spend import Basis, CostReport, CostSeries, Kind

FEBRUARY, MARCH, APRIL = date(2024, 2, 1), date(2024, 3, 1), date(2024, 4, 1)
ONE = Charge(datetime(2024, 3, 7, 5), "Usage", unblended=Decimal("0.1"))  # noqa: DTZ001


def no_client(service: str):
    raise AssertionError(f"a client of {service} was made for a folder")


class Folder:
    """An export in a folder; every file is older than the one that is written after it."""

    def __init__(self, path):
        self.path = path
        self.clock = time.time() - 10_000

    def put(self, name: str, content: bytes) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.clock += 1
        os.utime(file, (self.clock, self.clock))

    def month(self, month: date = MARCH, **form) -> MonthFiles:
        return MonthFiles(self.put, month, **form)

    def read(
        self, known=(), first=MARCH, end=APRIL, path=None, basis=Basis.UNBLENDED, **tags
    ) -> list[CostReport]:
        source = BillingExportSource(str(path or self.path), TagsConfig(**tags), basis, no_client)
        return list(source.read(first, end, known))

    def refused(self, **asked) -> str:
        with pytest.raises(SourceError) as caught:
            self.read(**asked)
        message = str(caught.value)
        assert "\n" not in message
        return message


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "spend")


def test_an_export_that_has_stopped_is_read_and_reported(folder):
    folder.clock -= 3 * 86_400
    folder.month().write(cur_csv([ONE]))
    source = BillingExportSource(str(folder.path), TagsConfig(), Basis.UNBLENDED, no_client)
    readings = source.read(MARCH, APRIL, ())
    assert next(readings).as_of == pytest.approx(folder.clock)
    with pytest.raises(SourceError, match=r"nothing new is there: 2024-03 was delivered at .* UTC"):
        next(readings)


def total(reading: CostReport) -> Decimal:
    services = [
        costs.unblended
        for day in reading.days.values()
        for series, costs in day.items()
        if series.kind is Kind.SERVICE
    ]
    return sum(services, Decimal(0))


def test_a_month_is_read_by_its_manifest(folder):
    folder.month().write(cur_csv([ONE]), cur_csv([ONE, ONE]))
    (reading,) = folder.read()
    assert (reading.first, reading.end) == (MARCH, APRIL)
    day = reading.days[date(2024, 3, 7)]
    assert day[CostSeries(Kind.SERVICE, name="AmazonSageMaker")].unblended == Decimal("0.3")
    assert day[CostSeries(Kind.OWNER)].unblended == Decimal("0.3")
    assert set(reading.days) == {date(2024, 3, 7)}


def test_data_without_a_manifest_is_not_read(folder):
    delivery = folder.month()
    names = delivery.write_data([cur_csv([ONE])])
    message = folder.refused()
    assert "no manifest was found" in message
    assert str(folder.path) in message
    delivery.write_manifest(names)
    assert len(folder.read()) == 1
    folder.month(FEBRUARY).write_data([cur_csv([ONE])])
    assert [r.first for r in folder.read(first=FEBRUARY)] == [MARCH]


def test_a_folder_of_files_without_any_manifest_is_reported(folder):
    folder.put("march.csv.gz", cur_csv([ONE]))
    assert "no manifest was found" in folder.refused()
    assert "data/ and metadata/" in folder.refused()


def test_files_that_the_manifest_does_not_name_do_not_count(folder):
    delivery = folder.month()
    names = delivery.write_data([cur_csv([ONE]), cur_csv([ONE]), b"rubbish"])
    delivery.write_manifest(names[:1])
    (reading,) = folder.read()
    assert total(reading) == Decimal("0.1")


def test_the_folder_may_be_the_one_that_holds_the_export(folder):
    folder.month().write(cur_csv([ONE]))
    (folder.path.parent / "notes").mkdir()
    assert folder.read(path=folder.path.parent)[0].days == folder.read()[0].days
    assert folder.read(path=f"{folder.path}/")[0].days == folder.read()[0].days


def test_two_exports_are_not_added_up(folder):
    folder.month().write(cur_csv([ONE]))
    shutil.copytree(folder.path, folder.path.parent / "focus")
    message = folder.refused(path=folder.path.parent)
    assert "focus, spend" in message
    assert "twice" in message


def test_a_folder_that_is_not_there_is_reported(folder):
    assert f"{folder.path} cannot be read: No such file" in folder.refused()


def test_only_months_that_overlap_are_read(folder):
    for month in (FEBRUARY, MARCH, APRIL):
        folder.month(month).write(cur_csv([ONE]))
    asked = {
        (date(2024, 2, 29), MARCH): [FEBRUARY],
        (date(2024, 2, 29), date(2024, 3, 2)): [FEBRUARY, MARCH],
        (MARCH, APRIL): [MARCH],
        (date(2024, 5, 1), date(2024, 6, 1)): [],
        (date(2023, 1, 1), date(2025, 1, 1)): [FEBRUARY, MARCH, APRIL],
    }
    for (first, end), months in asked.items():
        assert [r.first for r in folder.read(first=first, end=end)] == months


def test_december_ends_with_the_year(folder):
    folder.month(date(2023, 12, 1)).write(cur_csv([ONE]))
    (reading,) = folder.read(first=date(2023, 12, 31), end=date(2024, 1, 2))
    assert (reading.first, reading.end) == (date(2023, 12, 1), date(2024, 1, 1))


def test_what_is_known_is_not_read_again(folder):
    delivery = folder.month()
    names = delivery.write_data([cur_csv([ONE])])
    delivery.write_manifest(names)
    (reading,) = folder.read()
    assert folder.read([reading.version]) == []
    status = (folder.path / names[0]).stat()
    (folder.path / names[0]).write_bytes(b"x" * status.st_size)  # would fail if it were read
    os.utime(folder.path / names[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert folder.read([reading.version]) == []
    assert "Not a gzipped file" in folder.refused()


def test_a_restated_month_is_read_again_and_replaces_the_first(folder):
    folder.month(FEBRUARY).write(cur_csv([ONE]))
    folder.month().write(cur_csv([ONE, ONE]))
    known = {r.version for r in folder.read(first=FEBRUARY)}
    folder.month().write(cur_csv([ONE]))
    (reading,) = folder.read(known, first=FEBRUARY)
    assert (reading.first, total(reading)) == (MARCH, Decimal("0.1"))
    assert reading.version not in known


def test_a_file_that_is_replaced_under_the_same_manifest_is_read_again(folder):
    delivery = folder.month()
    names = delivery.write_data([cur_csv([ONE])])
    delivery.write_manifest(names)
    known = [r.version for r in folder.read()]
    delivery.write_data([cur_csv([ONE, ONE])])
    (reading,) = folder.read(known)
    assert total(reading) == Decimal("0.2")


def test_other_tags_have_a_month_read_again(folder):
    folder.month().write(cur_csv([ONE]))
    known = [r.version for r in folder.read()]
    assert folder.read(known) == []
    assert len(folder.read(known, project="team")) == 1


def test_a_delivery_under_way_is_waited_for(folder):
    folder.month().write(cur_csv([ONE]))
    folder.clock = time.time() - 60
    names = folder.month().write_data([cur_csv([ONE, ONE])])
    assert "a delivery seems to be under way" in folder.refused()
    folder.month().write_manifest(names)
    assert total(folder.read()[0]) == Decimal("0.2")


def test_of_deliveries_that_are_kept_the_newest_counts(folder):
    for i, execution in enumerate(("20240303T0-z", "20240305T0-a", "20240304T0-c")):
        folder.month(execution=execution).write(cur_csv([ONE] * (i + 1)))
    (reading,) = folder.read()
    assert total(reading) == Decimal("0.3")
    assert folder.read([reading.version]) == []


def test_the_manifest_of_the_month_counts_before_those_of_its_deliveries(folder):
    names = folder.month(execution="20240305T0-b").write_data([cur_csv([ONE, ONE])])
    folder.month().write_manifest(names)
    folder.month(execution="20240305T0-b").write_manifest(names)
    folder.month(execution="20240303T0-a").write(cur_csv([ONE]))
    (reading,) = folder.read()
    assert total(reading) == Decimal("0.2")


@pytest.mark.parametrize("partition", ["BILLING_PERIOD", "billing_period"])
@pytest.mark.parametrize(
    "bucket", ["s3://other/a/b/c", "billing/x", "/spend", "s3://billing/data/metadata/data"]
)
def test_names_in_manifests_are_found_wherever_the_export_was_copied(folder, partition, bucket):
    folder.month(partition=partition, bucket=bucket).write(cur_csv([ONE]))
    assert total(folder.read()[0]) == Decimal("0.1")


def test_a_missing_file_is_an_error_of_its_month_alone(folder):
    for month in (FEBRUARY, MARCH, APRIL):
        folder.month(month).write(cur_csv([ONE]), cur_csv([ONE]))
    missing = folder.path / folder.month(FEBRUARY).names(2)[1]
    missing.unlink()
    source = BillingExportSource(str(folder.path), TagsConfig(), Basis.UNBLENDED, no_client)
    given = []
    with pytest.raises(SourceError, match="which is missing") as caught:
        given.extend(r.first for r in source.read(FEBRUARY, date(2024, 5, 1), ()))
    assert str(missing) in str(caught.value)
    assert given == [MARCH, APRIL]


def test_several_months_at_fault_are_reported_in_one_line(folder):
    for month in (FEBRUARY, MARCH, APRIL):
        folder.month(month).write(b"rubbish")
    message = folder.refused(first=FEBRUARY, end=date(2024, 5, 1))
    assert "2024-02" in message
    assert "(and 2 more months)" in message


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "has no dataFiles"),
        (b'{"dataFiles": "x"}', "has no dataFiles"),
        (b'{"dataFiles": [1]}', "has no dataFiles"),
        (b'{"dataFiles": []}', "names no data files"),
        (b'{"dataFiles": ["s3://b/p/spend-1.csv.gz"]}', "'s3://b/p/spend-1.csv.gz'; expected"),
        (b'{"dataFiles": ["data/BILLING_PERIOD=2024-03/../../../x.csv"]}', "expected ..."),
        (
            b'{"dataFiles": ["data/BILLING_PERIOD=2024-03/a", "data/BILLING_PERIOD=2024-03/a"]}',
            "names a file twice",
        ),
    ],
)
def test_a_manifest_that_cannot_be_understood_is_reported(folder, manifest, said):
    folder.month().write(cur_csv([ONE]))
    folder.put("metadata/BILLING_PERIOD=2024-03/spend-Manifest.json", manifest)
    message = folder.refused()
    assert said in message
    assert "spend-Manifest.json" in message


def test_what_is_no_month_is_passed_over(folder):
    folder.month().write(cur_csv([ONE]))
    for name in ("BILLING_PERIOD=2024-13", "BILLING_PERIOD=2024-00", "date=2024-03"):
        folder.put(f"metadata/{name}/spend-Manifest.json", b"rubbish")
    folder.put("metadata/BILLING_PERIOD=2024-03/spend.json", b"rubbish")
    assert len(folder.read(first=date(2023, 1, 1), end=date(2026, 1, 1))) == 1


@pytest.mark.parametrize("kept", [2, 10, 400, -9, -8, -1])
def test_a_file_that_is_cut_is_never_half_a_month(folder, kept):
    rng = random.Random(5)
    whole = cur_csv(charges(rng, MARCH, 50))
    folder.month().write(cur_csv([ONE]), whole[:kept])
    message = folder.refused()
    assert "spend-00002.csv.gz" in message
    assert "it ends too early" in message


def test_a_file_with_a_flipped_bit_is_reported(folder):
    whole = bytearray(cur_csv(charges(random.Random(5), MARCH, 50)))
    whole[-6] ^= 4
    folder.month().write(bytes(whole))
    assert "CRC check failed" in folder.refused()


def test_an_empty_file_is_reported(folder):
    folder.month().write(pack(""))
    assert "it is empty; expected a line with the names" in folder.refused()
    folder.month().write(b"")
    assert "it is empty; expected a line with the names" in folder.refused()


def test_a_month_without_lines_is_a_month_without_spend(folder):
    folder.month().write(cur_csv([]))
    (reading,) = folder.read()
    assert reading.days == {}
    assert reading.version


def test_files_need_not_be_packed(folder):
    import gzip

    folder.month(suffix=".csv").write(gzip.decompress(cur_csv([ONE])))
    assert total(folder.read()[0]) == Decimal("0.1")


def test_other_kinds_of_files_are_reported(folder):
    folder.month(suffix=".csv.zip").write(b"PK")
    assert "expected a name that ends in .csv.gz, .csv or .parquet" in folder.refused()


def test_names_that_lead_nowhere_are_passed_over(folder):
    folder.month().write(cur_csv([ONE]))
    for name in ("metadata/BILLING_PERIOD=2024-03/.sync", "data/BILLING_PERIOD=2024-03/.sync"):
        (folder.path / name).symlink_to("nowhere")
    assert total(folder.read()[0]) == Decimal("0.1")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read_is_reported(folder):
    folder.month().write(cur_csv([ONE]))
    (folder.path / folder.month().names(1)[0]).chmod(0)
    assert "Permission denied" in folder.refused()


def without(column: str) -> bytes:
    return cur_csv([ONE], [name for name in COLUMNS if name != column])


NET = "line_item_net_unblended_cost"


def test_months_before_a_column_was_added_are_left_out_and_logged(folder, caplog):
    folder.month(FEBRUARY).write(without(NET))
    folder.month().write(cur_csv([ONE]))
    asked = {"first": FEBRUARY, "basis": Basis.NET_UNBLENDED}
    (reading,) = folder.read(**asked)
    assert reading.first == MARCH
    assert folder.read([reading.version], **asked) == []
    assert caplog.text.count(f"2024-02 is left out: {folder.path}/data/") == 2
    assert NET in caplog.text


def test_the_newest_month_without_the_basis_is_an_error(folder):
    folder.month(FEBRUARY).write(cur_csv([ONE]))
    folder.month().write(without(NET))
    assert NET in folder.refused(first=FEBRUARY, basis=Basis.NET_UNBLENDED)


def test_another_basis_has_a_month_read_again(folder):
    folder.month().write(without(NET))
    known = [r.version for r in folder.read()]
    assert folder.read(known) == []
    assert NET in folder.refused(known=known, basis=Basis.NET_UNBLENDED)


@pytest.mark.parametrize("month", ["0000-05", "9999-12"])
def test_a_folder_of_a_year_that_cannot_be_is_no_month(folder, month):
    folder.month().write(cur_csv([ONE]))
    folder.put(f"metadata/BILLING_PERIOD={month}/spend-Manifest.json", b"{}")
    assert len(folder.read()) == 1
