"""Tells a sidecar what a model predicted, and never gets in the model's way."""

from mlguard.calls import Observation
from mlguard.guard import Guard
from mlguard.tally import Stats

__version__ = "0.1.0"

__all__ = ["Guard", "Observation", "Stats", "__version__"]
