"""Sends one notification through Apprise, in a process of its own.

Apprise and its dependencies take some 25 MiB, which a sidecar would hold for its lifetime. A
receiver that hangs is a process that can be killed. What Apprise logs may hold secrets, and stays
in the process.
"""

from mlguard_rules.apprise_worker.client import send

__all__ = ["send"]
