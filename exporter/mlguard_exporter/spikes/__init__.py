"""Which days of one series are spikes, and what was expected of each."""

from mlguard_exporter.spikes.detector import Anomaly, SpikeDetector, detect_spikes
from mlguard_exporter.spikes.settings import SpikeConfig

__all__ = ["Anomaly", "SpikeConfig", "SpikeDetector", "detect_spikes"]
