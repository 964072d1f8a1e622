"""What is shown of spend: metric definitions, the figures, and their collector."""

from mlguard_exporter.exposition.collector import SpendCollector, SpendSnapshot
from mlguard_exporter.exposition.metrics import METRICS

__all__ = ["METRICS", "SpendCollector", "SpendSnapshot"]
