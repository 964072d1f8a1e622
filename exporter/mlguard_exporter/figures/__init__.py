"""What is shown of spend."""

from mlguard_exporter.figures.collector import SpendCollector, figures_of
from mlguard_exporter.figures.metrics import METRICS

__all__ = ["METRICS", "SpendCollector", "figures_of"]
