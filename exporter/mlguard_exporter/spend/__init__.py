"""What was spent, and the figures made of it."""

from mlguard_exporter.spend.model import (
    Basis,
    Costs,
    Kind,
    Reading,
    Series,
    Source,
    SourceError,
    currency_label,
)

__all__ = [
    "Basis",
    "Costs",
    "Kind",
    "Reading",
    "Series",
    "Source",
    "SourceError",
    "currency_label",
]
