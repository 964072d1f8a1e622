"""The figures in Prometheus' terms."""

from mlguard_sidecar.exposition import metrics
from mlguard_sidecar.exposition.collector import Collector, Judging
from mlguard_sidecar.exposition.metrics import METRICS, Metric
from mlguard_sidecar.exposition.own import Own

__all__ = ["METRICS", "Collector", "Judging", "Metric", "Own", "metrics"]
