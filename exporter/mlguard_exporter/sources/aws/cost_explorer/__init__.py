"""Cost Explorer: costs by request, at $0.01 each."""

from mlguard_exporter.sources.aws.cost_explorer.query import ACTIVE, is_usage, tag_states
from mlguard_exporter.sources.aws.cost_explorer.request_meter import (
    REQUEST_USD,
    RequestCounts,
    RequestMeter,
    count_requests,
    sent_in_month,
)
from mlguard_exporter.sources.aws.cost_explorer.request_meter import (
    migrations as request_migrations,
)
from mlguard_exporter.sources.aws.cost_explorer.source import CostExplorerSource

__all__ = [
    "ACTIVE",
    "REQUEST_USD",
    "CostExplorerSource",
    "RequestCounts",
    "RequestMeter",
    "count_requests",
    "is_usage",
    "request_migrations",
    "sent_in_month",
    "tag_states",
]
