"""The admission webhook that puts the sidecar into pods."""

from mlguard_injector.config import SidecarConfig
from mlguard_injector.inject import CONTAINER, Injection, inject
from mlguard_injector.patch import applied

__all__ = ["CONTAINER", "Injection", "SidecarConfig", "applied", "inject"]
