"""What is shown of spend."""

from mlguard_exporter.figures.collector import SpendCollector
from mlguard_exporter.figures.metrics import METRICS
from mlguard_exporter.figures.told import migrations as figures_migrations

__all__ = ["METRICS", "SpendCollector", "figures_migrations"]
