"""Random lines of a bill, written as every kind of export that AWS delivers."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

Put = Callable[[str, bytes], object]
"""Writes a file by its name."""

SERVICES = {
    "AmazonSageMaker": "Amazon SageMaker",
    "AmazonEC2": "Amazon Elastic Compute Cloud",
    "AmazonS3": "Amazon Simple Storage Service",
    "AWSDataTransfer": "AWS Data Transfer",
    "AmazonEKS": "Amazon Elastic Container Service for Kubernetes",
}
CATEGORIES = {
    "Usage": "Usage",
    "DiscountedUsage": "Usage",
    "SavingsPlanCoveredUsage": "Usage",
    "SavingsPlanNegation": "Usage",
    "RIFee": "Purchase",
    "SavingsPlanRecurringFee": "Purchase",
    "SavingsPlanUpfrontFee": "Purchase",
    "Fee": "Purchase",
    "Tax": "Tax",
    "Credit": "Credit",
    "Refund": "Adjustment",
    "EdpDiscount": "Credit",
}
"""FOCUS's ChargeCategory of each type of line."""
SPREAD = (
    "savings_plan_savings_plan_effective_cost",
    "reservation_effective_cost",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_recurring_fee",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
)
"""Amounts of which the amortized cost is made."""
PROJECTS = ("churn", "fraud$eu", "Prognose-Süd", "推薦", "a=b,c;\"d'", "ranking  ", "$", "Churn")
ENDPOINTS = tuple(f"endpoint-{i}" for i in range(12))
_NAMES = """
bill_bill_type bill_billing_entity bill_billing_period_end_date bill_billing_period_start_date
bill_invoice_id bill_invoicing_entity bill_payer_account_id bill_payer_account_name cost_category
discount discount_bundled_discount discount_total_discount identity_line_item_id
identity_time_interval line_item_availability_zone line_item_blended_cost line_item_blended_rate
line_item_currency_code line_item_legal_entity line_item_line_item_description
line_item_line_item_type line_item_net_unblended_cost line_item_net_unblended_rate
line_item_normalization_factor line_item_normalized_usage_amount line_item_operation
line_item_product_code line_item_resource_id line_item_tax_type line_item_unblended_cost
line_item_unblended_rate line_item_usage_account_id line_item_usage_account_name
line_item_usage_amount line_item_usage_end_date line_item_usage_start_date line_item_usage_type
pricing_currency pricing_lease_contract_length pricing_offering_class
pricing_public_on_demand_cost pricing_public_on_demand_rate pricing_purchase_option
pricing_rate_code pricing_rate_id pricing_term pricing_unit product product_comment
product_fee_code product_fee_description product_from_location product_from_location_type
product_from_region_code product_instance_family product_instance_type product_instancesku
product_location product_location_type product_operation product_pricing_unit
product_product_family product_region_code product_servicecode product_sku product_to_location
product_to_location_type product_to_region_code product_usagetype
reservation_amortized_upfront_cost_for_usage reservation_amortized_upfront_fee_for_billing_period
reservation_availability_zone reservation_effective_cost reservation_end_time
reservation_modification_status reservation_net_amortized_upfront_cost_for_usage
reservation_net_effective_cost reservation_normalized_units_per_reservation
reservation_number_of_reservations reservation_recurring_fee_for_usage
reservation_reservation_a_r_n reservation_start_time reservation_subscription_id
reservation_total_reserved_normalized_units reservation_total_reserved_units
reservation_units_per_reservation reservation_unused_amortized_upfront_fee_for_billing_period
reservation_unused_normalized_unit_quantity reservation_unused_quantity
reservation_unused_recurring_fee reservation_upfront_value resource_tags
savings_plan_amortized_upfront_commitment_for_billing_period savings_plan_end_time
savings_plan_instance_type_family savings_plan_offering_type savings_plan_payment_option
savings_plan_purchase_term savings_plan_recurring_commitment_for_billing_period
savings_plan_region savings_plan_savings_plan_a_r_n savings_plan_savings_plan_effective_cost
savings_plan_savings_plan_rate savings_plan_start_time savings_plan_total_commitment_to_date
savings_plan_used_commitment
"""
COLUMNS = tuple(_NAMES.split())
"""Those of CUR 2.0, as it is selected by default."""


@dataclass(frozen=True)
class Charge:
    """One line of a bill.

    Attributes:
        start: when it begins, UTC.
        kind: line_item_line_item_type.
        service: product_servicecode.
        unblended: as billed.
        net: after discounts; None is an empty cell.
        currency: of all amounts.
        spread: amounts by columns of SPREAD.
        arn: of a reservation, or empty.
        tags: as users gave them.
    """

    start: datetime
    kind: str
    service: str = "AmazonSageMaker"
    unblended: Decimal = Decimal(1)
    net: Decimal | None = None
    currency: str = "USD"
    spread: dict[str, Decimal] = field(default_factory=dict)
    arn: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def effective(self) -> Decimal:
        """The amortized cost as FOCUS has it ready, a double."""
        first, second, third, fourth, total, used = (self.spread.get(c, Decimal(0)) for c in SPREAD)
        spread = {
            "SavingsPlanCoveredUsage": first,
            "DiscountedUsage": second,
            "RIFee": third + fourth,
            "SavingsPlanRecurringFee": total - used,
            "SavingsPlanNegation": Decimal(0),
            "SavingsPlanUpfrontFee": Decimal(0),
        }
        if self.kind == "Fee" and self.arn:
            return Decimal(0)
        return Decimal(repr(float(spread.get(self.kind, self.unblended))))


def charges(
    rng: random.Random, month: date, count: int, currencies: Sequence[str] = ("USD",)
) -> Iterator[Charge]:
    """Lines of a billing month, a few of which begin outside of it."""
    kinds = list(CATEGORIES)
    begin = datetime(month.year, month.month, 1)  # noqa: DTZ001
    for _ in range(count):
        kind = rng.choices(kinds, [20, 3, 3, 3] + [1] * (len(kinds) - 4))[0]
        hours = rng.randrange(28 * 24) if rng.random() < 0.98 else rng.choice((-1, 800, -2000))
        unblended = amount(rng)
        if kind in ("Credit", "Refund", "EdpDiscount", "SavingsPlanNegation"):
            unblended = -unblended
        yield Charge(
            begin + timedelta(hours=hours),
            kind,
            rng.choice(list(SERVICES)),
            unblended,
            None if rng.random() < 0.3 else amount(rng),
            rng.choice(currencies),
            {column: amount(rng) for column in SPREAD},
            "arn:aws:ec2:eu-west-1:1:reserved-instances/r" if rng.random() < 0.5 else "",
            tags(rng),
        )


def amount(rng: random.Random) -> Decimal:
    """At most 15 digits, which a double keeps; some tiny, some large, some written with an E."""
    digits = rng.choice((2, 6, 10, 12))
    value = Decimal(rng.randrange(10 ** rng.choice((1, 6, 12)))).scaleb(-digits)
    return Decimal(repr(float(value)))


def tags(rng: random.Random) -> dict[str, str]:
    """None, some or all three, under our keys or as labels, among others."""
    found = {"Name": f"host-{rng.randrange(500)}", "mlguard:projects": "another"}
    form = rng.choice(("none", "ours", "ours", "ours", "label", "both"))
    given = {
        "project": rng.choice(PROJECTS),
        "model": f"model/{rng.randrange(5)}",
        "endpoint": rng.choice(ENDPOINTS),
    }
    if form in ("ours", "both"):
        found |= {f"mlguard:{key}": v for key, v in given.items() if rng.random() < 0.9}
    if form in ("label", "both"):
        found |= {f"mlguard.io/{key}": f"{v}-k8s" for key, v in given.items() if rng.random() < 0.9}
    return found


def key_cur(key: str) -> str:
    """A tag's key in the column resource_tags."""
    return "user_" + "".join(c.lower() if c.isalnum() else "_" for c in key)


def key_long(key: str) -> str:
    """A tag's key in the column tags."""
    return f"resourceTags/{key}"


def key_user(key: str) -> str:
    """A tag's key in older reports, and in FOCUS."""
    return f"user:{key}"


def cur_cells(charge: Charge, key: Callable[[str], str] = key_cur) -> dict[str, object]:
    """A line of CUR 2.0: amounts are Decimal, times datetime, maps dict; None is nothing."""
    hour = charge.start
    return {
        "line_item_usage_start_date": hour,
        "line_item_usage_end_date": hour + timedelta(hours=1),
        "line_item_line_item_type": charge.kind,
        "line_item_currency_code": charge.currency,
        "line_item_unblended_cost": charge.unblended,
        "line_item_net_unblended_cost": charge.net,
        "line_item_product_code": charge.service,
        "product_servicecode": charge.service,
        "product": {"product_name": SERVICES[charge.service], "region": "EU (Ireland)"},
        "reservation_reservation_a_r_n": charge.arn or None,
        "resource_tags": {key(k): v for k, v in charge.tags.items()},
        "bill_bill_type": "Anniversary",
        "bill_billing_entity": "AWS",
        "bill_payer_account_id": "123456789012",
        "identity_line_item_id": f"id{charge.unblended}",
        "identity_time_interval": f"{hour.isoformat()}Z/{hour.isoformat()}Z",
        "line_item_line_item_description": "$0.23 per Hour for ml.m5.xlarge, in\nEU (Ireland)",
        "line_item_resource_id": f"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/{hour:%d%H}",
        "line_item_usage_type": "EU-Host:ml.m5.xlarge",
        "line_item_operation": "RunInstance",
        "pricing_currency": charge.currency,
        "pricing_unit": "Hrs",
        "product_region_code": "eu-west-1",
        "discount": {},
        "cost_category": {},
        **charge.spread,
    }


def focus_cells(charge: Charge, key: Callable[[str], str] = key_user) -> dict[str, object]:
    """The same line as FOCUS has it."""
    return {
        "AvailabilityZone": None,
        "BilledCost": charge.unblended,
        "BillingCurrency": charge.currency,
        "ChargeCategory": CATEGORIES[charge.kind],
        "ChargeClass": "Correction" if charge.kind == "Refund" else None,
        "ChargePeriodStart": charge.start,
        "EffectiveCost": charge.effective,
        "ServiceName": SERVICES[charge.service],
        "Tags": {key(k): v for k, v in charge.tags.items()},
    }


def csv_text(rows: Iterable[dict[str, object]], columns: Sequence[str]) -> str:
    """Lines as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return text.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def cur_csv(lines: Iterable[Charge], columns: Sequence[str] = COLUMNS, **form) -> bytes:
    """A file of CUR 2.0 as gzip CSV."""
    return pack(csv_text((cur_cells(line, **form) for line in lines), columns))


def focus_csv(lines: Iterable[Charge], **form) -> bytes:
    """A file of FOCUS as gzip CSV."""
    rows = [focus_cells(line, **form) for line in lines]
    return pack(csv_text(rows, list(rows[0])))


def pack(text: str | bytes) -> bytes:
    """Compressed; the same each time."""
    return gzip.compress(text.encode() if isinstance(text, str) else text, 6, mtime=0)


def arrow():
    """The modules pyarrow and pyarrow.parquet."""
    if sys.modules.get("pandas") is None:  # the commands hide it, and pyarrow looks for it here
        sys.modules.pop("pandas", None)
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pa, pq


def parquet(rows: Sequence[dict[str, object]], columns: Sequence[str]) -> bytes:
    """Lines as Parquet, with the types that AWS gives: doubles, timestamps and maps."""
    pa, pq = arrow()
    arrays = {}
    for column in columns:
        values = [row.get(column) for row in rows]
        kinds = {type(value) for value in values} - {type(None)}
        if kinds == {Decimal}:
            floats = [None if value is None else float(value) for value in values]
            arrays[column] = pa.array(floats, pa.float64())
        elif kinds == {datetime}:
            arrays[column] = pa.array(values, pa.timestamp("ms", tz="UTC"))
        elif kinds == {dict}:
            pairs = [list(value.items()) for value in values]
            arrays[column] = pa.array(pairs, pa.map_(pa.string(), pa.string()))
        else:
            arrays[column] = pa.array(values, pa.string())
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays), sink, compression="snappy", row_group_size=500)
    return sink.getvalue()


def cur_parquet(lines: Iterable[Charge], columns: Sequence[str] = COLUMNS) -> bytes:
    """A file of CUR 2.0 as Parquet."""
    return parquet([cur_cells(line) for line in lines], columns)


def focus_parquet(lines: Iterable[Charge]) -> bytes:
    """A file of FOCUS as Parquet."""
    rows = [focus_cells(line) for line in lines]
    return parquet(rows, list(rows[0]))


@dataclass(frozen=True)
class MonthFiles:
    """One delivery of one month, laid out as AWS does.

    Attributes:
        put: writes a file by its name below the export's folder.
        month: any day of it.
        bucket: the address of the export's folder that the manifest names.
        execution: the folder of the delivery, where older ones are kept; else empty.
        partition: what AWS writes before the month, in capitals or not.
    """

    put: Put
    month: date
    bucket: str = "s3://billing/exports/spend"
    execution: str = ""
    partition: str = "BILLING_PERIOD"
    suffix: str = ".csv.gz"

    @property
    def _folder(self) -> str:
        parts = (f"{self.partition}={self.month:%Y-%m}", self.execution)
        return "/".join(part for part in parts if part)

    def names(self, count: int) -> list[str]:
        """Of the data files."""
        return [f"data/{self._folder}/spend-{i + 1:05}{self.suffix}" for i in range(count)]

    def write_data(self, files: Sequence[bytes]) -> list[str]:
        """Write the data files alone."""
        names = self.names(len(files))
        for name, content in zip(names, files, strict=True):
            self.put(name, content)
        return names

    def write_manifest(self, names: Iterable[str]) -> None:
        """Write the manifest, into the delivery's folder if it has one."""
        manifest = {
            "exportArn": "arn:aws:bcm-data-exports:us-east-1:123456789012:export/spend-1",
            "executionId": self.execution or "b7c1",
            "columns": [{"name": "line_item_unblended_cost", "type": "double"}],
            "dataFiles": [f"{self.bucket}/{name}" for name in names],
        }
        self.put(
            f"metadata/{self._folder}/spend-Manifest.json", json.dumps(manifest, indent=1).encode()
        )

    def write(self, *files: bytes) -> None:
        """Write data, and then the manifest."""
        self.write_manifest(self.write_data(files))
