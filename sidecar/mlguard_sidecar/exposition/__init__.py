"""The figures in Prometheus' terms."""

from mlguard_sidecar.exposition import metrics
from mlguard_sidecar.exposition.metrics import METRICS
from mlguard_sidecar.exposition.models import Judging, Models
from mlguard_sidecar.exposition.own import Own
from mlguard_sidecar.exposition.samples import CONTENT_TYPE, Collector, Metric, exposition

__all__ = [
    "CONTENT_TYPE",
    "METRICS",
    "Collector",
    "Judging",
    "Metric",
    "Models",
    "Own",
    "exposition",
    "metrics",
]
