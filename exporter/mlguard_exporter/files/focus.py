"""Lines of a FOCUS export, 1.0 or 1.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlguard_exporter.files.line import Layout, Line, amount, required
from mlguard_exporter.files.tags import tag_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_exporter.files.tags import Cell

MARK = "BilledCost"
"""A column that every such export must have, and no other has."""
_NEEDED = ("ChargePeriodStart", "ChargeCategory", "BillingCurrency", MARK, "ServiceName")
_EFFECTIVE = "EffectiveCost"


def layout(header: Sequence[str]) -> Layout:
    """How lines are read whose columns are these.

    A correction (ChargeClass) counts in the category that it corrects.

    Raises:
        ValueError: a column is missing.
    """
    names = set(header)
    if missing := [name for name in _NEEDED if name not in names]:
        raise ValueError(f"it lacks {', '.join(missing)}; add these columns to the export")
    effective = (_EFFECTIVE,) if _EFFECTIVE in names else ()
    tags = tag_columns(header)
    tags_at = len(_NEEDED) + len(effective)

    def read(cells: tuple[Cell, ...]) -> Line:
        start, kind, currency, billed, service = cells[:5]
        kind = required("ChargeCategory", kind)
        usage = kind == "Usage"
        return Line(
            start,  # type: ignore[arg-type]
            usage,
            required("ServiceName", service) if usage else kind,
            required("BillingCurrency", currency),
            amount(billed),
            amount(cells[5]) if effective else None,
            None,
            cells[tags_at:],
        )

    return Layout((*_NEEDED, *effective, *tags), tags, read)
