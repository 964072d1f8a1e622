"""The SDK: a model server logs its predictions to the sidecar, without waiting for it."""

from mlguard.counters import Stats
from mlguard.guard import Guard
from mlguard.observation import Observation

__version__ = "0.1.0"

__all__ = ["Guard", "Observation", "Stats", "__version__"]
