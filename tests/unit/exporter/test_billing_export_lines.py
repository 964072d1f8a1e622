"""Lines of billing exports: what they cost, on which day, and whose they are."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from support import billing
from support.billing import COLUMNS, Charge, MonthFiles, charges, csv_text, cur_cells, cur_csv, pack

from mlguard_exporter.config import TagsConfig
from mlguard_exporter.sources import SourceError
from mlguard_exporter.sources.aws.billing_export import BillingExportSource
from mlguard_exporter.spend import Basis, Costs, CostSeries, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

MARCH, APRIL = date(2024, 3, 1), date(2024, 4, 1)
NOON = datetime(2024, 3, 7, 12)  # noqa: DTZ001
USAGE = ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "SavingsPlanNegation")
OURS = {"mlguard:project": "churn", "mlguard:model": "m", "mlguard:endpoint": "e"}


def source(
    path, *files: bytes, suffix: str = ".csv.gz", basis: Basis = Basis.UNBLENDED, **tags
) -> BillingExportSource:
    def put(name: str, content: bytes) -> None:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)

    MonthFiles(put, MARCH, suffix=suffix).write(*files)
    return BillingExportSource(str(path), TagsConfig(**tags), basis, str)


def days(path, *files: bytes, **form):
    (reading,) = source(path, *files, **form).read(MARCH, APRIL, ())
    return {day: dict(costs) for day, costs in reading.days.items()}


def refused(path, *files: bytes, **form) -> str:
    with pytest.raises(SourceError) as caught:
        days(path, *files, **form)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def one(path, charge: Charge, file=cur_csv, **form) -> dict[CostSeries, Costs]:
    (day,) = days(path, file([charge], **form)).values()
    return day


def owner(path, file: bytes, **tags) -> tuple[str, str, str]:
    (day,) = days(path, file, **tags).values()
    (found,) = [series for series in day if series.kind is Kind.OWNER]
    return found[1:4]


def summed(lines: Iterable[Charge], *, focus: bool = False):
    """The same sums by other means: fractions, one rule after another."""
    sums = defaultdict(lambda: defaultdict(lambda: [Fraction(0), Fraction(0), Fraction(0)]))
    for line in lines:
        day = min(max(line.start.date(), MARCH), date(2024, 3, 31))
        plan, reserved, unused, idle, total, used = (
            Fraction(line.spread[column]) for column in billing.SPREAD
        )
        billed = amortized = Fraction(line.unblended)
        if line.kind == "SavingsPlanCoveredUsage":
            amortized = plan
        elif line.kind == "DiscountedUsage":
            amortized = reserved
        elif line.kind == "RIFee":
            amortized = unused + idle
        elif line.kind == "SavingsPlanRecurringFee":
            amortized = total - used
        elif line.kind in ("SavingsPlanNegation", "SavingsPlanUpfrontFee") or (
            line.kind == "Fee" and line.arn
        ):
            amortized = Fraction(0)
        if focus:
            amortized = Fraction(line.effective)
        net = billed if line.net is None else Fraction(line.net)
        if line.kind in USAGE:
            name = billing.SERVICES[line.service] if focus else line.service
            values = [
                line.tags.get(f"mlguard:{key}") or line.tags.get(f"mlguard.io/{key}") or ""
                for key in ("project", "model", "endpoint")
            ]
            series = [
                CostSeries(Kind.OWNER, *values, currency=line.currency),
                CostSeries(Kind.SERVICE, name=name, currency=line.currency),
            ]
        else:
            name = billing.CATEGORIES[line.kind] if focus else line.kind
            series = [CostSeries(Kind.OTHER, name=name, currency=line.currency)]
        for each in series:
            costs = sums[day][each]
            for i, amount in enumerate((billed, amortized, net)):
                costs[i] += amount
    return {
        day: {s: (*costs[:2], None if focus else costs[2]) for s, costs in found.items()}
        for day, found in sums.items()
    }


def fractions(found):
    return {
        day: {
            s: tuple(None if c is None else Fraction(c) for c in costs) for s, costs in of.items()
        }
        for day, of in found.items()
    }


MORE_SEEDS = [pytest.param(seed, marks=pytest.mark.long) for seed in (7, 99)]


@pytest.fixture(scope="module", params=[20240301, *MORE_SEEDS])
def lines(request) -> list[Charge]:
    return list(charges(random.Random(request.param), MARCH, 4000, ("USD", "EUR", "CNY")))


def test_cur_adds_up_exactly(tmp_path, lines):
    found = days(tmp_path, cur_csv(lines[:1500]), cur_csv(lines[1500:]))
    assert fractions(found) == summed(lines)


def test_focus_adds_up_exactly(tmp_path, lines):
    found = days(tmp_path, billing.focus_csv(lines[:1500]), billing.focus_csv(lines[1500:]))
    assert fractions(found) == summed(lines, focus=True)


def test_parquet_is_the_same_as_csv(tmp_path, lines):
    cur, focus = billing.cur_parquet(lines), billing.focus_parquet(lines)
    assert days(tmp_path / "a", cur, suffix=".snappy.parquet") == days(
        tmp_path / "b", cur_csv(lines)
    )
    assert days(tmp_path / "c", focus, suffix=".parquet") == days(
        tmp_path / "d", billing.focus_csv(lines)
    )


def test_owners_and_services_are_the_same_money(tmp_path, lines):
    for day in days(tmp_path, cur_csv(lines)).values():
        for currency in ("USD", "EUR", "CNY"):
            of = {
                kind: [c for s, c in day.items() if s.kind is kind and s.currency == currency]
                for kind in (Kind.OWNER, Kind.SERVICE)
            }
            for i in range(3):
                owners, services = (
                    sum(Fraction(costs[i]) for costs in found) for found in of.values()
                )
                assert owners == services


def test_amounts_lose_no_digit(tmp_path):
    amounts = [Decimal("1e15"), Decimal("0.00000000000000000000123456789"), Decimal("-1e15")]
    lines = [Charge(NOON, "Usage", unblended=amount) for amount in amounts]
    (day,) = days(tmp_path, cur_csv(lines)).values()
    assert day[CostSeries(Kind.OWNER)].unblended == amounts[1]


D = Decimal
SPREAD = dict(zip(billing.SPREAD, map(D, (2, 3, 5, 7, 31, 11)), strict=True))


@pytest.mark.parametrize(
    ("kind", "arn", "amortized"),
    [
        ("Usage", "", 100),
        ("Usage", "arn", 100),
        ("SavingsPlanCoveredUsage", "", 2),
        ("DiscountedUsage", "arn", 3),
        ("SavingsPlanNegation", "", 0),
        ("RIFee", "arn", 12),
        ("SavingsPlanRecurringFee", "", 20),
        ("SavingsPlanUpfrontFee", "", 0),
        ("Fee", "arn", 0),
        ("Fee", "", 100),
        ("Tax", "", 100),
        ("Credit", "arn", 100),
        ("Refund", "", 100),
        ("BundledDiscount", "", 100),
        ("SomethingNew", "", 100),
    ],
)
def test_each_type_of_line_is_amortized_by_its_rule(tmp_path, kind, arn, amortized):
    charge = Charge(NOON, kind, unblended=D(100), net=D(90), spread=SPREAD, arn=arn)
    found = one(tmp_path, charge)
    expected = Costs(D(100), D(amortized), D(90))
    if kind in USAGE:
        assert found == {
            CostSeries(Kind.OWNER): expected,
            CostSeries(Kind.SERVICE, name="AmazonSageMaker"): expected,
        }
    else:
        assert found == {CostSeries(Kind.OTHER, name=kind): expected}


@pytest.mark.parametrize("lacking", [*billing.SPREAD, "reservation_reservation_a_r_n"])
def test_without_a_column_it_needs_amortized_is_unknown(tmp_path, lacking):
    columns = [column for column in COLUMNS if column != lacking]
    charge = Charge(NOON, "Usage", unblended=D(100), net=D(90), spread=SPREAD)
    found = one(tmp_path, charge, columns=columns)
    assert found[CostSeries(Kind.OWNER)] == Costs(D(100), None, D(90))


def test_empty_cells_of_amortized_are_nothing(tmp_path):
    for kind in ("SavingsPlanCoveredUsage", "DiscountedUsage"):
        found = one(tmp_path, Charge(NOON, kind, unblended=D(100)))
        assert found[CostSeries(Kind.OWNER)].amortized == 0


def test_net_is_unblended_where_it_is_empty_and_unknown_without_its_column(tmp_path):
    charge = Charge(NOON, "Usage", unblended=D(100))
    assert one(tmp_path, charge)[CostSeries(Kind.OWNER)].net_unblended == 100
    assert one(tmp_path, replace(charge, net=D(0)))[CostSeries(Kind.OWNER)].net_unblended == 0
    columns = [column for column in COLUMNS if column != "line_item_net_unblended_cost"]
    assert one(tmp_path, charge, columns=columns)[CostSeries(Kind.OWNER)].net_unblended is None


def test_focus_has_no_net_and_may_lack_effective_cost(tmp_path):
    charge = Charge(NOON, "DiscountedUsage", unblended=D(100), net=D(90), spread=SPREAD)
    found = one(tmp_path, charge, billing.focus_csv)
    assert found == {
        CostSeries(Kind.OWNER): Costs(D(100), D(3), None),
        CostSeries(Kind.SERVICE, name="Amazon SageMaker"): Costs(D(100), D(3), None),
    }
    row = billing.focus_cells(charge)
    del row["EffectiveCost"]
    (day,) = days(tmp_path, pack(csv_text([row], list(row)))).values()
    assert day[CostSeries(Kind.OWNER)] == Costs(D(100), None, None)


def test_a_correction_of_focus_stays_in_its_category(tmp_path):
    row = billing.focus_cells(Charge(NOON, "Usage", unblended=D(-5))) | {
        "ChargeClass": "Correction"
    }
    (day,) = days(tmp_path, pack(csv_text([row], list(row)))).values()
    assert day[CostSeries(Kind.SERVICE, name="Amazon SageMaker")].unblended == -5


def test_a_basis_that_one_file_lacks_is_lacking_in_the_sum(tmp_path):
    charge = Charge(NOON, "Usage", unblended=D(100), net=D(90), spread=SPREAD)
    fewer = [column for column in COLUMNS if column != billing.SPREAD[0]]
    for files in (
        (cur_csv([charge]), cur_csv([charge], fewer)),
        (cur_csv([charge], fewer), cur_csv([charge])),
    ):
        (day,) = days(tmp_path, *files).values()
        assert day[CostSeries(Kind.OWNER)] == Costs(D(200), None, D(180))


@pytest.mark.parametrize(
    ("start", "day"),
    [
        (datetime(2024, 2, 29, 23), MARCH),  # noqa: DTZ001
        (datetime(2023, 1, 1), MARCH),  # noqa: DTZ001
        (datetime(2024, 3, 1), MARCH),  # noqa: DTZ001
        (datetime(2024, 3, 31, 23), date(2024, 3, 31)),  # noqa: DTZ001
        (datetime(2024, 4, 1), date(2024, 3, 31)),  # noqa: DTZ001
        (datetime(2025, 4, 1), date(2024, 3, 31)),  # noqa: DTZ001
    ],
)
def test_a_line_that_begins_outside_counts_on_the_nearest_day(tmp_path, start, day):
    charge = Charge(start, "Tax", spread=SPREAD)
    for file in (cur_csv, billing.focus_csv):
        assert list(days(tmp_path, file([charge]))) == [day]
    parquet = billing.cur_parquet([charge])
    assert list(days(tmp_path, parquet, suffix=".parquet")) == [day]


def test_the_service_is_the_first_column_that_names_it(tmp_path):
    def service(columns, **cells) -> str:
        row = cur_cells(Charge(NOON, "Usage")) | cells
        (day,) = days(tmp_path, pack(csv_text([row], columns))).values()
        return next(series.name for series in day if series.kind is Kind.SERVICE)

    code, product, whole = "product_servicecode", "line_item_product_code", "product"
    assert service(COLUMNS) == "AmazonSageMaker"
    assert service(COLUMNS, product_servicecode="") == "AmazonSageMaker"
    assert service(COLUMNS, product_servicecode="AWSDataTransfer") == "AWSDataTransfer"
    assert service([c for c in COLUMNS if c != code], line_item_product_code="X") == "X"
    only = [c for c in COLUMNS if c not in (code, product)]
    assert service(only) == "Amazon SageMaker"
    assert service(COLUMNS, product_servicecode="", line_item_product_code="") == "Amazon SageMaker"
    lacking = [c for c in COLUMNS if c not in (code, product, whole)]
    message = refused(tmp_path, cur_csv([Charge(NOON, "Usage")], lacking))
    assert "it lacks product_servicecode" in message


KEYS = {
    "user:mlguard:project": "user:{}",
    "mlguard:project": "{}",
    "resourceTags/mlguard:project": "resourceTags/{}",
    "resourceTags/user:mlguard:project": "resourceTags/user:{}",
    "user_mlguard_project": None,
}


@pytest.mark.parametrize("form", KEYS.values())
@pytest.mark.parametrize("column", ["resource_tags", "tags"])
def test_tags_are_found_however_their_keys_are_written(tmp_path, form, column):
    def key(name: str) -> str:
        return form.format(name) if form else billing.key_cur(name)

    row = cur_cells(Charge(NOON, "Usage", tags=OURS), key)
    row[column] = row.pop("resource_tags")
    columns = [c for c in COLUMNS if c != "resource_tags"] + [column]
    assert owner(tmp_path, pack(csv_text([row], columns))) == ("churn", "m", "e")
    parquet = billing.parquet([row], columns)
    assert owner(tmp_path, parquet, suffix=".parquet") == ("churn", "m", "e")


@pytest.mark.parametrize(
    "form",
    [
        "resource_tags.user_{}",
        "resource_tags_user_{}",
        "resource_tags['user_{}']",
        "tags_resource_tags_{}",
        "resourceTags/user:{}",
    ],
)
@pytest.mark.parametrize("suffix", [".csv.gz", ".parquet"])
def test_tags_may_be_columns_of_their_own(tmp_path, form, suffix):
    row = cur_cells(Charge(NOON, "Usage"))
    del row["resource_tags"]
    row |= {form.format(key.replace(":", "_")): value for key, value in OURS.items()}
    row["line_item_user_mlguard_project"] = "no tag"
    file = billing.parquet([row], list(row)) if suffix == ".parquet" else None
    file = file or pack(csv_text([row], list(row)))
    assert owner(tmp_path, file, suffix=suffix) == ("churn", "m", "e")


def test_tags_of_focus_are_found(tmp_path):
    charge = Charge(NOON, "Usage", tags=OURS)
    for key in (billing.key_user, billing.key_long, str):
        assert owner(tmp_path, billing.focus_csv([charge], key=key)) == ("churn", "m", "e")


def tagged(
    path, given: dict[str, str | None], column: str = "tags", **tags
) -> tuple[str, str, str]:
    row = cur_cells(Charge(NOON, "Usage")) | {column: given}
    columns = [c for c in COLUMNS if c != "resource_tags"] + [column]
    return owner(path, pack(csv_text([row], columns)), **tags)


def test_tags_are_configured_as_they_were_given(tmp_path):
    given = {"resourceTags/CostCenter": "a", "resourceTags/ML/Team": "b", "resourceTags/端点": "c"}
    names = {"project": "CostCenter", "model": "ML/Team", "endpoint": "端点"}
    assert tagged(tmp_path, given, **names) == ("a", "b", "c")
    written = {"user_cost_center": "a", "user_m_l_team": "b", "user_端点": "c"}
    assert tagged(tmp_path, written, "resource_tags", **names) == ("a", "b", "c")


def test_a_key_as_configured_counts_before_one_that_is_alike(tmp_path):
    alike = {"resourceTags/mlguard_project": "no", "resourceTags/MLGuard:project": "no"}
    both = alike | {"resourceTags/mlguard:project": "yes"}
    assert tagged(tmp_path, both)[0] == "yes"
    assert tagged(tmp_path, dict(reversed(both.items())))[0] == "yes"
    again = tagged(tmp_path, alike), tagged(tmp_path, dict(reversed(alike.items())))
    assert again[0] == again[1]


def test_tags_of_accounts_users_and_categories_are_not_those_of_resources(tmp_path):
    given = {
        f"{what}/mlguard:project": "no" for what in ("accountTag", "userAttribute", "costCategory")
    }
    assert tagged(tmp_path, given) == ("", "", "")
    assert tagged(tmp_path, given, project="costCategory/mlguard:project")[0] == "no"


def test_aliases_of_kubernetes_count_where_the_tag_is_absent(tmp_path):
    labels = {f"mlguard.io/{key}": f"{key}-label" for key in ("project", "model", "endpoint")}
    aliased = ("project-label", "model-label", "endpoint-label")
    for key in (billing.key_cur, billing.key_long, billing.key_user):
        given = {key(name): value for name, value in labels.items()}
        assert tagged(tmp_path, given) == aliased
    mixed = labels | {"mlguard:project": "churn", "mlguard:model": ""}
    assert tagged(tmp_path, mixed) == ("churn", *aliased[1:])
    assert tagged(tmp_path, mixed, project="team") == ("project-label", *aliased[1:])


@pytest.mark.parametrize(
    "value", ["a$b", "$", "Prognose-Süd", "推薦", "  x ", 'a"b,c', "x\ty", "a=b:c/d@e", "😀"]
)
def test_values_are_kept_byte_for_byte(tmp_path, value):
    charge = Charge(NOON, "Usage", tags={"mlguard:project": value})
    assert owner(tmp_path, cur_csv([charge])) == (value, "", "")
    assert owner(tmp_path, billing.focus_csv([charge])) == (value, "", "")
    assert owner(tmp_path, billing.cur_parquet([charge]), suffix=".parquet") == (value, "", "")


@pytest.mark.parametrize("cell", ["", "{}", '{"user_mlguard_project": null}', '{"Name": "x"}'])
def test_usage_without_tags_has_no_owner_but_counts(tmp_path, cell):
    row = cur_cells(Charge(NOON, "Usage"))
    text = csv_text([row | {"resource_tags": None}], [*row]).rstrip("\n")
    assert owner(tmp_path, pack(text)) == ("", "", "")
    quoted = cell.replace('"', '""')
    columns = [c for c in row if c != "resource_tags"]
    header, line = csv_text([row], columns).split("\n", 1)
    file = pack(f'{header},resource_tags\n{line.rstrip()},"{quoted}"\n')
    assert owner(tmp_path, file) == ("", "", "")


def test_split_costs_of_pods_are_not_counted_beside_their_instance(tmp_path):
    def pod(cost: Decimal) -> dict[str, object]:
        charge = Charge(NOON, "Usage", "AmazonEKS", cost, tags={"mlguard.io/project": "pod"})
        return cur_cells(charge) | {
            "split_line_item_parent_resource_id": "i-1",
            "split_line_item_split_cost": D(4),
            "split_line_item_unused_cost": D(1),
        }

    instance = cur_cells(Charge(NOON, "Usage", "AmazonEC2", D(10), tags=OURS))
    columns = [*COLUMNS, *(column for column in pod(D(0)) if column.startswith("split_"))]
    for cost, expected in ((D(0), {"churn": D(10)}), (D(2), {"churn": D(10), "pod": D(2)})):
        (day,) = days(tmp_path, pack(csv_text([instance, pod(cost)], columns))).values()
        owners = {s.project: c.unblended for s, c in day.items() if s.kind is Kind.OWNER}
        assert owners == expected


def test_a_byte_order_mark_is_no_part_of_a_column(tmp_path):
    text = gzip.decompress(cur_csv([Charge(NOON, "Usage")], COLUMNS[::-1]))
    assert owner(tmp_path, pack(b"\xef\xbb\xbf" + text)) == ("", "", "")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"line_item_unblended_cost": "1,5"}, "found '1,5'; expected an amount"),
        ({"line_item_unblended_cost": "NaN"}, "found 'NaN'; expected an amount"),
        ({"line_item_net_unblended_cost": "-Infinity"}, "found '-Infinity'; expected an amount"),
        ({"line_item_usage_start_date": ""}, "the charge begins at ''; expected a time"),
        ({"line_item_usage_start_date": "07.03.2024"}, "begins at '07.03.2024'"),
        ({"line_item_line_item_type": ""}, "line_item_line_item_type is empty"),
        ({"line_item_currency_code": ""}, "line_item_currency_code is empty"),
        ({"resource_tags": "{"}, "resource_tags is '{'; expected a JSON object of texts"),
        ({"resource_tags": "[" * 100_000}, "expected a JSON object of texts"),
        ({"resource_tags": '["a"]'}, "expected a JSON object of texts"),
        ({"resource_tags": '[{"key": "a"}]'}, "expected a JSON object of texts"),
        ({"resource_tags": '{"a": {"b": "c"}}'}, "expected a JSON object of texts"),
        ({"resource_tags": '{"a": ["b"]}'}, "expected a JSON object of texts"),
        (
            {"product_servicecode": "", "line_item_product_code": "", "product": "{}"},
            "the service is empty",
        ),
        ({"line_item_unblended_cost": "1e300"}, "an amount has too many digits"),
        ({"line_item_unblended_cost": "1e9999999"}, "an amount has too many digits"),
    ],
)
def test_a_line_that_cannot_be_understood_is_reported_with_its_number(tmp_path, cells, said):
    good = cur_cells(Charge(NOON, "Usage", unblended=D("0.001")))
    good["line_item_line_item_description"] = "one line"
    text = csv_text([good, good | cells, good], COLUMNS)
    message = refused(tmp_path, cur_csv([]), pack(text))
    assert "spend-00002.csv.gz, line 3: " in message
    assert said in message
    assert len(message) < 600


def test_a_line_with_too_few_or_too_many_cells_is_reported(tmp_path):
    text = gzip.decompress(cur_csv([Charge(NOON, "Usage")])).decode()
    width = len(COLUMNS)
    assert f"found 2 cells; expected {width}" in refused(tmp_path, pack(text + "a,b\n"))
    assert f"found {width + 1} cells" in refused(tmp_path, pack(text.rstrip("\n") + ",\n"))
    assert "found 0 cells" in refused(tmp_path, pack(text + "\n"))


def test_text_that_is_no_csv_is_reported(tmp_path):
    text = gzip.decompress(cur_csv([Charge(NOON, "Usage")]))
    assert "unexpected end of data" in refused(tmp_path, pack(text + b'"a'))
    assert "can't decode byte 0xff" in refused(tmp_path, pack(text + b"\xff"))
    assert "field larger than field limit" in refused(tmp_path, pack(text + b"x" * 200_000))


@pytest.mark.parametrize("lacking", ["line_item_usage_start_date", "line_item_currency_code"])
def test_a_column_that_is_needed_is_reported(tmp_path, lacking):
    columns = [column for column in COLUMNS if column != lacking]
    message = refused(tmp_path, cur_csv([Charge(NOON, "Usage")], columns))
    assert f"it lacks {lacking}; add these columns to the export" in message


def test_columns_of_something_else_are_reported(tmp_path):
    message = refused(tmp_path, pack("CostInBillingCurrency,Date\n1,2\n"))
    assert "its columns are CostInBillingCurrency, Date" in message
    assert "expected those of CUR 2.0 or FOCUS" in message
    row = billing.focus_cells(Charge(NOON, "Usage"))
    del row["ServiceName"]
    assert "it lacks ServiceName" in refused(tmp_path, pack(csv_text([row], list(row))))


def test_a_damaged_parquet_file_is_reported(tmp_path):
    whole = billing.cur_parquet([Charge(NOON, "Usage")] * 2000)
    assert "it is damaged" in refused(tmp_path, b"", suffix=".parquet")
    assert "it is damaged" in refused(tmp_path, whole[:-20], suffix=".parquet")
    holed = whole[:100] + b"\0" * 3000 + whole[3100:]
    assert "it is damaged" in refused(tmp_path, holed, suffix=".parquet")


def test_parquet_may_hold_decimals_and_dictionaries(tmp_path):
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    row = cur_cells(Charge(NOON, "Usage", unblended=D("1.5"), tags=OURS))
    table = pq.read_table(io.BytesIO(billing.parquet([row], list(row))))
    cost = table.column_names.index("line_item_unblended_cost")
    table = table.set_column(
        cost, "line_item_unblended_cost", pa.array([D("0.1234567890123456789")])
    )
    kind = table.column_names.index("line_item_line_item_type")
    table = table.set_column(
        kind, "line_item_line_item_type", pa.array(["Usage"]).dictionary_encode()
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    (day,) = days(tmp_path, sink.getvalue(), suffix=".parquet").values()
    expected = CostSeries(Kind.OWNER, "churn", "m", "e")
    assert day[expected].unblended == D("0.1234567890123456789")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path):
    source(tmp_path / "export", billing.cur_parquet([Charge(NOON, "Usage")]), suffix=".parquet")
    (tmp_path / "blocked" / "pyarrow").mkdir(parents=True)
    (tmp_path / "blocked" / "pyarrow" / "__init__.py").write_text("raise ImportError('blocked')\n")
    program = f"""
import json
from datetime import date
from mlguard_exporter.config import TagsConfig
from mlguard_exporter.sources.aws.billing_export import BillingExportSource
from mlguard_exporter.sources import SourceError
from mlguard_exporter.spend import Basis
try:
    list(BillingExportSource({str(tmp_path / "export")!r}, TagsConfig(), Basis.UNBLENDED, str).read(
        date(2024, 3, 1), date(2024, 4, 1), ()))
except SourceError as error:
    print(json.dumps(str(error)))
"""
    path = os.pathsep.join([str(tmp_path / "blocked"), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    message = json.loads(done.stdout)
    assert "spend-00001.parquet: to read Parquet, install pyarrow" in message
    assert "gzip CSV" in message


ALL_BASES = tuple(Basis)


def lacking_cur(*lacking: str) -> bytes:
    columns = [column for column in COLUMNS if column not in lacking]
    return cur_csv([Charge(NOON, "Usage", tags=OURS)], columns)


def lacking_focus(*lacking: str) -> bytes:
    row = billing.focus_cells(Charge(NOON, "Usage", tags=OURS))
    return pack(csv_text([row], [column for column in row if column not in lacking]))


NET = "line_item_net_unblended_cost"
LACKING = {
    "FOCUS has no net": (lacking_focus(), "net_unblended", NET, "unblended or amortized"),
    "FOCUS without EffectiveCost": (
        lacking_focus("EffectiveCost"), "amortized", "EffectiveCost", "unblended",
    ),
    "CUR without net": (lacking_cur(NET), "net_unblended", NET, "unblended or amortized"),
    **{
        f"CUR without {column}": (
            lacking_cur(column), "amortized", column, "unblended or net_unblended",
        )
        for column in (*billing.SPREAD, "reservation_reservation_a_r_n")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", LACKING)
def test_a_basis_that_the_export_does_not_carry_is_an_error_that_names_the_columns(tmp_path, name):
    file, basis, column, others = LACKING[name]
    message = refused(tmp_path, file, basis=Basis(basis))
    assert "spend-00001.csv.gz: " in message
    assert f"cost.basis is {basis}, which needs {column}, and " in message
    assert message.endswith(f", or set cost.basis to {others}")
    for other in others.split(" or "):
        assert days(tmp_path, file, basis=Basis(other))


def test_every_column_of_the_basis_that_is_missing_is_named(tmp_path):
    message = refused(tmp_path, lacking_cur(*billing.SPREAD), basis=Basis.AMORTIZED)
    assert ", ".join(billing.SPREAD) in message


@pytest.mark.parametrize("basis", ALL_BASES)
def test_a_whole_export_of_cur_carries_every_basis(tmp_path, basis):
    assert days(tmp_path, cur_csv([Charge(NOON, "Usage")]), basis=basis)


def test_one_file_of_a_month_without_the_basis_is_an_error(tmp_path):
    whole, half = cur_csv([Charge(NOON, "Usage")]), lacking_cur(NET)
    for files in ((whole, half), (half, whole)):
        assert NET in refused(tmp_path, *files, basis=Basis.NET_UNBLENDED)


def test_a_legacy_report_is_named_as_that(tmp_path):
    header = "identity/LineItemId,bill/PayerAccountId,lineItem/UnblendedCost,resourceTags/user:a"
    message = refused(tmp_path, pack(f"{header}\n1,2,3,4\n"))
    assert "this is a legacy Cost and Usage Report" in message
    assert "Standard data export (CUR 2.0), or FOCUS" in message


VALUES = {"true": "true", "false": "false", "7": "7", "1.50": "1.50", "-2e3": "-2e3", '"x"': "x"}


@pytest.mark.parametrize("written", VALUES)
def test_tags_that_are_true_or_numbers_are_read_as_they_are_written(tmp_path, written):
    row = billing.focus_cells(Charge(NOON, "Usage")) | {"Tags": "TAGS"}
    cell = f'{{"mlguard:project": {written}, "other": true, "none": null}}'.replace('"', '""')
    text = csv_text([row], list(row)).replace("TAGS", f'"{cell}"')
    assert owner(tmp_path, pack(text)) == (VALUES[written], "", "")
