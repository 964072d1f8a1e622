"""What was spent: costs by UTC day and series, and the store that keeps every day of them."""

from mlguard_exporter.spend.costs import (
    Basis,
    CostReport,
    Costs,
    CostSeries,
    Kind,
    currency_label,
)

__all__ = ["Basis", "CostReport", "CostSeries", "Costs", "Kind", "currency_label"]
