"""The columns of CUR 2.0 and of FOCUS 1.0 and 1.2."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from mlguard_exporter.sources.aws.billing_export.line_items import (
    ZERO,
    LineFormat,
    LineItem,
    amount,
    required,
)
from mlguard_exporter.sources.aws.billing_export.tags import Cell, pairs_of, tag_columns
from mlguard_exporter.spend import Basis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

_CUR_MARKER = "line_item_unblended_cost"
"""A column that identifies the format."""
_CUR_NEEDED = (
    "line_item_usage_start_date",
    "line_item_line_item_type",
    "line_item_currency_code",
    _CUR_MARKER,
)
_NET = "line_item_net_unblended_cost"
_SERVICES = ("product_servicecode", "line_item_product_code", "product_product_name", "product")
"""Columns that name the service; the first that is not empty counts, as lines may lack some."""
_AMORTIZED = (
    "savings_plan_savings_plan_effective_cost",
    "reservation_effective_cost",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_recurring_fee",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
    "reservation_reservation_a_r_n",
)
_PARENT = "split_line_item_parent_resource_id"
"""The instance whose costs a line allocates to a pod or task."""
_USAGE = frozenset({"Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "SavingsPlanNegation"})
_REMEMBERED = 1 << 12
_LEGACY_MARKER = "lineItem/UnblendedCost"
LEGACY = (
    "this is a legacy Cost and Usage Report, which is not read; create an export of the type"
    " Standard data export (CUR 2.0), or FOCUS, in the AWS console under Billing and Cost"
    " Management, Data Exports, and give its folder as `export`"
)
"""What to do about a report of the kind before AWS Data Exports."""

_FOCUS_MARKER = "BilledCost"
"""A column that identifies the format."""
_FOCUS_NEEDED = (
    "ChargePeriodStart",
    "ChargeCategory",
    "BillingCurrency",
    _FOCUS_MARKER,
    "ServiceName",
)
_EFFECTIVE = "EffectiveCost"
_CATEGORY = "ServiceCategory"
"""Names the service where a cloud leaves ServiceName empty, as Azure does for some usage."""


def line_format(header: Sequence[str]) -> LineFormat:
    """Return how the lines of a file with these columns are read.

    Raises:
        ValueError: the columns are neither of CUR 2.0 nor of FOCUS, or one is missing.
    """
    if _CUR_MARKER in header:
        return _cur_format(header)
    if _FOCUS_MARKER in header:
        return _focus_format(header)
    if _LEGACY_MARKER in header:
        raise ValueError(LEGACY)
    raise ValueError(
        f"its columns are {', '.join(header[:4])[:200]}, ...; expected those of CUR 2.0 or FOCUS, "
        "of AWS Data Exports"
    )


def _cur_format(header: Sequence[str]) -> LineFormat:
    """Return how lines of a Cost and Usage Report are read.

    Split cost allocation data of EKS and ECS is left out. It adds lines of pods and tasks that
    charge nothing themselves: columns of their own (`split_line_item_*`, amortized only) allocate
    what the line of the instance charges. An instance belongs to the owner in its own tags.
    Skipping the allocation lines counts nothing twice, and reports no pod with a cost of zero.

    Raises:
        ValueError: a column is missing.
    """
    names = set(header)
    services = tuple(name for name in _SERVICES if name in names)
    missing = [name for name in _CUR_NEEDED if name not in names] + ["product_servicecode"] * (
        not services
    )
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}; add these columns to the export")
    net = (_NET,) if _NET in names else ()
    amortized = _AMORTIZED if names.issuperset(_AMORTIZED) else ()
    parent = (_PARENT,) if _PARENT in names else ()
    tags = tag_columns(header)
    read = _reader(
        services, has_net=bool(net), has_amortized=bool(amortized), has_parent=bool(parent)
    )
    lacking: dict[Basis, list[str]] = {}
    if not amortized:
        lacking[Basis.AMORTIZED] = [name for name in _AMORTIZED if name not in names]
    if not net:
        lacking[Basis.NET_UNBLENDED] = [_NET]
    columns = (*_CUR_NEEDED, *services, *net, *amortized, *parent, *tags)
    return LineFormat("CUR 2.0", columns, tags, read, lacking)


def _reader(
    services: tuple[str, ...], *, has_net: bool, has_amortized: bool, has_parent: bool
) -> Callable[[tuple[Cell, ...]], LineItem | None]:
    net_at = len(_CUR_NEEDED) + len(services)
    amortized_at = net_at + has_net
    parent_at = amortized_at + len(_AMORTIZED) * has_amortized
    tags_at = parent_at + has_parent

    def read(cells: tuple[Cell, ...]) -> LineItem | None:
        start, kind, currency, text = cells[:4]
        kind = required(_CUR_NEEDED[1], kind)
        usage = kind in _USAGE
        unblended = amount(text)
        net = None
        if has_net:
            cell = cells[net_at]
            net = amount(cell) if cell else unblended
        if has_parent and cells[parent_at] and not unblended and not net:
            return None
        return LineItem(
            start,  # type: ignore[arg-type]
            usage,
            _service(services, cells) if usage else kind,
            required(_CUR_NEEDED[2], currency),
            unblended,
            _amortized(kind, unblended, cells[amortized_at:parent_at]) if has_amortized else None,
            net,
            cells[tags_at:],
        )

    return read


def _service(services: tuple[str, ...], cells: tuple[Cell, ...]) -> str:
    for i, column in enumerate(services, len(_CUR_NEEDED)):
        cell = cells[i]
        name = _product_name(cell) if column == "product" else cell
        if name:
            return name  # type: ignore[return-value]
    raise ValueError(
        f"the service is empty; expected it in {' or '.join(services)}; "
        "add line_item_product_code to the export, which is there in every line"
    )


@lru_cache(_REMEMBERED)
def _product_name(product: Cell) -> str:
    return dict(pairs_of("product", product)).get("product_name") or ""


def _amortized(kind: str, unblended: Decimal, cells: tuple[Cell, ...]) -> Decimal:
    """Return the cost of a line with reservations and savings plans spread over what they cover.

    Covered usage counts at its effective cost. The unused rest of a commitment counts at its
    recurring fee. Upfront payments do not count again.
    """
    match kind:
        case "Usage":
            spread = unblended
        case "SavingsPlanCoveredUsage":
            spread = amount(cells[0])
        case "DiscountedUsage":
            spread = amount(cells[1])
        case "RIFee":
            spread = amount(cells[2]) + amount(cells[3])
        case "SavingsPlanRecurringFee":
            spread = amount(cells[4]) - amount(cells[5])
        case "SavingsPlanNegation" | "SavingsPlanUpfrontFee":
            spread = ZERO
        case _:
            spread = ZERO if kind == "Fee" and cells[6] else unblended
    return spread


def _focus_format(header: Sequence[str]) -> LineFormat:
    """Return how lines of a FOCUS export are read.

    A correction (ChargeClass) counts in the category that it corrects.

    Raises:
        ValueError: a column is missing.
    """
    names = set(header)
    if missing := [name for name in _FOCUS_NEEDED if name not in names]:
        raise ValueError(f"it lacks {', '.join(missing)}; add these columns to the export")
    effective = (_EFFECTIVE,) if _EFFECTIVE in names else ()
    category = (_CATEGORY,) if _CATEGORY in names else ()
    tags = tag_columns(header)
    tags_at = len(_FOCUS_NEEDED) + len(effective) + len(category)

    def read(cells: tuple[Cell, ...]) -> LineItem:
        start, kind, currency, billed, service = cells[:5]
        kind = required("ChargeCategory", kind)
        usage = kind == "Usage"
        if usage and not service and category:
            service = cells[tags_at - 1]
        return LineItem(
            start,  # type: ignore[arg-type]
            usage,
            required("ServiceName", service) if usage else kind,
            required("BillingCurrency", currency),
            amount(billed),
            amount(cells[5]) if effective else None,
            None,
            cells[tags_at:],
        )

    lacking = {Basis.NET_UNBLENDED: [_NET]}
    if not effective:
        lacking[Basis.AMORTIZED] = [_EFFECTIVE]
    advice = {Basis.NET_UNBLENDED: "only an export of CUR 2.0 can have it: read one"}
    columns = (*_FOCUS_NEEDED, *effective, *category, *tags)
    return LineFormat("FOCUS", columns, tags, read, lacking, advice)
