"""Where spend is read. Each folder is one cloud; to add one, see `protocol` and `registry`."""

from mlguard_exporter.sources.aws.cost_explorer import (
    REQUEST_USD,
    RequestCounts,
    count_requests,
    sent_in_month,
)
from mlguard_exporter.sources.protocol import CostSource, DeniedError, SourceError
from mlguard_exporter.sources.registry import open_source, source_migrations

__all__ = [
    "REQUEST_USD",
    "CostSource",
    "DeniedError",
    "RequestCounts",
    "SourceError",
    "count_requests",
    "open_source",
    "sent_in_month",
    "source_migrations",
]
