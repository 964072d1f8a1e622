"""The statistics of models in Prometheus' terms."""

from mlguard_sidecar.exposition.collector import ModelCollector
from mlguard_sidecar.exposition.definitions import METRICS
from mlguard_sidecar.exposition.thresholds import THRESHOLDS

__all__ = ["METRICS", "THRESHOLDS", "ModelCollector"]
