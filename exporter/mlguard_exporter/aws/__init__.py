"""Cost Explorer, and the way into AWS."""

from mlguard_exporter.aws.cost_explorer import CostExplorer
from mlguard_exporter.aws.errors import AwsErrors, code, explain, understanding
from mlguard_exporter.aws.meter import REQUEST_USD, Meter, Requests, count_requests, sent_in_month
from mlguard_exporter.aws.meter import migrations as request_migrations
from mlguard_exporter.aws.session import Aws
from mlguard_exporter.aws.tags import ACTIVE, active_tags, tag_states

__all__ = [
    "ACTIVE",
    "REQUEST_USD",
    "Aws",
    "AwsErrors",
    "CostExplorer",
    "Meter",
    "Requests",
    "active_tags",
    "code",
    "count_requests",
    "explain",
    "request_migrations",
    "sent_in_month",
    "tag_states",
    "understanding",
]
