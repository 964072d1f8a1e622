"""What is shown of spend: metric definitions, the figures, and their collector."""

from mlguard_exporter.exposition.collector import SpendCollector
from mlguard_exporter.exposition.metrics import METRICS

__all__ = ["METRICS", "SpendCollector"]
