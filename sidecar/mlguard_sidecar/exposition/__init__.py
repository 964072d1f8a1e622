"""The figures in Prometheus' terms."""

from mlguard_sidecar.exposition import metrics
from mlguard_sidecar.exposition.metrics import METRICS
from mlguard_sidecar.exposition.models import Judging, Models
from mlguard_sidecar.exposition.own import Own

__all__ = [
    "METRICS",
    "Judging",
    "Models",
    "Own",
    "metrics",
]
