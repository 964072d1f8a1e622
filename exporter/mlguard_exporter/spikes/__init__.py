"""Which days of spend are spikes, and what was expected of each."""

from mlguard_exporter.spikes.judging import Judging, Verdict
from mlguard_exporter.spikes.walk import judge

__all__ = ["Judging", "Verdict", "judge"]
