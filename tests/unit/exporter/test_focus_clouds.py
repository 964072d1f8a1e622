"""FOCUS exports of several clouds: rows of the shapes that each of them writes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import time
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from support.billing import MonthFiles, arrow

from mlguard_exporter.config import TagsConfig
from mlguard_exporter.sources import SourceError
from mlguard_exporter.sources.aws.billing_export import BillingExportSource
from mlguard_exporter.spend import Basis, CostReport, Costs, CostSeries, Kind

pa, pq = arrow()
SEPTEMBER, OCTOBER = date(2024, 9, 1), date(2024, 10, 1)
D = Decimal


def cells(**changes) -> dict[str, object]:
    """A row of FOCUS 1.0: the columns that the specification requires, in its order."""
    return {
        "AvailabilityZone": None,
        "BilledCost": "0.25",
        "BillingAccountId": "/providers/Microsoft.Billing/billingAccounts/1",
        "BillingAccountName": "Contoso",
        "BillingCurrency": "USD",
        "BillingPeriodEnd": "2024-10-01T00:00:00Z",
        "BillingPeriodStart": "2024-09-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeDescription": "Standard_NC6s_v3, 1 hour",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": "2024-09-03T00:00:00Z",
        "ChargePeriodStart": "2024-09-02T00:00:00Z",
        "CommitmentDiscountId": None,
        "ConsumedQuantity": "1",
        "ConsumedUnit": "Hours",
        "ContractedCost": "0.25",
        "EffectiveCost": "0.2",
        "InvoiceIssuerName": "Microsoft",
        "ListCost": "0.3",
        "PricingCategory": "Standard",
        "ProviderName": "Microsoft",
        "PublisherName": "Microsoft",
        "RegionId": "westeurope",
        "ResourceId": "/subscriptions/1/endpoints/predict",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "Azure Machine Learning",
        "SkuId": "DZH318Z0BQ4B",
        "SubAccountId": "1",
        "Tags": None,
    } | changes


OURS = {"mlguard:project": "shop", "mlguard:model": "churn", "mlguard:endpoint": "predict"}
LABELS = {"mlguard_project": "shop", "mlguard-model": "churn", "mlguard_endpoint": "predict"}
"""Google's labels hold neither colons nor capitals."""
AZURE = cells(
    Tags=json.dumps(OURS | {"cost-center": 42, "spot": True}),
    ChargePeriodStart="2024-09-02T00:00Z",
    x_SkuMeterCategory="Virtual Machines",
    x_PricingCurrency="EUR",
)
GOOGLE = cells(
    BillingCurrency="EUR",
    ChargePeriodStart="2024-09-02 04:00:00 UTC",
    ProviderName="Google Cloud",
    ServiceName="Vertex AI",
    Tags=json.dumps([{"key": k, "value": v} for k, v in LABELS.items()]),
)
ORACLE = cells(
    ChargePeriodStart="2024-09-02T04:00Z", ServiceName="DATA_SCIENCE", Tags=json.dumps(OURS)
)
ROWS = {"Azure": AZURE, "Google": GOOGLE, "Oracle": ORACLE}


def read(folder, content: bytes, suffix: str, basis: Basis = Basis.UNBLENDED):
    def put(name: str, data: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    MonthFiles(put, SEPTEMBER, suffix=suffix).write(content)
    source = BillingExportSource(str(folder), TagsConfig(), basis, str)
    (report,) = source.read(SEPTEMBER, OCTOBER, ())
    ((day, costs),) = report.days.items()
    assert day == date(2024, 9, 2)
    return dict(costs)


def as_csv(*rows: dict[str, object]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode())


@pytest.mark.parametrize("cloud", ROWS)
def test_rows_of_each_cloud_have_owners_services_and_currencies(tmp_path, cloud):
    row = ROWS[cloud]
    tax = row | {"ChargeCategory": "Tax", "BilledCost": "-1.5", "EffectiveCost": "-1.5"}
    costs, currency = Costs(D("0.25"), D("0.2"), None), row["BillingCurrency"]
    assert read(tmp_path, as_csv(row, tax), ".csv.gz") == {
        CostSeries(Kind.OWNER, "shop", "churn", "predict", currency=currency): costs,
        CostSeries(Kind.SERVICE, name=row["ServiceName"], currency=currency): costs,
        CostSeries(Kind.OTHER, name="Tax", currency=currency): Costs(D("-1.5"), D("-1.5"), None),
    }


@pytest.mark.parametrize("empty", ["", "NULL", "null", "{}", "[]"])
def test_rows_without_tags_count_as_untagged(tmp_path, empty):
    found = read(tmp_path, as_csv(AZURE | {"Tags": empty}), ".csv.gz")
    assert found[CostSeries(Kind.OWNER)].unblended == D("0.25")


def test_usage_whose_service_has_no_name_counts_for_its_category(tmp_path):
    found = read(tmp_path, as_csv(AZURE | {"ServiceName": ""}), ".csv.gz")
    assert CostSeries(Kind.SERVICE, name="AI and Machine Learning") in found


def as_parquet(tags, cost) -> bytes:
    row = AZURE | {"ChargePeriodStart": datetime(2024, 9, 2, 4, tzinfo=UTC)}
    table = pa.table({name: [value] * len(tags) for name, value in row.items() if name != "Tags"})
    place = table.schema.get_field_index("BilledCost")
    table = table.set_column(place, "BilledCost", cost).append_column("Tags", tags)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


PAIRS = list(OURS.items())
STRUCT = pa.struct([(name, pa.string()) for name in (*OURS, "other")])
ENTRY = pa.struct([("key", pa.string()), ("value", pa.string())])
TYPED = {
    "map": pa.array([PAIRS, None], pa.map_(pa.string(), pa.string())),
    "struct": pa.array([OURS | {"other": None}, None], STRUCT),
    "struct with numbers": pa.array(
        [OURS | {"a": 1, "b": True}, None],
        pa.struct([*((name, pa.string()) for name in OURS), ("a", pa.int64()), ("b", pa.bool_())]),
    ),
    "list of keys and values": pa.array(
        [[{"key": k, "value": v} for k, v in PAIRS], None], pa.list_(ENTRY)
    ),
    "JSON": pa.array([json.dumps(OURS), None], pa.string()),
}
COSTS = {
    "double": pa.array([0.25, 0.75], pa.float64()),
    "decimal": pa.array([D("0.25"), D("0.75")], pa.decimal128(38, 18)),
}


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("kind", TYPED)
def test_tags_in_parquet_may_be_a_map_a_struct_a_list_or_json(tmp_path, kind, cost):
    content = as_parquet(TYPED[kind], COSTS[cost])
    found = read(tmp_path, content, ".parquet")
    owners = {s[1:4]: c.unblended for s, c in found.items() if s.kind is Kind.OWNER}
    assert owners == {("shop", "churn", "predict"): D("0.25"), ("", "", ""): D("0.75")}


def test_numbers_and_truth_in_a_struct_are_texts(tmp_path):
    kind = pa.struct([("mlguard:project", pa.int64()), ("mlguard:model", pa.bool_())])
    tags = pa.array([{"mlguard:project": 7, "mlguard:model": True}], kind)
    found = read(tmp_path, as_parquet(tags, pa.array([0.25])), ".parquet")
    assert CostSeries(Kind.OWNER, "7", "true") in found


def test_amounts_that_commitments_spread_are_those_of_effective_cost(tmp_path):
    found = read(tmp_path, as_csv(AZURE), ".csv.gz", Basis.AMORTIZED)
    assert found[CostSeries(Kind.OWNER, "shop", "churn", "predict")].amortized == D("0.2")


def test_the_layout_that_the_manual_gives_for_other_clouds_is_read(tmp_path):
    data = tmp_path / "data/BILLING_PERIOD=2024-09/part-1.parquet"
    manifest = tmp_path / "metadata/BILLING_PERIOD=2024-09/Manifest.json"
    for path in (data, manifest):
        path.parent.mkdir(parents=True)
    data.write_bytes(as_parquet(TYPED["struct"], COSTS["double"]))
    manifest.write_text('{"dataFiles": ["data/BILLING_PERIOD=2024-09/part-1.parquet"]}')
    source = BillingExportSource(str(tmp_path), TagsConfig(), Basis.UNBLENDED, str)
    reports = source.read(SEPTEMBER, OCTOBER, ())
    assert list(next(reports).days) == [date(2024, 9, 2)]


class AzureExport:
    """A folder as Azure Cost Management fills it: a folder for each run of each month."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.clock = time.time() - 10_000

    def put(self, name: str, content: bytes) -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.clock += 1
        os.utime(target, (self.clock, self.clock))

    def run(self, run: str, *files: bytes, period: str = "20240901-20240930") -> None:
        names = [f"{period}/{run}/part_{n}_0001.csv.gz" for n in range(len(files))]
        for name, content in zip(names, files, strict=True):
            self.put(name, content)
        manifest = {
            "manifestVersion": "2024-04-01",
            "blobCount": len(names),
            "exportConfig": {"exportName": "costs", "type": "FocusCost", "dataVersion": "1.0"},
            "runInfo": {"runId": run, "startDate": "2024-09-01T00:00:00"},
            "blobs": [
                {"blobName": f"exports/costs/{name}", "byteCount": 1, "dataRowCount": 1}
                for name in names
            ],
        }
        self.put(f"{period}/{run}/manifest.json", json.dumps(manifest).encode())

    def read(self, folder=None) -> list[CostReport]:
        source = BillingExportSource(str(folder or self.folder), TagsConfig(), Basis.UNBLENDED, str)
        return list(source.read(date(2024, 8, 1), OCTOBER, ()))


@pytest.fixture
def azure(tmp_path):
    return AzureExport(tmp_path / "container/costs")


def total(report: CostReport) -> Decimal:
    return sum(
        costs.unblended
        for day in report.days.values()
        for series, costs in day.items()
        if series.kind is Kind.OWNER
    )


def test_the_newest_run_of_each_month_of_azure_is_read(azure):
    azure.run("run-b", as_csv(AZURE), as_csv(AZURE, AZURE))
    azure.run("run-a", as_csv(AZURE))
    azure.run("run-c", as_csv(AZURE, AZURE), period="20240801-20240831")
    august, september = azure.read()
    assert (august.first, total(august)) == (date(2024, 8, 1), D("0.5"))
    assert (september.first, total(september)) == (SEPTEMBER, D("0.25"))
    azure.run("run-d", as_csv(AZURE), as_csv(AZURE, AZURE))
    assert total(azure.read()[1]) == D("0.75")
    assert total(azure.read(azure.folder.parent)[1]) == D("0.75")


@pytest.mark.parametrize("period", ["20240901-20240915", "20240905-20240930", "20241301-20241331"])
def test_periods_of_azure_that_are_no_months_are_not_read(azure, period):
    azure.run("run-a", as_csv(AZURE))
    azure.run("run-b", as_csv(AZURE, AZURE), period=period)
    (september,) = azure.read()
    assert total(september) == D("0.25")


@pytest.mark.parametrize("name", ["../../secrets.csv", "20240901-20240930/../../x.csv", "x.csv"])
def test_a_manifest_of_azure_names_files_of_the_export_only(azure, name):
    azure.put(
        "20240901-20240930/run/manifest.json", json.dumps({"blobs": [{"blobName": name}]}).encode()
    )
    with pytest.raises(SourceError, match=r"expected \.\.\./YYYYMMDD-YYYYMMDD/\.\.\."):
        azure.read()


@pytest.mark.parametrize("blobs", [None, [], [{}], ["x"], [{"blobName": 1}]])
def test_a_manifest_of_azure_that_names_nothing_is_an_error(azure, blobs):
    azure.put("20240901-20240930/run/manifest.json", json.dumps({"blobs": blobs}).encode())
    with pytest.raises(SourceError, match=r"manifest.json (has no blobs|names no data files)"):
        azure.read()


def test_an_export_of_azure_that_has_stopped_is_reported(azure):
    azure.clock -= 4 * 86_400
    azure.run("run-a", as_csv(AZURE))
    with pytest.raises(SourceError, match=r"nothing new is there.*in the Azure portal"):
        azure.read()
