"""Lines of a Cost and Usage Report 2.0."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from mlguard_exporter.files.line import ZERO, Layout, Line, amount, required
from mlguard_exporter.files.tags import Cell, pairs_of, tag_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

MARK = "line_item_unblended_cost"
"""A column that every such export must have, and no other has."""
_NEEDED = (
    "line_item_usage_start_date",
    "line_item_line_item_type",
    "line_item_currency_code",
    MARK,
)
_NET = "line_item_net_unblended_cost"
_SERVICES = ("product_servicecode", "line_item_product_code", "product_product_name", "product")
"""Columns that name the service; the first that is not empty counts, and some lines leave some."""
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
"""The instance of a pod or task, where a line shares its costs out."""
_USAGE = frozenset({"Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "SavingsPlanNegation"})
_REMEMBERED = 1 << 12


def layout(header: Sequence[str]) -> Layout:
    """How lines are read whose columns are these.

    Split cost allocation data of EKS and ECS is left out: it adds lines of pods and tasks that
    charge nothing, and shares out in columns of their own (`split_line_item_*`), amortized alone,
    what the line of the instance charges. An instance belongs to the owner that its own tags
    name, and lines that only share out are passed over, so that nothing is counted twice and a
    pod is not said to cost nothing.

    Raises:
        ValueError: a column is missing.
    """
    names = set(header)
    services = tuple(name for name in _SERVICES if name in names)
    missing = [name for name in _NEEDED if name not in names] + ["product_servicecode"] * (
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
    return Layout((*_NEEDED, *services, *net, *amortized, *parent, *tags), tags, read)


def _reader(
    services: tuple[str, ...], *, has_net: bool, has_amortized: bool, has_parent: bool
) -> Callable[[tuple[Cell, ...]], Line | None]:
    net_at = len(_NEEDED) + len(services)
    amortized_at = net_at + has_net
    parent_at = amortized_at + len(_AMORTIZED) * has_amortized
    tags_at = parent_at + has_parent

    def read(cells: tuple[Cell, ...]) -> Line | None:
        start, kind, currency, text = cells[:4]
        kind = required(_NEEDED[1], kind)
        usage = kind in _USAGE
        unblended = amount(text)
        net = None
        if has_net:
            cell = cells[net_at]
            net = amount(cell) if cell else unblended
        if has_parent and cells[parent_at] and not unblended and not net:
            return None
        return Line(
            start,  # type: ignore[arg-type]
            usage,
            _service(services, cells) if usage else kind,
            required(_NEEDED[2], currency),
            unblended,
            _amortized(kind, unblended, cells[amortized_at:parent_at]) if has_amortized else None,
            net,
            cells[tags_at:],
        )

    return read


def _service(services: tuple[str, ...], cells: tuple[Cell, ...]) -> str:
    for i, column in enumerate(services, len(_NEEDED)):
        cell = cells[i]
        name = _product_name(cell) if column == "product" else cell
        if name:
            return name  # type: ignore[return-value]
    raise ValueError(
        f"the service is empty; expected it in {' or '.join(services)}; "
        "line_item_product_code, if it is added to the export, is there in every line"
    )


@lru_cache(_REMEMBERED)
def _product_name(product: Cell) -> str:
    return dict(pairs_of("product", product)).get("product_name") or ""


def _amortized(kind: str, unblended: Decimal, cells: tuple[Cell, ...]) -> Decimal:
    """The cost of a line with reservations and savings plans spread over what they cover.

    What covered usage takes of a commitment is its effective cost; the rest of the commitment is
    at the recurring fee, as unused; and what paid for commitments at once does not count again.
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
